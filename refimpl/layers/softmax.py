"""The softmax, ``pⱼ = exp xⱼ/Σₖ exp xₖ`` along one axis, as ``torch.nn.Softmax``.

With ``m = maxₖ xₖ`` and ``s = Σₖ exp(xₖ − m)``, in which the largest exponent is 0, so that nothing overflows::

    pⱼ      = exp(xⱼ − m)/s
    ∂pⱼ/∂xᵢ = pⱼ([i = j] − pᵢ)       the numerator moves with its own x only, the denominator with all
    ∂L/∂xᵢ  = Σⱼ δⱼ ∂pⱼ/∂xᵢ = pᵢ(δᵢ − Σⱼ δⱼpⱼ)

Rounding: the quotient may be a product with 1/s, and the gradient ``δp − p·Σδp``; running-error arithmetic admits both
forms of either. In low precision torch computes in a wider format along the last axis only.

Source: Blanchard, Higham & Higham, "Accurately computing the log-sum-exp and softmax functions", IMA J. Numer. Anal.
41, 2021.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from refimpl.arithmetic.kernels import either, fused
from refimpl.types import Array, Params


@dataclass(frozen=True, kw_only=True)
class Softmax:
    """``dim``: the axis along which the p add up to 1."""

    dim: int = -1

    def forward(self, params: Params, x: Array) -> Array:
        """p, of the shape of x."""
        del params

        def formula(x: Array) -> Array:
            e = np.exp(x - x.max(axis=-1)[..., None])  # exp(x − m)
            s = e.sum(axis=-1)[..., None]
            return either(e / s, e * (1 / s))  # type: ignore[no-any-return]  # exp(x − m)/s

        return self._along(formula, x, x)

    def backward(self, params: Params, x: Array, upstream: Array) -> tuple[Array, dict[str, Array]]:
        """∂L/∂x, of the shape of x; p is a tensor, rounded to its format."""

        def formula(p: Array, delta: Array) -> Array:
            inner = (delta * p).sum(axis=-1)[..., None]  # Σ δp
            return either(p * (delta - inner), delta * p - p * inner)  # type: ignore[no-any-return]  # p(δ − Σ δp)

        return self._along(formula, x, self.forward(params, x), upstream), {}

    def _along(self, formula: Callable[..., Array], x: Array, *arrays: Array) -> Array:
        """A formula of the last axis, along ``dim``: one kernel where that is the last axis of x."""
        last = self.dim % x.ndim == x.ndim - 1
        moved = [array.swapaxes(self.dim, -1) for array in arrays]
        return (fused(formula, *moved) if last else formula(*moved)).swapaxes(self.dim, -1)
