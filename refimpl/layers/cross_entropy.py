"""Cross-entropy of a softmax, as ``torch.nn.CrossEntropyLoss``, for targets that are numbers of classes.

For a row with the outputs z and the class c, with weights w of classes, smoothing ε and k classes::

    log p = z − log Σⱼ exp zⱼ
    ℓ     = −(1 − ε)·w_c log p_c − (ε/k) Σⱼ wⱼ log pⱼ  =  −Σⱼ qⱼ log pⱼ,     qⱼ = (1 − ε)w_c[j = c] + (ε/k)wⱼ

Rows whose class is ``ignore_index`` have the loss 0. What comes out is each ℓ, their sum, or their mean, which is
``Σℓ/N`` with the weights of the other rows as N = Σ w_c, their number without weights. If there are none, the mean is
0/0, not a number, as in torch, and the gradient 0.

Backwards, with ``δ = ∂L/∂(what comes out)`` and N = 1 unless it is the mean, ``g = ∂L/∂log p = −δq/N``, and because
∂ log pⱼ/∂zᵢ = [i = j] − pᵢ::

    ∂L/∂z = g − p·Σⱼ gⱼ           (p − [j = c])·δ/N without weights and smoothing

log p is that of :mod:`refimpl.losses.cross_entropy`, in both its forms.

Source: Szegedy et al., "Rethinking the inception architecture", 2016, §7, for smoothing.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from refimpl.arithmetic.elementary import integer
from refimpl.losses.cross_entropy import log_softmax
from refimpl.ranges import Portion, check_fields
from refimpl.reductions import Reduction
from refimpl.stepping import is_zero
from refimpl.types import Array, Params


@dataclass(frozen=True, kw_only=True)
class CrossEntropy:
    """The input is ``(z, classes)``, of shapes ``(n, k, …)`` and ``(n, …)``, classes as integers. ``weight`` ``(k,)``
    is among the parameters, or left out where it is 1; it has no gradient.
    """

    reduction: Reduction = "mean"
    ignore_index: int = -100
    label_smoothing: Portion = 0.0

    def __post_init__(self) -> None:
        check_fields(self)

    def forward(self, params: Params, x: tuple[Array, Array]) -> Array:
        """A number, or ℓ of the shape of the classes."""
        log_p, seen, c = log_softmax(_rows(x[0])), *self._classes(x[1])
        w = params.get("weight")
        losses = -log_p[np.arange(len(c)), c]
        losses = losses if w is None else w[c] * losses  # −w_c log p_c
        if not is_zero(self.label_smoothing):
            even = -(log_p if w is None else w * log_p).sum(axis=1)  # −Σ w log p
            epsilon, k = self.label_smoothing, log_p.shape[1]
            losses = (1 - epsilon) * losses + epsilon / k * even  # (1 − ε)·… + (ε/k)·…
        losses = np.where(seen, losses, 0)
        if self.reduction == "none":
            return losses.reshape(*x[1].shape)
        with np.errstate(invalid="ignore"):
            return losses.sum(axis=0) / self._divisor(seen, c, w)  # type: ignore[no-any-return]  # Σℓ/N

    def backward(
        self, params: Params, x: tuple[Array, Array], upstream: Array
    ) -> tuple[tuple[Array, None], dict[str, Array]]:
        """∂L/∂z, of the shape of z; classes are data."""
        log_p, seen, c = log_softmax(_rows(x[0])), *self._classes(x[1])
        w, k = params.get("weight"), log_p.shape[1]
        delta = upstream.reshape(-1, 1) if self.reduction == "none" else upstream
        if seen.any():
            delta = delta / self._divisor(seen, c, w)
        of_class = integer((c[:, None] == np.arange(k)).astype(int), log_p)  # [j = c]
        of_class = of_class if w is None else of_class * w
        if is_zero(self.label_smoothing):
            g = -delta * of_class
            total = -delta * (1 if w is None else w[c][:, None])  # Σ g, which has one term
        else:
            epsilon = self.label_smoothing
            g = -delta * ((1 - epsilon) * of_class + epsilon / k * (1 if w is None else w))
            total = g.sum(axis=1)[:, None]
        gradient = np.where(seen[:, None], g - np.exp(log_p) * total, 0)  # g − p·Σ g
        return (_placed(gradient, x[0].shape), None), {}

    def _classes(self, classes: Array) -> tuple[Array, Array]:
        """Which rows are not ignored, and the class of each; 0 for the others."""
        c = classes.reshape(-1)
        seen = c != self.ignore_index
        return seen, np.where(seen, c, 0)

    def _divisor(self, seen: Array, c: Array, w: Any) -> Any:
        """N."""
        if self.reduction != "mean":
            return 1
        return int(seen.sum()) if w is None else np.where(seen, w[c], 0).sum(axis=0)  # Σ w_c


def _rows(z: Array) -> Array:
    """``(n, k, …)`` as ``(n·…, k)``."""
    return z.reshape(*z.shape[:2], -1).swapaxes(1, 2).reshape(-1, z.shape[1])


def _placed(rows: Array, shape: tuple[int, ...]) -> Array:
    """``(n·…, k)`` as ``(n, k, …)``."""
    return rows.reshape(shape[0], math.prod(shape[2:]), shape[1]).swapaxes(1, 2).reshape(*shape)
