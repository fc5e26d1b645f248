"""Squared error, ``ℓ = r²`` with ``r = z − y`` for outputs z and targets y, as ``torch.nn.MSELoss``.

∂ℓ/∂z = 2r, and no other element depends on this z. With ``δ = ∂L/∂(what comes out)`` and N the number of elements for
the mean, else 1::

    ∂L/∂z = δ·2r/N

The loss of experiments, :class:`refimpl.losses.SquaredError`, has a factor besides, and an axis of runs.
"""

from __future__ import annotations

from dataclasses import dataclass

from refimpl.ranges import check_fields
from refimpl.reductions import Reduction, of_each, reduced
from refimpl.types import Array, Params


@dataclass(frozen=True, kw_only=True)
class SquaredError:
    """The input is ``(z, y)``, of one shape."""

    reduction: Reduction = "mean"

    def __post_init__(self) -> None:
        check_fields(self)

    def forward(self, params: Params, x: tuple[Array, Array]) -> Array:
        """A number, or r² of the shape of z."""
        del params
        return reduced((x[0] - x[1]) ** 2, self.reduction)  # r²

    def backward(
        self, params: Params, x: tuple[Array, Array], upstream: Array
    ) -> tuple[tuple[Array, None], dict[str, Array]]:
        """∂L/∂z, of the shape of z; targets are data."""
        del params
        return (of_each(upstream, x[0], self.reduction) * (2 * (x[0] - x[1])), None), {}  # δ·2r/N
