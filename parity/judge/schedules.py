"""The check of a schedule: each recorded rate from what the framework itself had before it.

A framework that makes each rate from the one before is judged from its own previous rate, so that errors do not pile up
and a fault shows at the advance that makes it; one that computes a closed form is judged from that. Which of the two it
is, the schedule says (:class:`refimpl.types.Recursive`). A hyper-parameter that the schedule does not move is held to
equality. Rates are doubles, or, where the learning rate is a tensor, of its dtype.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from parity.step.arithmetics import Rounding
from parity.step.expected import Expected, Quantity, expect
from parity.step.rates import lifted_numbers
from refimpl.arithmetic.bounded import Bounded, Profile, Undecided
from refimpl.arithmetic.formats import FORMATS
from refimpl.schedules import Constant, Exponential, MultiStep, Step
from refimpl.stepping import advanced
from refimpl.types import Array, Number, Reactive, Schedule

EXACT = (Constant, Step, MultiStep, Exponential)
"""Schedules of products alone: where their closed form is exact in a format, so is every way to compute it."""


@dataclass(frozen=True, kw_only=True)
class RecordedGroup:
    """One parameter group's hyper-parameters as a framework had them.

    ``base``: those that the optimizer was made with. ``values``: by name, ``(advances + 1,)``, the first after making
    the scheduler; a pair such as ``betas`` is two of them, ``betas[0]`` and ``betas[1]``. ``dtype``: of the learning
    rate, float64 for a Python number.
    """

    base: Mapping[str, Any]
    values: Mapping[str, Array]
    dtype: str = "float64"


def check(schedule: Schedule, recorded: RecordedGroup) -> Iterator[Expected]:
    """Every hyper-parameter after every advance of a schedule of the count."""
    arithmetic = _arithmetic(recorded.dtype)
    base, lifted = lifted_numbers(recorded.base, arithmetic), arithmetic.hyper(schedule)
    counts = np.arange(len(recorded.values["lr"]))
    lr = recorded.values["lr"]
    before = np.concatenate([[recorded.base["lr"]], lr[:-1]])
    changes = advanced(lifted, counts, {**base, "lr": Bounded.hyper(before, arithmetic.profile)}, base)  # type: ignore[dict-item]  # a Number
    expected = _flat({**recorded.base, **changes})
    for name, candidate in recorded.values.items():
        yield _judged(name, counts, candidate, expected[name], arithmetic.profile)


def check_reactive(schedule: Reactive, metrics: Array, recorded: RecordedGroup) -> Iterator[Expected]:
    """The rate and the state after each of the ``metrics``, from the framework's own rate and state before it.

    ``recorded.values``: ``lr``, ``best``, ``num_bad_epochs`` and ``cooldown_counter``, the first before any metric.
    A comparison that rounding could turn leaves that advance without a bound.
    """
    arithmetic = _arithmetic(recorded.dtype)
    lifted, values = arithmetic.hyper(schedule), recorded.values

    def known(number: Any) -> Any:
        """nan is never better, and so the same as the worst; an infinite number is no rounded one."""
        number = schedule.worst if np.isnan(number) else float(number)
        return Bounded.hyper(number, arithmetic.profile) if np.isfinite(number) else number

    yield _judged("lr", np.array([0]), values["lr"][:1], np.asarray(recorded.base["lr"]), arithmetic.profile)
    for k, metric in enumerate(metrics):
        state: dict[str, Any] = {name: int(values[name][k]) for name in ("num_bad_epochs", "cooldown_counter")}
        state |= {name: known(values[name][k]) for name in ("lr", "best")}
        if values["best"][k] == schedule.worst:
            del state["best"]
        try:
            after: Any = lifted.react(known(metric), state)[1]
        except Undecided:
            after = {}
        for name, numbers in values.items():
            yield _judged(name, np.array([k + 1]), numbers[k + 1 : k + 2], after.get(name), arithmetic.profile)


def _arithmetic(dtype: str) -> Rounding:
    """Python's float64; with a tensor rate whatever meets it is rounded to its dtype."""
    format = FORMATS[dtype]
    return Rounding(Profile(compute=format, accumulate=format, scalar=format))


def _flat(hypers: Mapping[str, Number]) -> dict[str, Any]:
    """``betas`` as ``betas[0]`` and ``betas[1]``."""
    flat: dict[str, Any] = {}
    for name, value in hypers.items():
        flat |= {f"{name}[{i}]": v for i, v in enumerate(value)} if isinstance(value, tuple) else {name: value}
    return flat


def _judged(hyper: str, steps: Array, candidate: Array, expected: Any, profile: Profile) -> Expected:
    """Held to the bound, or, where it was not computed, to equality; None: nothing is known."""
    shape = candidate.shape
    if expected is None:
        expected = Bounded(np.zeros(shape), np.inf, profile)
    elif not isinstance(expected, Bounded):
        expected = Bounded(expected, 0, profile)
    bounded = Bounded(np.broadcast_to(expected.value, shape), np.broadcast_to(expected.error, shape), profile)
    return expect(Quantity("value", hyper), steps, candidate, bounded, profile.compute)
