"""The L2 penalty ``Ω(w) = λ/2·‖w‖₂²``, with the ½ that makes its gradient ``λw``.

::

    ∂Ω/∂w         = λ w
    prox_{tΩ}(w)  = w / (1 + tλ)       from v − w + tλv = 0
    distance      = |−g − λw|          ∂Ω is the single point λw

λ is what torch calls ``weight_decay``: coupled decay adds exactly ``λw`` to the gradient. A source
that penalises ``λ‖w‖²``, without the ½, has ``strength = 2λ`` here.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from refimpl.ranges import NonNegative, check_fields
from refimpl.reductions import squared_norm
from refimpl.types import Array, Number


@dataclass(frozen=True, kw_only=True)
class L2:
    """``strength/2 · ‖w‖²`` over each parameter named."""

    strength: NonNegative
    parameters: tuple[str, ...] = ("weight",)

    def __post_init__(self) -> None:
        check_fields(self)

    def value(self, w: Array) -> Array:
        """λ/2·Σw², ``(runs,)``."""
        return self.strength * squared_norm(w) / 2

    def subgradient(self, w: Array) -> Array:
        """λw."""
        return self.strength * w

    def prox(self, w: Array, step: Number) -> Array:
        """w / (1 + tλ)."""
        return w / (1 + step * self.strength)

    def distance(self, w: Array, gradient: Array) -> Array:
        """|−g − λw|, elementwise."""
        distance: Array = np.abs(gradient + self.strength * w)
        return distance
