"""Step decay: ``η_k = η₀·γ^⌊k/s⌋``, as ``torch.optim.lr_scheduler.StepLR``.

torch multiplies the current rate by γ at each drop, in Python's float64, which differs from this closed form by
rounding alone. Decay moves with η: coupled (SGD) and decoupled decay shrink the weights by η_k·λ.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from refimpl.arithmetic.elementary import choose
from refimpl.ranges import NonNegative, check_fields, check_integers
from refimpl.types import Number


@dataclass(frozen=True, kw_only=True)
class Step:
    """Multiply the learning rate by ``gamma`` every ``step_size`` advances."""

    step_size: int
    gamma: NonNegative = 0.1
    per: Literal["epoch", "step"] = "epoch"

    def __post_init__(self) -> None:
        check_fields(self)
        check_integers(self, step_size=1)

    def at(self, count: Any, base: Mapping[str, Number]) -> dict[str, Number]:
        return {"lr": base["lr"] * self.gamma ** (count // self.step_size)}  # η₀ γ^⌊k/s⌋

    def following(self, count: Any, current: Mapping[str, Number], base: Mapping[str, Number]) -> dict[str, Number]:
        del base
        lr, drops = current["lr"], (count > 0) & (count % self.step_size == 0)
        return {"lr": choose(drops, lr * self.gamma, lr)}  # ηγ at a drop
