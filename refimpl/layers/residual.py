"""A residual sum, ``y = x + f``: what a block computed is added to what went into it.

∂y/∂x = 1 and ∂y/∂f = 1, so both inputs get the upstream gradient ``δ = ∂L/∂y`` as it is. Where f is a function of x,
its own gradient adds to that of x: ``∂L/∂x = δ + (∂f/∂x)ᵀδ``, a sum that autograd makes where the two ways meet.
"""

from __future__ import annotations

from dataclasses import dataclass

from refimpl.types import Array, Params


@dataclass(frozen=True, kw_only=True)
class Residual:
    """The input is the pair ``(x, f)``, of one shape."""

    def forward(self, params: Params, x: tuple[Array, Array]) -> Array:
        """y, of the shape of x."""
        del params
        return x[0] + x[1]

    def backward(
        self, params: Params, x: tuple[Array, Array], upstream: Array
    ) -> tuple[tuple[Array, Array], dict[str, Array]]:
        """∂L/∂x and ∂L/∂f, each δ."""
        del params, x
        return (upstream, upstream), {}
