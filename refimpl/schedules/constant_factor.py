"""A smaller rate at first: ``η_k = η₀·f`` for k < T, then η₀, as ``torch.optim.lr_scheduler.ConstantLR``.

It is torch's simplest warm-up; a rate that never changes is :class:`~refimpl.schedules.constant.Constant`.
torch multiplies the rate by f when it is made and by 1/f at T, so that afterwards it may be an ulp from η₀. It takes
f = 0, too, but then divides by it at T, and T = 0, but then keeps η₀f for ever: both are refused here.
Decay moves with η: coupled (SGD) and decoupled decay shrink the weights by η_k·λ.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from refimpl.arithmetic.elementary import choose
from refimpl.errors import ParameterError
from refimpl.ranges import Portion, check_fields, check_integers
from refimpl.stepping import is_zero
from refimpl.types import Number


@dataclass(frozen=True, kw_only=True)
class ConstantFactor:
    """``factor`` f from 0 (excluded) to 1; ``total_iters`` T."""

    factor: Portion = 1 / 3
    total_iters: int = 5
    per: Literal["epoch", "step"] = "epoch"

    def __post_init__(self) -> None:
        check_fields(self)
        check_integers(self, total_iters=1)
        if is_zero(self.factor):
            raise ParameterError("factor", given=0, allowed="above 0", remedy="torch divides by it")

    def at(self, count: Any, base: Mapping[str, Number]) -> dict[str, Number]:
        lr = base["lr"]
        return {"lr": choose(count < self.total_iters, lr * self.factor, lr)}  # η₀f, η₀

    def following(self, count: Any, current: Mapping[str, Number], base: Mapping[str, Number]) -> dict[str, Number]:
        del base
        lr = current["lr"]
        restored = choose(count == self.total_iters, lr * (1 / self.factor), lr)  # η(1/f) at T
        return {"lr": choose(count == 0, lr * self.factor, restored)}  # ηf at 0
