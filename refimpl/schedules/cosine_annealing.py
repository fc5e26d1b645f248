"""Cosine annealing: ``η_k = η_min + (η₀ − η_min)(1 + cos(πk/T))/2``, as ``lr_scheduler.CosineAnnealingLR``.

Source: Loshchilov & Hutter, "SGDR: Stochastic Gradient Descent with Warm Restarts", ICLR 2017, equation (5), without
the restarts: past T the rate rises again along the cosine. torch makes each rate from the one before::

    η_k ← (1 + cos(πk/T))/(1 + cos(π(k − 1)/T))·(η_{k−1} − η_min) + η_min
    η_k ← η_{k−1} + (η₀ − η_min)(1 − cos(π/T))/2            where k − 1 = T, 3T, 5T …

the same in exact arithmetic. In floating point 1 + cos loses a relative T²u to cancellation near k = T. What is lost in
one advance is won back in the next, which divides by the same number, except at the turn: there, for 50 of the T up to
30,000, 1 + cos(π(T + 1)/T) and 1 − cos(π/T) round differently, and all rates after T are off (T = 602: by 8e-12,
T = 29,515: by 2e-8), where the closed form regains all of its digits.
Decay moves with η: coupled (SGD) and decoupled decay shrink the weights by η_k·λ.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from refimpl.arithmetic.elementary import choose, cos_pi, integer
from refimpl.ranges import NonNegative, check_fields, check_integers
from refimpl.types import Number


@dataclass(frozen=True, kw_only=True)
class CosineAnnealing:
    """``T_max`` T: the advances from η₀ down to ``eta_min``."""

    T_max: int
    eta_min: NonNegative = 0.0
    per: Literal["epoch", "step"] = "epoch"

    def __post_init__(self) -> None:
        check_fields(self)
        check_integers(self, T_max=1)

    def at(self, count: Any, base: Mapping[str, Number]) -> dict[str, Number]:
        height = base["lr"] - self.eta_min
        return {"lr": self.eta_min + height * (1 + self._cos(count, height)) / 2}  # η_min + (η₀ − η_min)(1 + cos)/2

    def following(self, count: Any, current: Mapping[str, Number], base: Mapping[str, Number]) -> dict[str, Number]:
        lr, height, T = current["lr"], base["lr"] - self.eta_min, self.T_max
        turned = (count > 0) & ((count - 1 - T) % (2 * T) == 0)  # the rate before this one was at its lowest
        before = choose(turned | (count == 0), 0, count - 1)
        rising = lr + height * (1 - self._cos(1, height)) / 2  # η + (η₀ − η_min)(1 − cos(π/T))/2
        ratio = (1 + self._cos(count, height)) / (1 + self._cos(before, height))
        scaled = ratio * (lr - self.eta_min) + self.eta_min
        return {"lr": choose(count == 0, lr, choose(turned, rising, scaled))}

    def _cos(self, k: Any, like: Number) -> Any:
        """cos(πk/T)."""
        return cos_pi(integer(k, like) / self.T_max)
