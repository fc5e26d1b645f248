"""One schedule after another, as ``torch.optim.lr_scheduler.SequentialLR``.

::

    η_k = the i-th schedule's η_{k − mᵢ}  from milestone mᵢ on (m₀ = 0), each from the optimizer's own η₀

torch does the same: at a milestone it asks the schedule that begins for its closed form at 0, and from there on for its
next rate, made from the current one. Where its schedulers do not fit into that, it differs: MultiplicativeLR has no
closed form, so it goes on from the rate that it finds, times f(0), which it uses nowhere else; SequentialLR and
ChainedScheduler cannot follow a milestone (NotImplementedError); OneCycleLR overwrites the η₀ that every other one
starts from, be it before or after it in the sequence, and CyclicLR does where it comes first; and both set the momentum
when they are made, long before their turn. None of this is imitated.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from refimpl.arithmetic.elementary import choose
from refimpl.errors import ParameterError
from refimpl.ranges import check_fields
from refimpl.stepping import advanced
from refimpl.types import Number, Schedule


@dataclass(frozen=True, kw_only=True)
class Sequential:
    """``milestones``: the count at which each of the ``schedules`` but the first begins; their own ``per`` is not used.

    Because it is made of other schedules, no experiment file can state it.
    """

    schedules: tuple[Schedule, ...]
    milestones: tuple[int, ...]
    per: Literal["epoch", "step"] = "epoch"

    def __post_init__(self) -> None:
        check_fields(self)
        ends = (0, *self.milestones)
        rising = all(isinstance(m, int) and m > previous for previous, m in zip(ends, self.milestones, strict=False))
        if not rising or len(self.milestones) != len(self.schedules) - 1:
            raise ParameterError(
                "milestones",
                given=self.milestones,
                allowed=f"{len(self.schedules) - 1} rising integers ≥ 1, one less than schedules",
                remedy="change milestones",
            )

    def at(self, count: Any, base: Mapping[str, Number]) -> dict[str, Number]:
        return self._in_turn(count, base, lambda schedule, k, _: schedule.at(k, base))

    def following(self, count: Any, current: Mapping[str, Number], base: Mapping[str, Number]) -> dict[str, Number]:
        def next_of(schedule: Schedule, k: Any, begins: Any) -> dict[str, Number]:
            changes, anew = advanced(schedule, k, current, base), schedule.at(k, base)
            return {name: choose(begins, anew[name], value) for name, value in changes.items()}

        return self._in_turn(count, base, next_of)

    def _in_turn(
        self, count: Any, base: Mapping[str, Number], changes_of: Callable[[Schedule, Any, Any], dict[str, Number]]
    ) -> dict[str, Number]:
        """The changes by the schedule whose turn it is; hyper-parameters that only others move are as in ``base``."""
        hyper: dict[str, Number] = {}
        for schedule, start, end in self._turns(count):
            own = np.clip(count - start, 0, end - start - 1)
            changes = changes_of(schedule, own, (count == start) & (start > 0))
            for name in {**hyper, **changes}:
                before = hyper.get(name, base[name])
                hyper[name] = choose(count >= start, changes.get(name, base[name]), before)
        return hyper

    def _turns(self, count: Any) -> Iterator[tuple[Schedule, int, int]]:
        """Each schedule that has begun, with its first count and the first of the next."""
        ends = (*self.milestones, int(np.max(count)) + 1)
        for schedule, start, end in zip(self.schedules, (0, *self.milestones), ends, strict=True):
            if start < end:
                yield schedule, start, end
