"""Absolute error, ``ℓ = |r|`` with ``r = z − y`` for outputs z and targets y, as ``torch.nn.L1Loss``.

Its slope is 1 above 0 and −1 below. At 0 there is a kink, where any slope from −1 to 1 is a subgradient; torch takes 0,
and so does this. With ``δ = ∂L/∂(what comes out)`` and N the number of elements for the mean, else 1::

    ∂L/∂z = δ·sign(r)/N

Where rounding leaves the sign of r undecided, running-error arithmetic reaches from −1 to 1.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from refimpl.ranges import check_fields
from refimpl.reductions import Reduction, of_each, reduced
from refimpl.types import Array, Params


@dataclass(frozen=True, kw_only=True)
class Absolute:
    """The input is ``(z, y)``, of one shape."""

    reduction: Reduction = "mean"

    def __post_init__(self) -> None:
        check_fields(self)

    def forward(self, params: Params, x: tuple[Array, Array]) -> Array:
        """A number, or |r| of the shape of z."""
        del params
        return reduced(np.abs(x[0] - x[1]), self.reduction)  # |r|

    def backward(
        self, params: Params, x: tuple[Array, Array], upstream: Array
    ) -> tuple[tuple[Array, None], dict[str, Array]]:
        """∂L/∂z, of the shape of z; targets are data."""
        del params
        return (of_each(upstream, x[0], self.reduction) * np.sign(x[0] - x[1]), None), {}  # δ·sign(r)/N
