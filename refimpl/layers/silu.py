"""The sigmoid linear unit, ``y = x·σ(x)`` with ``σ(x) = 1/(1 + e⁻ˣ)``, as ``torch.nn.SiLU``; "swish" is the same.

The slope of σ is e⁻ˣ/(1 + e⁻ˣ)² = σ(1 − σ). By the product rule::

    y′    = σ + xσ(1 − σ) = σ(1 + x(1 − σ))
    ∂L/∂x = δ ⊙ y′

Source: Elfwing, Uchibe & Doya, "Sigmoid-weighted linear units", Neural Networks 107, 2018, eqs. 2 and 3.
"""

from __future__ import annotations

from dataclasses import dataclass

from refimpl.arithmetic.elementary import sigmoid
from refimpl.arithmetic.kernels import fused
from refimpl.types import Array, Params


@dataclass(frozen=True, kw_only=True)
class SiLU:
    """Inputs of any shape; no parameters."""

    def forward(self, params: Params, x: Array) -> Array:
        """y, of the shape of x."""
        del params
        return fused(lambda x: x * sigmoid(x), x)  # type: ignore[no-any-return]  # x·σ(x)

    def backward(self, params: Params, x: Array, upstream: Array) -> tuple[Array, dict[str, Array]]:
        """∂L/∂x, of the shape of x."""
        del params

        def gradient(x: Array, upstream: Array) -> Array:
            s = sigmoid(x)  # σ
            return upstream * (s * (1 + x * (1 - s)))  # type: ignore[no-any-return]  # δ ⊙ σ(1 + x(1 − σ))

        return fused(gradient, x, upstream), {}
