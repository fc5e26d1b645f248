"""Several schedules at once, as ``torch.optim.lr_scheduler.ChainedScheduler``.

::

    η ← S₁(k, η);  η ← S₂(k, η);  …         at each advance, Sᵢ(k, η) the rate that schedule i makes of η

For schedules that multiply (Step, MultiStep, Multiplicative, Exponential, Linear, ConstantFactor, Polynomial) that is
η₀ times the product of their factors. A schedule that is no function of the current rate (Lambda, OneCycle, Cyclic,
CosineAnnealingWarmRestarts) undoes whatever came before it, at every advance; that is torch's way, too. There is no
closed form in general, so ``at`` goes through all k advances. torch's OneCycleLR, and CyclicLR where it is made first,
overwrite the η₀ that schedulers made after them start from; that is not imitated.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from refimpl.arithmetic.elementary import choose
from refimpl.errors import ParameterError
from refimpl.ranges import check_fields
from refimpl.stepping import advanced
from refimpl.types import Number, Schedule


@dataclass(frozen=True, kw_only=True)
class Chained:
    """``schedules`` in the order in which they act; their own ``per`` is not used.

    Because it is made of other schedules, no experiment file can state it.
    """

    schedules: tuple[Schedule, ...]
    per: Literal["epoch", "step"] = "epoch"

    def __post_init__(self) -> None:
        check_fields(self)
        if not self.schedules:
            raise ParameterError("schedules", given="none", allowed="at least one", remedy="use constant")

    def at(self, count: Any, base: Mapping[str, Number]) -> dict[str, Number]:
        changes = self.following(0, base, base)
        hyper = changes
        for k in range(1, int(np.max(count)) + 1):
            changes = self.following(k, {**base, **changes}, base)
            hyper = {name: choose(count >= k, value, hyper[name]) for name, value in changes.items()}
        return hyper

    def following(self, count: Any, current: Mapping[str, Number], base: Mapping[str, Number]) -> dict[str, Number]:
        changes: dict[str, Number] = {}
        for schedule in self.schedules:
            changes |= advanced(schedule, count, {**current, **changes}, base)  # Sᵢ(k, η)
        return changes
