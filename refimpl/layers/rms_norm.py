"""Normalisation by the root of the mean square, ``y = x̂γ``, as ``torch.nn.RMSNorm``: no mean is subtracted.

Over the n numbers of a row, which are the last axes of x::

    q = Σ x²/n        r = 1/√(q + ε)        x̂ = xr

Backwards, ``g = ∂L/∂x̂ = δγ`` for δ = ∂L/∂y. With ∂q/∂xᵢ = 2xᵢ/n, ∂r/∂xᵢ = −½r³·2xᵢ/n = −r²x̂ᵢ/n, hence::

    ∂x̂ⱼ/∂xᵢ = r[i = j] − xⱼr²x̂ᵢ/n = r([i = j] − x̂ᵢx̂ⱼ/n)
    ∂L/∂x   = r(g − x̂·mean(g x̂))
    ∂L/∂γ   = Σ δ x̂                              over the rows

Without a number for ε it is the machine epsilon of the format that the root is computed in, as in torch.

Rounding: in low precision x̂ is stored in the format of tensors before γ multiplies it, and so is δγ.

Source: Zhang & Sennrich, "Root mean square layer normalization", 2019, eq. 4.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Annotated, Any

import numpy as np

from refimpl.arithmetic.kernels import fused, machine_epsilon
from refimpl.ranges import Range, check_fields
from refimpl.types import Array, Number, Params


@dataclass(frozen=True, kw_only=True)
class RMSNorm:
    """``weight`` γ has ``normalized_shape``, the last axes of x; it may be switched off."""

    normalized_shape: tuple[int, ...]
    eps: Annotated[Number | None, Range(low=0, optional=True)] = None
    elementwise_affine: bool = True

    def __post_init__(self) -> None:
        check_fields(self)

    def forward(self, params: Params, x: Array) -> Array:
        """y, of the shape of x."""
        y: Array = fused(lambda x, eps: _normed(x, eps)[0], self._rows(x), self.eps)
        if self.elementwise_affine:
            y = y * params["weight"].reshape(-1)  # x̂γ
        return y.reshape(*x.shape)

    def backward(self, params: Params, x: Array, upstream: Array) -> tuple[Array, dict[str, Array]]:
        """∂L/∂x and ∂L/∂γ, each of the shape of what it is of."""

        def gradient(x: Array, g: Array, eps: Any) -> Array:
            normed, r = _normed(x, eps)
            mean = (g * normed).sum(axis=1)[:, None] / x.shape[1]
            return r * (g - normed * mean)  # type: ignore[no-any-return]  # r(g − x̂·mean(g x̂))

        rows, delta = self._rows(x), self._rows(upstream)
        g = delta * params["weight"].reshape(-1) if self.elementwise_affine else delta  # δγ
        gradients = {}
        if self.elementwise_affine:
            normed = fused(lambda x, eps: _normed(x, eps)[0], rows, self.eps)
            gradients["weight"] = (delta * normed).sum(axis=0).reshape(*self.normalized_shape)  # Σ δ x̂
        by_x: Array = fused(gradient, rows, g, self.eps)
        return by_x.reshape(*x.shape), gradients

    def _rows(self, x: Array) -> Array:
        """``(rows, n)``."""
        return x.reshape(-1, math.prod(self.normalized_shape))


def _normed(x: Array, eps: Any) -> tuple[Array, Array]:
    """x̂ and r of each row ``(rows, n)``."""
    q = (x**2).sum(axis=1)[:, None] / x.shape[1]  # Σ x²/n
    r = 1 / np.sqrt(q + (machine_epsilon(x) if eps is None else eps))  # 1/√(q + ε)
    return x * r, r
