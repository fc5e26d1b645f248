"""Exponential decay: ``η_k = η₀·γ^k``, as ``torch.optim.lr_scheduler.ExponentialLR``.

torch multiplies the current rate by γ at each advance, in Python's float64, which differs from this closed form by
rounding alone. Decay moves with η: coupled (SGD) and decoupled decay shrink the weights by η_k·λ.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from refimpl.arithmetic.elementary import choose
from refimpl.ranges import NonNegative, check_fields
from refimpl.types import Number


@dataclass(frozen=True, kw_only=True)
class Exponential:
    """Multiply the learning rate by ``gamma`` at every advance."""

    gamma: NonNegative
    per: Literal["epoch", "step"] = "epoch"

    def __post_init__(self) -> None:
        check_fields(self)

    def at(self, count: Any, base: Mapping[str, Number]) -> dict[str, Number]:
        return {"lr": base["lr"] * self.gamma**count}  # η₀ γ^k

    def following(self, count: Any, current: Mapping[str, Number], base: Mapping[str, Number]) -> dict[str, Number]:
        del base
        return {"lr": choose(count > 0, current["lr"] * self.gamma, current["lr"])}  # ηγ
