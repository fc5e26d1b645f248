"""Step decay: ``η_k = η₀·γ^⌊k/s⌋``, as ``torch.optim.lr_scheduler.StepLR``.

torch multiplies the current rate by γ at each drop, in Python's float64, which differs from this closed form by
rounding alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from refimpl.errors import ParameterError
from refimpl.types import NonNegative, Number, check_fields


@dataclass(frozen=True, kw_only=True)
class Step:
    """Multiply the learning rate by ``gamma`` every ``step_size`` advances."""

    step_size: int
    gamma: NonNegative = 0.1
    per: Literal["epoch", "step"] = "epoch"

    def __post_init__(self) -> None:
        check_fields(self)
        if not isinstance(self.step_size, int) or self.step_size < 1:
            raise ParameterError("step_size", given=self.step_size, allowed="an integer ≥ 1", remedy="change step_size")

    def at(self, count: Any, base: Mapping[str, Number]) -> dict[str, Number]:
        return {"lr": base["lr"] * self.gamma ** (count // self.step_size)}  # η₀ γ^⌊k/s⌋
