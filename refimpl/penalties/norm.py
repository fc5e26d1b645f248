"""The Euclidean norm itself as a penalty, ``Ω(w) = λ·‖w‖₂``: not squared.

Where ``λ/2·‖w‖²`` pulls with λw, which fades as w shrinks, this pulls with the constant length λ::

    ∂Ω(w)         = {λ w/‖w‖} where w ≠ 0, the ball of radius λ at w = 0
    subgradient   = λ w/‖w‖, and 0 at w = 0: the choice that torch's autograd makes
    prox_{tΩ}(w)  = w·max(1 − tλ/‖w‖, 0)      block soft threshold (Parikh & Boyd 2014, §6.5.1)
    distance      = |−g − λ w/‖w‖| where w ≠ 0,  |g|·max(1 − λ/‖g‖, 0) at w = 0

The prox from ``v − w + tλv/‖v‖ = 0``: v is a multiple of w, shorter by tλ, or 0 where w is no longer than that. The
whole parameter becomes 0 at once, never one weight alone.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from refimpl.ranges import NonNegative, check_fields
from refimpl.reductions import norm
from refimpl.types import Array, Number


@dataclass(frozen=True, kw_only=True)
class Norm:
    """``strength · ‖w‖₂`` over each parameter named."""

    strength: NonNegative
    parameters: tuple[str, ...] = ("weight",)

    def __post_init__(self) -> None:
        check_fields(self)

    def value(self, w: Array) -> Array:
        """λ·√Σw², ``(runs,)``."""
        return self.strength * norm(w)

    def subgradient(self, w: Array) -> Array:
        """λ w/‖w‖, 0 where w is."""
        return self.strength * np.where(w == 0, 0 * w, w / _divisor(w))

    def prox(self, w: Array, step: Number) -> Array:
        """w·max(1 − tλ/‖w‖, 0)."""
        shrunk: Array = w * np.maximum(1 - step * self.strength / _divisor(w), 0)
        return shrunk

    def distance(self, w: Array, gradient: Array) -> Array:
        """Elementwise distance of −g to ∂Ω(w)."""
        away = np.abs(gradient + self.subgradient(w))
        at_zero = np.abs(gradient) * np.maximum(1 - self.strength / _divisor(gradient), 0)
        return np.where(_length(w) > 0, away, at_zero)


def _length(w: Array) -> Array:
    """‖w‖, shaped to meet w."""
    length: Array = norm(w).reshape(-1, *(1,) * (w.ndim - 1))
    return length


def _divisor(w: Array) -> Array:
    """‖w‖ to divide by; 1 where w is 0."""
    length = _length(w)
    return np.where(length > 0, length, 1)
