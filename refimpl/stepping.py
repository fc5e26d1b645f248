"""What optimizers and schedules share: the count of steps, a term that is off, the numbers that a schedule moves."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from refimpl.errors import ParameterError
from refimpl.types import Array, Number, Recursive, Schedule, State


def count_step(state: State, param: Array) -> tuple[Array, Array]:
    """The number of the step that is being made: ``(runs,)`` for the state, and t, shaped to meet ``param``.

    It is kept under torch's key ``step`` as integers, which stay what they are in every arithmetic.
    """
    count = state.get("step", np.zeros(len(param), int)) + 1
    return count, count.reshape(-1, *(1,) * (param.ndim - 1))


def is_zero(value: Number) -> bool:
    """True for a hyper-parameter that is plainly 0, which switches its term off, as in torch.

    Lifting keeps 0 as it is, because 0 is exact in every arithmetic; one value per run is never off.
    """
    return isinstance(value, int | float | np.number) and bool(value == 0)


def advanced(
    schedule: Schedule, count: Any, current: Mapping[str, Number], base: Mapping[str, Number]
) -> dict[str, Number]:
    """The hyper-parameters that the schedule sets at its advance number ``count``, as frameworks come by them."""
    return schedule.following(count, current, base) if isinstance(schedule, Recursive) else schedule.at(count, base)


def momentum_of(base: Mapping[str, Number], value: Number) -> dict[str, Number]:
    """``value`` as the hyper-parameter in which an optimizer keeps its momentum: β₁ of ``betas``, or ``momentum``."""
    betas: Any = base.get("betas")
    if betas is not None:
        return {"betas": (value, *betas[1:])}  # type: ignore[dict-item]  # a tuple of numbers
    if "momentum" not in base:
        raise ParameterError(
            "cycle_momentum",
            given=True,
            allowed="an optimizer with momentum or betas",
            remedy="set cycle_momentum = false",
        )
    return {"momentum": value}
