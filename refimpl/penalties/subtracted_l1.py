"""An L1 penalty with the wrong sign, ``Ω(w) = −λ·‖w‖₁``: a reward for large weights (SOURCES: S4).

It is concave, so an objective with it may have no minimum: along directions that the data do not see, it falls without
end. Its slopes at 0 are those of two hills, −λ and λ, with no slope between them::

    ∂Ω(wᵢ)        = {−λ sign(wᵢ)} where wᵢ ≠ 0, {−λ, λ} at wᵢ = 0     (the limiting subdifferential)
    subgradient   = −λ sign(wᵢ) with sign(0) = 0: the choice that torch's autograd makes
    prox_{tΩ}(w)  = w + tλ sign(w)          with +tλ at w = 0, where ±tλ are equally good
    distance      = |−g + λ sign(w)| where w ≠ 0,  ||g| − λ| at w = 0

The prox minimises ``½(v − w)² − tλ|v|``: of the two candidates ``w ± tλ`` the one farther from 0.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from refimpl.ranges import NonNegative, check_fields
from refimpl.reductions import total
from refimpl.types import Array, Number


@dataclass(frozen=True, kw_only=True)
class SubtractedL1:
    """``−strength · ‖w‖₁`` over each parameter named."""

    strength: NonNegative
    parameters: tuple[str, ...] = ("weight",)

    def __post_init__(self) -> None:
        check_fields(self)

    def value(self, w: Array) -> Array:
        """−λ·Σ|w|, ``(runs,)``."""
        return -self.strength * total(np.abs(w))

    def subgradient(self, w: Array) -> Array:
        """−λ sign(w), 0 at w = 0."""
        return -self.strength * np.sign(w)

    def prox(self, w: Array, step: Number) -> Array:
        """w + tλ sign(w), +tλ at w = 0."""
        return np.where(w < 0, w - step * self.strength, w + step * self.strength)

    def distance(self, w: Array, gradient: Array) -> Array:
        """Elementwise distance of −g to ∂Ω(w)."""
        away = np.abs(gradient - self.strength * np.sign(w))
        at_zero = np.abs(np.abs(gradient) - self.strength)
        return np.where(w == 0, at_zero, away)
