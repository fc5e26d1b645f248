"""The elastic net ``Ω(w) = λ₁·‖w‖₁ + λ₂/2·‖w‖₂²`` (Zou & Hastie 2005), both strengths explicit.

::

    subgradient   = λ₁ sign(w) + λ₂ w, with sign(0) = 0
    prox_{tΩ}(w)  = sign(w)·max(|w| − tλ₁, 0) / (1 + tλ₂)
    distance      = |−g − λ₂w − λ₁ sign(w)| where w ≠ 0,  max(|g| − λ₁, 0) at w = 0

With a mixing ratio ρ and one strength α, as scikit-learn has it: λ₁ = αρ and λ₂ = α(1 − ρ).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from refimpl.ranges import NonNegative, check_fields
from refimpl.reductions import squared_norm, total
from refimpl.types import Array, Number


@dataclass(frozen=True, kw_only=True)
class ElasticNet:
    """``l1·‖w‖₁ + l2/2·‖w‖²`` over each parameter named."""

    l1: NonNegative
    l2: NonNegative
    parameters: tuple[str, ...] = ("weight",)

    def __post_init__(self) -> None:
        check_fields(self)

    def value(self, w: Array) -> Array:
        """Σ(λ₁|w| + λ₂/2·w²), ``(runs,)``."""
        return self.l1 * total(np.abs(w)) + self.l2 * squared_norm(w) / 2

    def subgradient(self, w: Array) -> Array:
        """λ₁ sign(w) + λ₂w."""
        return self.l1 * np.sign(w) + self.l2 * w

    def prox(self, w: Array, step: Number) -> Array:
        """sign(w)·max(|w| − tλ₁, 0) / (1 + tλ₂)."""
        shrunk: Array = np.sign(w) * np.maximum(np.abs(w) - step * self.l1, 0)
        return shrunk / (1 + step * self.l2)

    def distance(self, w: Array, gradient: Array) -> Array:
        """Elementwise distance of −g to ∂Ω(w)."""
        away = np.abs(gradient + self.l2 * w + self.l1 * np.sign(w))
        at_zero = np.maximum(np.abs(gradient) - self.l1, 0)
        return np.where(w == 0, at_zero, away)
