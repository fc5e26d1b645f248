"""A bias, ``y = x + b``, one number for each feature or channel.

∂y/∂x = 1 and ∂y/∂b = 1 wherever b was added, so with ``δ = ∂L/∂y``::

    ∂L/∂x = δ
    ∂L/∂b = Σ δ           over all axes but that of b
"""

from __future__ import annotations

from dataclasses import dataclass

from refimpl.types import Array, Params


@dataclass(frozen=True, kw_only=True)
class Bias:
    """``bias`` ``(features,)`` is b. ``axis`` of x has the features: −1 after a linear layer, 1 after a convolution."""

    axis: int = -1

    def forward(self, params: Params, x: Array) -> Array:
        """y, of the shape of x."""
        return x + params["bias"].reshape(-1, *(1,) * (x.ndim - 1 - self.axis % x.ndim))  # x + b

    def backward(self, params: Params, x: Array, upstream: Array) -> tuple[Array, dict[str, Array]]:
        """∂L/∂x, which is δ itself, and ∂L/∂b ``(features,)``."""
        del params
        features = x.shape[self.axis]
        by_feature = upstream.swapaxes(0, self.axis).reshape(features, -1)
        return upstream, {"bias": by_feature.sum(axis=1)}  # Σ δ
