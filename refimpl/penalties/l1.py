"""The L1 penalty ``Ω(w) = λ·‖w‖₁``.

::

    ∂Ω(wᵢ)        = {λ sign(wᵢ)} where wᵢ ≠ 0, the interval [−λ, λ] at wᵢ = 0
    subgradient   = λ sign(wᵢ) with sign(0) = 0: the choice that torch's autograd makes
    prox_{tΩ}(w)  = sign(w)·max(|w| − tλ, 0)     soft threshold (Donoho 1995; Parikh & Boyd 2014, §6.5.2)
    distance      = |−g − λ sign(w)| where w ≠ 0,  max(|g| − λ, 0) at w = 0

The soft threshold returns exact zeros; a subgradient step never does.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from refimpl.ranges import NonNegative, check_fields
from refimpl.reductions import total
from refimpl.types import Array, Number


@dataclass(frozen=True, kw_only=True)
class L1:
    """``strength · ‖w‖₁`` over each parameter named."""

    strength: NonNegative
    parameters: tuple[str, ...] = ("weight",)

    def __post_init__(self) -> None:
        check_fields(self)

    def value(self, w: Array) -> Array:
        """λ·Σ|w|, ``(runs,)``."""
        return self.strength * total(np.abs(w))

    def subgradient(self, w: Array) -> Array:
        """λ sign(w), 0 at w = 0."""
        return self.strength * np.sign(w)

    def prox(self, w: Array, step: Number) -> Array:
        """sign(w)·max(|w| − tλ, 0)."""
        shrunk: Array = np.sign(w) * np.maximum(np.abs(w) - step * self.strength, 0)
        return shrunk

    def distance(self, w: Array, gradient: Array) -> Array:
        """Elementwise distance of −g to λ·∂|w|."""
        away = np.abs(gradient + self.strength * np.sign(w))
        at_zero = np.maximum(np.abs(gradient) - self.strength, 0)
        return np.where(w == 0, at_zero, away)
