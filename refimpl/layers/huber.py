"""Huber's loss of ``r = z − y``, squared near 0 and linear beyond ``d``, as ``torch.nn.HuberLoss``::

    ℓ  = ½r²              where |r| < d
    ℓ  = d(|r| − ½d)      beyond

The two meet at |r| = d with the value ½d² and with the slope ±d, so there is no kink: the slope is r, cut off at ±d.
With ``δ = ∂L/∂(what comes out)`` and N the number of elements for the mean, else 1::

    ∂L/∂z = δ·min(max(r, −d), d)/N

Source: Huber, "Robust estimation of a location parameter", Ann. Math. Statist. 35, 1964.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from refimpl.ranges import NonNegative, check_fields
from refimpl.reductions import Reduction, of_each, reduced
from refimpl.types import Array, Params


@dataclass(frozen=True, kw_only=True)
class Huber:
    """The input is ``(z, y)``, of one shape; ``delta`` is d."""

    delta: NonNegative = 1.0
    reduction: Reduction = "mean"

    def __post_init__(self) -> None:
        check_fields(self)

    def forward(self, params: Params, x: tuple[Array, Array]) -> Array:
        """A number, or ℓ of the shape of z."""
        del params
        r, d = x[0] - x[1], self.delta
        losses = np.where(np.abs(r) < d, r**2 / 2, d * (np.abs(r) - d / 2))  # ½r², d(|r| − ½d)
        return reduced(losses, self.reduction)

    def backward(
        self, params: Params, x: tuple[Array, Array], upstream: Array
    ) -> tuple[tuple[Array, None], dict[str, Array]]:
        """∂L/∂z, of the shape of z; targets are data."""
        del params
        slope = np.minimum(np.maximum(x[0] - x[1], -self.delta), self.delta)  # min(max(r, −d), d)
        return (of_each(upstream, slope, self.reduction) * slope, None), {}  # δ·…/N
