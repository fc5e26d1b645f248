"""Batch normalisation, ``y = x̂γ + β``, as ``torch.nn.BatchNorm1d``, ``2d``, ``3d``: each channel by mean and variance.

In training these are those of the batch: over the n numbers of a channel, rows and places alike::

    μ = Σ x/n        v = Σ (x − μ)²/n        r = 1/√(v + ε)        x̂ = (x − μ)r
    running mean ← (1 − m)·running mean + m·μ
    running var  ← (1 − m)·running var  + m·v·n/(n − 1)       the unbiased variance

with the momentum m; without a number for it m = 1/t in step t, which makes them plain averages. In evaluation μ and v
are the running ones, numbers that do not depend on x.

Backwards, ``g = ∂L/∂x̂ = δγ`` for δ = ∂L/∂y. In training xᵢ moves μ by 1/n and, as Σ(x − μ) = 0, v by 2(xᵢ − μ)/n and
so r by −½r³·2(xᵢ − μ)/n = −r²x̂ᵢ/n; in evaluation it moves x̂ᵢ alone::

    ∂L/∂x = r(g − mean(g) − x̂·mean(g x̂))         training: ∂x̂ⱼ/∂xᵢ = r([i = j] − 1/n − x̂ᵢx̂ⱼ/n)
    ∂L/∂x = rg                                   evaluation
    ∂L/∂γ = Σ δ x̂,     ∂L/∂β = Σ δ               over rows and places

Rounding: kernels on CPUs expand y to ``x(γr) + (β − μγr)``, which cancels where μ is large; running-error arithmetic
admits that form. In low precision torch rounds μ and r of a batch to the format of the parameters.

Source: Ioffe & Szegedy, "Batch normalization", 2015, algorithm 1 and §3.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any

import numpy as np

from refimpl.arithmetic.kernels import by_way_of, fused
from refimpl.ranges import NonNegative, Range, check_fields
from refimpl.types import Array, Number, Params


@dataclass(frozen=True, kw_only=True)
class BatchNorm:
    """``weight`` γ and ``bias`` β ``(channels,)`` unless ``affine`` is off; inputs ``(n, channels, …)``.

    ``running_mean`` and ``running_var`` are among the parameters that evaluation reads; they have no gradient.
    """

    eps: NonNegative = 1e-5
    momentum: Annotated[Number | None, Range(low=0, high=1, optional=True)] = 0.1
    affine: bool = True
    training: bool = True

    def __post_init__(self) -> None:
        check_fields(self)

    def forward(self, params: Params, x: Array) -> Array:
        """y, of the shape of x."""

        def formula(x: Array, params: Params, eps: Any) -> Array:
            mu, r = self._statistics(params, x, eps)
            if not self.affine:
                return by_way_of((x - mu) * r, x * r, mu * r)  # type: ignore[no-any-return]  # x̂
            gamma, beta = params["weight"][:, None], params["bias"][:, None]
            parts = x * (gamma * r), mu * (gamma * r), beta - mu * (gamma * r)
            return by_way_of((x - mu) * r * gamma + beta, *parts)  # type: ignore[no-any-return]  # x̂γ + β

        inputs = _by_channel(x), params, self.eps
        return _placed(formula(*inputs) if self.training else fused(formula, *inputs), x)

    def backward(self, params: Params, x: Array, upstream: Array) -> tuple[Array, dict[str, Array]]:
        """∂L/∂x, of the shape of x, ∂L/∂γ and ∂L/∂β ``(channels,)``."""

        def formula(x: Array, delta: Array, params: Params, eps: Any) -> tuple[Array, dict[str, Array]]:
            mu, r = self._statistics(params, x, eps)
            normed, n = (x - mu) * r, x.shape[1]
            g = delta * params["weight"][:, None] if self.affine else delta  # δγ
            if self.training:  # r(g − mean(g) − x̂·mean(g x̂))
                by_x = r * (g - g.sum(axis=1)[:, None] / n - normed * ((g * normed).sum(axis=1)[:, None] / n))
            else:
                by_x = r * g
            gradients = {"weight": (delta * normed).sum(axis=1), "bias": delta.sum(axis=1)}  # Σ δ x̂, Σ δ
            return by_x, gradients if self.affine else {}

        inputs = _by_channel(x), _by_channel(upstream), params, self.eps
        by_x, gradients = formula(*inputs) if self.training else fused(formula, *inputs)
        return _placed(by_x, x), gradients

    def running(self, params: Params, x: Array) -> dict[str, Array]:
        """``running_mean`` and ``running_var`` after a batch x; ``num_batches_tracked`` counts those before it."""

        def formula(x: Array) -> tuple[Array, Array]:
            mu, v = _moments(x)
            n = x.shape[1]
            return mu[:, 0], v[:, 0] * n / (n - 1)  # μ, v·n/(n − 1)

        m: Any = self.momentum if self.momentum is not None else 1 / (int(params["num_batches_tracked"]) + 1)
        of_batch = dict(zip(("running_mean", "running_var"), formula(_by_channel(x)), strict=True))
        return {name: (1 - m) * params[name] + m * batch for name, batch in of_batch.items()}  # (1 − m)·running + m·…

    def _statistics(self, params: Params, x: Array, eps: Any) -> tuple[Array, Array]:
        """μ and r, ``(channels, 1)``, of inputs ``(channels, n)``."""
        if self.training:
            mu, v = _moments(x)
        else:
            mu, v = params["running_mean"][:, None], params["running_var"][:, None]
        return mu, 1 / np.sqrt(v + eps)  # 1/√(v + ε)


def _moments(x: Array) -> tuple[Array, Array]:
    """μ and v, ``(channels, 1)``, of ``(channels, n)``."""
    n = x.shape[1]
    mu = x.sum(axis=1)[:, None] / n  # Σ x/n
    return mu, ((x - mu) ** 2).sum(axis=1)[:, None] / n  # Σ (x − μ)²/n


def _by_channel(x: Array) -> Array:
    """``(n, channels, …)`` as ``(channels, n·…)``."""
    return x.swapaxes(0, 1).reshape(x.shape[1], -1)


def _placed(y: Array, x: Array) -> Array:
    """``(channels, n·…)`` in the places of x."""
    return y.reshape(x.shape[1], x.shape[0], *x.shape[2:]).swapaxes(0, 1)
