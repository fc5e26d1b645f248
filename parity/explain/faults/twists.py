"""What code does to gradients between the backward pass and the step."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from parity.step.rounding import rounded
from refimpl.reductions import norm


@dataclass(frozen=True)
class ClipNorm:
    """``g·min(1, c/(‖g‖ + 10⁻⁶))`` with the norm of all parameters together, as ``clip_grad_norm_``."""

    limit: float

    def __call__(self, gradient: dict[str, Any]) -> dict[str, Any]:
        length = norm(*gradient.values())
        factor = np.minimum(1, self.limit / (length + 1e-6))
        return {name: g * factor.reshape(-1, *(1,) * (g.ndim - 1)) for name, g in gradient.items()}


@dataclass(frozen=True)
class ClipValue:
    """Every element cut off at ±c, as ``clip_grad_value_``."""

    limit: float

    def __call__(self, gradient: dict[str, Any]) -> dict[str, Any]:
        return {name: np.minimum(np.maximum(g, -self.limit), self.limit) for name, g in gradient.items()}


@dataclass(frozen=True)
class Sign:
    """Only the direction of every element."""

    def __call__(self, gradient: dict[str, Any]) -> dict[str, Any]:
        return {name: np.sign(g) for name, g in gradient.items()}


@dataclass(frozen=True)
class Normalised:
    """``g/‖g‖`` with the norm of all parameters together, or of each one."""

    together: bool

    def __call__(self, gradient: dict[str, Any]) -> dict[str, Any]:
        lengths = {name: norm(*gradient.values()) if self.together else norm(g) for name, g in gradient.items()}
        return {name: g / lengths[name].reshape(-1, *(1,) * (g.ndim - 1)) for name, g in gradient.items()}


@dataclass(frozen=True)
class Rounded:
    """Rounded to a narrower format and back."""

    format: str

    def __call__(self, gradient: dict[str, Any]) -> dict[str, Any]:
        return {name: rounded(g, self.format) for name, g in gradient.items()}


@dataclass(frozen=True)
class ClipEach:
    """``g·min(1, c/(‖g‖ + 10⁻⁶))`` with the norm of each parameter for itself."""

    limit: float

    def __call__(self, gradient: dict[str, Any]) -> dict[str, Any]:
        clipped = {}
        for name, g in gradient.items():
            factor = np.minimum(1, self.limit / (norm(g) + 1e-6))
            clipped[name] = g * factor.reshape(-1, *(1,) * (g.ndim - 1))
        return clipped


@dataclass(frozen=True)
class Centralised:
    """``g − mean(g)`` of the weight."""

    def __call__(self, gradient: dict[str, Any]) -> dict[str, Any]:
        g = gradient["weight"]
        mean = g.reshape(len(g), -1).sum(axis=1) / g[0].size
        return {**gradient, "weight": g - mean.reshape(-1, *(1,) * (g.ndim - 1))}


@dataclass(frozen=True, eq=False)
class Masked:
    """Some elements of the weight's gradient are 0: ``mask`` ``(p,)`` is 0 there and 1 elsewhere."""

    mask: Any

    def __call__(self, gradient: dict[str, Any]) -> dict[str, Any]:
        g = gradient["weight"]
        return {**gradient, "weight": g * self.mask.reshape(g.shape[1:])}
