"""Binary cross-entropy of a sigmoid, as ``torch.nn.BCEWithLogitsLoss``, for targets y from 0 to 1.

With the probability σ(z) = 1/(1 + e⁻ᶻ) of an output z, weights w of elements and q of positive targets::

    ℓ = −w(q·y log σ(z) + (1 − y) log(1 − σ(z)))

Because 1 − σ(z) = σ(z)e⁻ᶻ its logarithm is log σ(z) − z, and with ``v = q·y + 1 − y``::

    ℓ        = w((1 − y)z − v log σ(z))
    log σ(z) = min(z, 0) − log(1 + exp(−|z|))         in which nothing overflows

The slope of log σ is 1 − σ. Hence, with ``δ = ∂L/∂(what comes out)`` and N the number of elements for the mean, else
1::

    ∂ℓ/∂z = w(1 − y − v(1 − σ)) = w(vσ − q·y)
    ∂L/∂z = δ·w(vσ − q·y)/N

Rounding: v may also be ``(q·y + 1) − y`` or ``1 + (q − 1)y``; running-error arithmetic admits these forms.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from refimpl.arithmetic.elementary import sigmoid
from refimpl.arithmetic.kernels import either
from refimpl.ranges import check_fields
from refimpl.reductions import Reduction, of_each, reduced
from refimpl.types import Array, Params


@dataclass(frozen=True, kw_only=True)
class BCEWithLogits:
    """The input is ``(z, y)``, of one shape. ``weight`` w and ``pos_weight`` q are among the parameters, or left out
    where they are 1; they broadcast to z and have no gradient.
    """

    reduction: Reduction = "mean"

    def __post_init__(self) -> None:
        check_fields(self)

    def forward(self, params: Params, x: tuple[Array, Array]) -> Array:
        """A number, or ℓ of the shape of z."""
        z, y = x
        log_sigmoid = np.minimum(z, 0) - np.log1p(np.exp(-np.abs(z)))  # min(z, 0) − log(1 + exp(−|z|))
        _, v = _positive(params, y)
        losses = (1 - y) * z - (log_sigmoid if v is None else v * log_sigmoid)  # (1 − y)z − v log σ
        return reduced(losses * params["weight"] if "weight" in params else losses, self.reduction)

    def backward(
        self, params: Params, x: tuple[Array, Array], upstream: Array
    ) -> tuple[tuple[Array, None], dict[str, Array]]:
        """∂L/∂z, of the shape of z; targets are data."""
        z, y = x
        qy, v = _positive(params, y)
        slope = (sigmoid(z) if v is None else v * sigmoid(z)) - qy  # vσ − q·y
        slope = slope * params["weight"] if "weight" in params else slope
        return (of_each(upstream, slope, self.reduction) * slope, None), {}  # δ·w(vσ − q·y)/N


def _positive(params: Params, y: Array) -> tuple[Array, Any]:
    """q·y and v; None for v where it is 1."""
    if "pos_weight" not in params:
        return y, None
    q = params["pos_weight"]
    v = either(q * y + (1 - y), q * y + 1 - y)  # q·y + 1 − y
    return q * y, either(v, 1 + (q - 1) * y)
