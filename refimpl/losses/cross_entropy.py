"""Cross-entropy of a softmax, ``−Σᵢ log p_{i,yᵢ}`` or its mean over the rows, for classes ``yᵢ ∈ {0, …, k − 1}``.

With outputs ``zᵢ`` of row i, ``m = maxⱼ zⱼ``, and ``N`` the number of rows for the mean, 1 for the sum::

    log pⱼ = zⱼ − log Σⱼ exp zⱼ = (zⱼ − m) − log s,    s = Σⱼ exp(zⱼ − m)
    L      = −(1/N) Σᵢ log p_{i,yᵢ}
    ∂L/∂zⱼ = (pⱼ − [j = yᵢ]) / N        because ∂ log Σ exp z/∂zⱼ = exp(zⱼ)/Σ exp z = pⱼ

Adding one number to all of a row's outputs changes nothing, so m is subtracted first: the largest exponent is 0 and
``1 ≤ s ≤ k``, however large the outputs are (Blanchard, Higham & Higham, "Accurately computing the log-sum-exp and
softmax functions", IMA J. Numer. Anal. 41, 2021).

``log p`` has two forms that round differently, ``(z − m) − log s`` (``torch.log_softmax``) and ``z − (m + log s)``
(``z − torch.logsumexp(z)``); running-error arithmetic admits both. The derivative is taken as torch takes it, from
``p = exp(log p)``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from refimpl.arithmetic.elementary import integer
from refimpl.arithmetic.kernels import either
from refimpl.errors import DataError
from refimpl.ranges import check_fields
from refimpl.types import Array


@dataclass(frozen=True, kw_only=True)
class CrossEntropy:
    """``reduction``: over the rows. Targets are numbers of classes, kept as floats, ``(runs or 1, n, 1)``."""

    reduction: Literal["mean", "sum"]

    def __post_init__(self) -> None:
        check_fields(self)

    def check_classes(self, name: str, targets: Array, outputs: int) -> None:
        """Raise :class:`DataError` unless every target is the number of one of the ``outputs`` classes."""
        wrong = (targets != np.rint(targets)) | (targets < 0) | (targets >= outputs)
        if np.any(wrong):
            index = tuple(int(i) for i in np.argwhere(wrong)[0])
            raise DataError(
                f"{name}{list(index)}",
                given=float(targets[index]),
                allowed=f"a class from 0 to {outputs - 1}, the model's outputs",
                remedy="number the classes from 0, or give the model an output for each",
            )

    def divisor(self, outputs: Array) -> int:
        """N: the number of rows for the mean, 1 for the sum."""
        return int(outputs.shape[1]) if self.reduction == "mean" else 1

    def value(self, outputs: Array, targets: Array) -> Array:
        """L, ``(runs,)``, from outputs ``(runs, n, k)`` and targets ``(runs or 1, n, 1)``."""
        runs, rows = outputs.shape[:2]
        chosen = np.arange(runs)[:, None], np.arange(rows), np.broadcast_to(classes(targets)[:, :, 0], (runs, rows))
        value: Array = -log_softmax(outputs)[chosen].sum(axis=1) / self.divisor(outputs)  # −(1/N) Σ log p
        return value

    def gradient(self, outputs: Array, targets: Array) -> Array:
        """∂L/∂z, of the shape of ``outputs``."""
        p = np.exp(log_softmax(outputs))
        is_class = np.broadcast_to(classes(targets) == np.arange(outputs.shape[2]), outputs.shape).astype(int)
        N = self.divisor(outputs)
        return p / N - integer(is_class, p) / N  # type: ignore[no-any-return]  # (p − [j = y])/N


def log_softmax(z: Array) -> Array:
    """``log p`` along the last axis."""
    m = z.max(axis=-1)[..., None]
    s = np.exp(z - m).sum(axis=-1)[..., None]  # Σ exp(z − m)
    return either(z - m - np.log(s), z - (m + np.log(s)))  # type: ignore[no-any-return]


def classes(targets: Any) -> Array:
    """The numbers of the classes as integers, which they are in every arithmetic."""
    return np.asarray(getattr(targets, "value", targets)).astype(int)
