"""Polynomial decay to zero: ``η_k = η₀·(1 − min(k, T)/T)^p``, as ``torch.optim.lr_scheduler.PolynomialLR``.

torch makes each rate from the one before, ``η_k ← η_{k−1}·((1 − k/T)/(1 − (k − 1)/T))^p`` for 0 < k ≤ T: the same in
exact arithmetic. Near T the subtractions cancel, and so the relative error of the last rates grows like T ulps in both
forms; at T itself the rate is exactly 0 (for p > 0) and stays there.
Decay moves with η: coupled (SGD) and decoupled decay shrink the weights by η_k·λ, so at the end they stop, too.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from refimpl.arithmetic.elementary import choose, integer
from refimpl.ranges import NonNegative, check_fields, check_integers
from refimpl.types import Number


@dataclass(frozen=True, kw_only=True)
class Polynomial:
    """``total_iters`` T, ``power`` p."""

    total_iters: int = 5
    power: NonNegative = 1.0
    per: Literal["epoch", "step"] = "epoch"

    def __post_init__(self) -> None:
        check_fields(self)
        check_integers(self, total_iters=1)

    def at(self, count: Any, base: Mapping[str, Number]) -> dict[str, Number]:
        lr = base["lr"]
        decaying = lr * self._left(np.minimum(count, self.total_iters - 1), lr) ** self.power  # η₀(1 − k/T)^p
        return {"lr": choose(count < self.total_iters, decaying, lr * 0**self.power)}  # 0^p: 0, or 1 for p = 0

    def following(self, count: Any, current: Mapping[str, Number], base: Mapping[str, Number]) -> dict[str, Number]:
        lr, T = current["lr"], self.total_iters
        k = np.clip(count, 1, max(T - 1, 1))
        ratio = self._left(k, base["lr"]) / self._left(k - 1, base["lr"])  # (1 − k/T)/(1 − (k − 1)/T)
        moved = choose(count < T, lr * ratio**self.power, lr * 0**self.power)
        return {"lr": choose((count == 0) | (count > T), lr, moved)}

    def _left(self, k: Any, like: Number) -> Any:
        """1 − k/T."""
        return 1 - integer(k, like) / self.total_iters
