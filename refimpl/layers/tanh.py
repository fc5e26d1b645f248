"""The hyperbolic tangent, ``y = tanh x = (eˣ − e⁻ˣ)/(eˣ + e⁻ˣ)``, as ``torch.nn.Tanh``.

By the rule for quotients, with numerator s and denominator c, where s′ = c and c′ = s::

    y′    = (c·c − s·s)/c² = 1 − y²
    ∂L/∂x = δ ⊙ (1 − y²)
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from refimpl.arithmetic.kernels import fused
from refimpl.types import Array, Params


@dataclass(frozen=True, kw_only=True)
class Tanh:
    """Inputs of any shape; no parameters."""

    def forward(self, params: Params, x: Array) -> Array:
        """y, of the shape of x."""
        del params
        return fused(np.tanh, x)  # type: ignore[no-any-return]

    def backward(self, params: Params, x: Array, upstream: Array) -> tuple[Array, dict[str, Array]]:
        """∂L/∂x, of the shape of x; y is a tensor, rounded to its format."""
        y = self.forward(params, x)
        return fused(lambda y, upstream: upstream * (1 - y**2), y, upstream), {}  # δ ⊙ (1 − y²)
