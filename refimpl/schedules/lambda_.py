"""Any function of the count: ``η_k = η₀·f(k)``, as ``torch.optim.lr_scheduler.LambdaLR``, which computes just that.

Decay moves with η: coupled (SGD) and decoupled decay shrink the weights by η_k·λ.
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
class Lambda:
    """``factor`` (torch: ``lr_lambda``) is a Python function of the count, so no experiment file can state it."""

    factor: Callable[[int], float]
    per: Literal["epoch", "step"] = "epoch"

    def __post_init__(self) -> None:
        check_fields(self)

    def at(self, count: Any, base: Mapping[str, Number]) -> dict[str, Number]:
        lr = base["lr"]
        for k in np.unique(count):
            lr = choose(count == k, base["lr"] * self.factor(int(k)), lr)  # η₀f(k)
        return {"lr": lr}
