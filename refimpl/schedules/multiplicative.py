"""A factor for each advance: ``η_k = η₀·f(1)·f(2)⋯f(k)``, as ``torch.optim.lr_scheduler.MultiplicativeLR``.

torch multiplies the current rate at each advance, in Python's float64: the same product in the same order. f(0) is
never used. Decay moves with η: coupled (SGD) and decoupled decay shrink the weights by η_k·λ.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from refimpl.arithmetic.elementary import choose
from refimpl.ranges import check_fields
from refimpl.types import Number


@dataclass(frozen=True, kw_only=True)
class Multiplicative:
    """``factor`` (torch: ``lr_lambda``) is a Python function of the count, so no experiment file can state it."""

    factor: Callable[[int], float]
    per: Literal["epoch", "step"] = "epoch"

    def __post_init__(self) -> None:
        check_fields(self)

    def at(self, count: Any, base: Mapping[str, Number]) -> dict[str, Number]:
        lr = base["lr"]
        for k in range(1, int(np.max(count)) + 1):
            lr = choose(count >= k, lr * self.factor(k), lr)  # ηf(k)
        return {"lr": lr}

    def following(self, count: Any, current: Mapping[str, Number], base: Mapping[str, Number]) -> dict[str, Number]:
        del base
        lr = current["lr"]
        for k in np.unique(count):
            if k > 0:
                lr = choose(count == k, lr * self.factor(int(k)), lr)  # ηf(k)
        return {"lr": lr}
