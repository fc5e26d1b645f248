"""Cosine annealing with warm restarts, as ``torch.optim.lr_scheduler.CosineAnnealingWarmRestarts``.

::

    η_k = η_min + (η₀ − η_min)(1 + cos(πt/Tᵢ))/2

with t the advances since the last restart and Tᵢ = T₀·mⁱ the length of the period: Loshchilov & Hutter, "SGDR:
Stochastic Gradient Descent with Warm Restarts", ICLR 2017, equation (5). torch computes this closed form from integer
counters. (Called with a number, ``step(epoch)``, it finds i by a logarithm in floating point and can miss a restart.)
Decay moves with η: coupled (SGD) and decoupled decay shrink the weights by η_k·λ.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from refimpl.arithmetic.elementary import choose, cos_pi, integer
from refimpl.ranges import NonNegative, check_fields, check_integers
from refimpl.types import Number


@dataclass(frozen=True, kw_only=True)
class CosineAnnealingWarmRestarts:
    """``T_0``: the advances to the first restart; ``T_mult`` m: how many times as long each next period is."""

    T_0: int
    T_mult: int = 1
    eta_min: NonNegative = 0.0
    per: Literal["epoch", "step"] = "epoch"

    def __post_init__(self) -> None:
        check_fields(self)
        check_integers(self, T_0=1, T_mult=1)

    def at(self, count: Any, base: Mapping[str, Number]) -> dict[str, Number]:
        since, period = self._position(count)
        height = base["lr"] - self.eta_min
        cosine = cos_pi(integer(since, height) / period)
        return {"lr": self.eta_min + height * (1 + cosine) / 2}  # η_min + (η₀ − η_min)(1 + cos(πt/Tᵢ))/2

    def _position(self, count: Any) -> tuple[Any, Any]:
        """t, the advances since the last restart, and Tᵢ, the length of this period."""
        if self.T_mult == 1:
            return count % self.T_0, self.T_0
        since, period = count, self.T_0
        while np.any(since >= period):
            over = since >= period
            since, period = choose(over, since - period, since), choose(over, period * self.T_mult, period)
        return since, period
