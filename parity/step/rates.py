"""The hyper-parameters that are in effect after some advances of a schedule, in any arithmetic."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import lru_cache, wraps
from typing import Any, TypeVar

import numpy as np

from parity.step.arithmetics import Arithmetic, Rounding
from refimpl.arithmetic.bounded import Bounded, Profile
from refimpl.training import hyper_parameters, scheduled
from refimpl.types import Array, Optimizer, Recursive, Schedule

T = TypeVar("T")


def in_effect(optimizer: Optimizer, schedule: Schedule, counts: Array, arithmetic: Arithmetic) -> Any:
    """The optimizer, plain, with the hyper-parameters after ``counts`` advances, in an arithmetic.

    With rounding they are bounded for a free run of either form: the closed form, its allowance widened by what a
    framework may have that makes each rate from the one before.
    """
    if not isinstance(arithmetic, Rounding):
        return scheduled(arithmetic.hyper(optimizer), arithmetic.hyper(schedule), counts)
    if counts.size > 1:
        return _bounded(optimizer, schedule, counts, arithmetic)
    return _of_one_step(optimizer, schedule, int(counts.flat[0]), counts.ndim, arithmetic)


def _kept(most: int) -> Callable[[Callable[..., T]], Callable[..., T]]:
    """Keeps so many results of a function; none where arguments, such as one value for each run, cannot be hashed."""

    def keep(function: Callable[..., T]) -> Callable[..., T]:
        known = lru_cache(maxsize=most)(function)

        @wraps(function)
        def call(*arguments: Any) -> T:
            try:
                return known(*arguments)
            except TypeError:
                return function(*arguments)

        return call

    return keep


@_kept(1024)
def _of_one_step(optimizer: Any, schedule: Any, count: int, ndim: int, arithmetic: Rounding) -> Any:
    """Designs share most of their rates, and are held to a run step by step."""
    return _bounded(optimizer, schedule, np.full((1,) * ndim, count), arithmetic)


def _bounded(optimizer: Any, schedule: Any, counts: Array, arithmetic: Rounding) -> Any:
    lifted, of_schedule, base, recursive = _lifted(optimizer, schedule, arithmetic)
    changes = of_schedule.at(counts, base)
    if recursive and "lr" in changes:
        last = 1 << int(np.max(counts)).bit_length()  # so that few are made for steps that are asked for one by one
        rates = _recursion(schedule, tuple(hyper_parameters(optimizer).items()), last, arithmetic.profile)
        closed: Any = changes["lr"]
        away = np.abs(rates.value[counts] - closed.value) + rates.error[counts]
        error = np.maximum(closed.error, np.where(np.isnan(away), np.inf, away))
        widened: Any = Bounded(closed.value, error, closed.profile, scalar=closed.scalar)
        changes["lr"] = widened
    return replace(lifted, **changes) if changes else lifted


@_kept(64)
def _lifted(optimizer: Any, schedule: Any, arithmetic: Rounding) -> tuple[Any, Any, dict[str, Any], bool]:
    """Both with their bounds, the numbers of the optimizer by name, and whether rates are made one from another."""
    base = lifted_numbers(hyper_parameters(optimizer), arithmetic)
    return arithmetic.hyper(optimizer), arithmetic.hyper(schedule), base, isinstance(schedule, Recursive)


@lru_cache(maxsize=64)
def _recursion(schedule: Any, plain: tuple[tuple[str, Any], ...], last: int, profile: Profile) -> Bounded:
    """The rates after 0 to ``last`` advances, each made from the one before, with all their errors: ``(last + 1,)``."""
    arithmetic = Rounding(profile)
    lifted, base = arithmetic.hyper(schedule), lifted_numbers(dict(plain), arithmetic)
    rates: list[Any] = []
    current = base
    for k in range(last + 1):
        current = base | lifted.following(k, current, base)
        rates.append(current["lr"])
    values, errors = (np.array([getattr(rate, part) for rate in rates]) for part in ("value", "error"))
    return Bounded(values, errors, profile, scalar=True)


def lifted_numbers(numbers: Mapping[str, Any], arithmetic: Rounding) -> dict[str, Any]:
    """Hyper-parameters by name, with their bounds."""

    def bounded(value: Any) -> Any:
        return value if isinstance(value, Bounded) else Bounded.hyper(value, arithmetic.profile)

    return {name: tuple(map(bounded, v)) if isinstance(v, tuple) else bounded(v) for name, v in numbers.items()}
