"""Step decay at milestones: ``η_k = η₀·γ^n``, n the number of milestones ≤ k, as ``lr_scheduler.MultiStepLR``.

torch multiplies the current rate by γ when a milestone is met (γᵐ where it is listed m times), in Python's float64,
which differs from this closed form by rounding alone. Decay moves with η: coupled (SGD) and decoupled decay shrink the
weights by η_k·λ.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from refimpl.arithmetic.elementary import choose
from refimpl.errors import ParameterError
from refimpl.ranges import NonNegative, check_fields
from refimpl.types import Number


@dataclass(frozen=True, kw_only=True)
class MultiStep:
    """Multiply the learning rate by ``gamma`` at each of the ``milestones``, which need no order."""

    milestones: tuple[int, ...]
    gamma: NonNegative = 0.1
    per: Literal["epoch", "step"] = "epoch"

    def __post_init__(self) -> None:
        check_fields(self)
        if not all(isinstance(m, int) and m >= 0 for m in self.milestones):
            raise ParameterError(
                "milestones", given=self.milestones, allowed="integers ≥ 0", remedy="count advances from 0"
            )

    def at(self, count: Any, base: Mapping[str, Number]) -> dict[str, Number]:
        passed = np.searchsorted(sorted(self.milestones), count, side="right")
        return {"lr": base["lr"] * self.gamma**passed}  # η₀ γⁿ

    def following(self, count: Any, current: Mapping[str, Number], base: Mapping[str, Number]) -> dict[str, Number]:
        del base
        lr, milestones = current["lr"], sorted(self.milestones)
        times = np.searchsorted(milestones, count, side="right") - np.searchsorted(milestones, count, side="left")
        return {"lr": choose(times > 0, lr * self.gamma**times, lr)}  # ηγᵐ at a milestone
