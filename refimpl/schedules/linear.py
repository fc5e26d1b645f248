"""A straight line: ``η_k = η₀·(s + (e − s)·min(k, T)/T)``, as ``torch.optim.lr_scheduler.LinearLR``.

torch makes each rate from the one before::

    η₀ ← η₀·s;      η_k ← η_{k−1}·(1 + (e − s)/(T·s + (k − 1)(e − s)))      for 0 < k ≤ T

the same in exact arithmetic; its roundings add up to a few ulps, so that after T the rate may not be η₀e to the last
digit. torch takes T = 0, too, and then stays at η₀s for ever: refused here.
Decay moves with η: coupled (SGD) and decoupled decay shrink the weights by η_k·λ.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from refimpl.arithmetic.elementary import choose
from refimpl.errors import ParameterError
from refimpl.ranges import Portion, check_fields, check_integers
from refimpl.stepping import is_zero
from refimpl.types import Number


@dataclass(frozen=True, kw_only=True)
class Linear:
    """``start_factor`` s from 0 (excluded) to 1, ``end_factor`` e, ``total_iters`` T."""

    start_factor: Portion = 1 / 3
    end_factor: Portion = 1.0
    total_iters: int = 5
    per: Literal["epoch", "step"] = "epoch"

    def __post_init__(self) -> None:
        check_fields(self)
        check_integers(self, total_iters=1)
        if is_zero(self.start_factor):
            raise ParameterError("start_factor", given=0, allowed="above 0", remedy="torch divides by it")

    def at(self, count: Any, base: Mapping[str, Number]) -> dict[str, Number]:
        s, rise = self.start_factor, self.end_factor - self.start_factor
        return {"lr": base["lr"] * (s + rise * np.minimum(count, self.total_iters) / self.total_iters)}  # η₀(s + …)

    def following(self, count: Any, current: Mapping[str, Number], base: Mapping[str, Number]) -> dict[str, Number]:
        del base
        lr, s, T = current["lr"], self.start_factor, self.total_iters
        rise, before = self.end_factor - s, np.clip(count, 1, T) - 1
        next_lr = lr * (1 + rise / (T * s + before * rise))  # η(1 + (e − s)/(Ts + (k − 1)(e − s)))
        return {"lr": choose(count == 0, lr * s, choose(count <= T, next_lr, lr))}
