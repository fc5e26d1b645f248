"""Layer normalisation, ``y = x̂γ + β``, as ``torch.nn.LayerNorm``: each row by its own mean and variance.

Over the n numbers of a row, which are the last axes of x, with the variance of division by n::

    μ = Σ x/n        v = Σ (x − μ)²/n        r = 1/√(v + ε)        x̂ = (x − μ)r

Backwards, ``g = ∂L/∂x̂ = δγ`` for δ = ∂L/∂y. A number xᵢ moves all of x̂ⱼ = (xⱼ − μ)r, by ∂μ/∂xᵢ = 1/n and, as Σ(x − μ)
= 0, by ∂v/∂xᵢ = 2(xᵢ − μ)/n, so that ∂r/∂xᵢ = −½r³·2(xᵢ − μ)/n = −r²x̂ᵢ/n. Hence::

    ∂x̂ⱼ/∂xᵢ = r([i = j] − 1/n) − (xⱼ − μ)r²x̂ᵢ/n = r([i = j] − 1/n − x̂ᵢx̂ⱼ/n)
    ∂L/∂x   = r(g − mean(g) − x̂·mean(g x̂))
    ∂L/∂γ   = Σ δ x̂,     ∂L/∂β = Σ δ             over the rows

The two means are what a shift and a scale of the row would change: x̂ does not, nor does L, where ε is small.

Rounding: kernels on CPUs expand x̂ to ``xr − μr`` and ∂L/∂x to ``r(g − mean(g)) − bx + bμ``, with ``b = r²·mean(g x̂)``
and ``mean(g x̂) = r(mean(gx) − μ·mean(g))``; running-error arithmetic admits these forms. In low precision torch on CPUs
rounds μ, r and b to the format of tensors, and ∂L/∂γ and ∂L/∂β after every addition: for these two a profile says so
with ``sums``.

Source: Ba, Kiros & Hinton, "Layer normalization", 2016, eq. 4.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from refimpl.arithmetic.kernels import by_way_of, either, fused
from refimpl.ranges import NonNegative, check_fields
from refimpl.types import Array, Params


@dataclass(frozen=True, kw_only=True)
class LayerNorm:
    """``weight`` γ and ``bias`` β have ``normalized_shape``, the last axes of x; either may be switched off."""

    normalized_shape: tuple[int, ...]
    eps: NonNegative = 1e-5
    elementwise_affine: bool = True
    bias: bool = True

    def __post_init__(self) -> None:
        check_fields(self)

    def forward(self, params: Params, x: Array) -> Array:
        """y, of the shape of x."""

        def formula(x: Array, params: Params, eps: Any) -> Array:
            y = _standardised(x, eps)[0]
            if self.elementwise_affine:
                y = y * params["weight"].reshape(-1)  # x̂γ
                y = y + params["bias"].reshape(-1) if self.bias else y  # + β
            return y

        y: Array = fused(formula, self._rows(x), params, self.eps)
        return y.reshape(*x.shape)

    def backward(self, params: Params, x: Array, upstream: Array) -> tuple[Array, dict[str, Array]]:
        """∂L/∂x, ∂L/∂γ and ∂L/∂β, each of the shape of what it is of."""

        def formula(x: Array, delta: Array, params: Params, eps: Any) -> tuple[Array, dict[str, Array]]:
            normed, mu, r = _standardised(x, eps)
            g = delta * params["weight"].reshape(-1) if self.elementwise_affine else delta  # δγ
            n = x.shape[1]
            mean_g, mean_gx = g.sum(axis=1)[:, None] / n, (g * x).sum(axis=1)[:, None] / n
            mean_g_normed = either((g * normed).sum(axis=1)[:, None] / n, r * (mean_gx - mu * mean_g))
            by_x = r * (g - mean_g - normed * mean_g_normed)  # r(g − mean(g) − x̂·mean(g x̂))
            b = r * r * mean_g_normed
            by_x = by_way_of(by_x, b * x, b * mu)
            gradients = {}
            if self.elementwise_affine:
                gradients["weight"] = (delta * normed).sum(axis=0)  # Σ δ x̂
            if self.elementwise_affine and self.bias:
                gradients["bias"] = delta.sum(axis=0)  # Σ δ
            return by_x, gradients

        by_x, gradients = formula(self._rows(x), self._rows(upstream), params, self.eps)
        return by_x.reshape(*x.shape), {
            name: gradient.reshape(*self.normalized_shape) for name, gradient in gradients.items()
        }

    def _rows(self, x: Array) -> Array:
        """``(rows, n)``."""
        return x.reshape(-1, math.prod(self.normalized_shape))


def _standardised(x: Array, eps: Any) -> tuple[Array, Array, Array]:
    """x̂, μ and r of each row ``(rows, n)``."""
    n = x.shape[1]
    mu = x.sum(axis=1)[:, None] / n  # Σ x/n
    v = ((x - mu) ** 2).sum(axis=1)[:, None] / n  # Σ (x − μ)²/n
    r = 1 / np.sqrt(v + eps)  # 1/√(v + ε)
    return by_way_of((x - mu) * r, x * r, mu * r), mu, r  # (x − μ)r
