"""The learning rate as executed, step by step, beside the asked one."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np

from parity.explain.catalogue import NAMES
from parity.explain.cause import Cause, cause, cause_of, causes_of
from parity.explain.faults.models import Listed
from parity.explain.measure.series import Series, laws, steps_text
from parity.step.design import Design
from refimpl.schedules import Constant, Exponential, Step
from refimpl.training import hyper_parameters, scheduled
from refimpl.types import Array

SHORT = 1e-4
"""Relative distance at which a rate of fewer digits is tried in the place of a measured one."""


def causes(design: Design, executed: Series, *, recorded: bool = False) -> Iterator[Cause]:
    """Names of the executed rates, and after them the numbers themselves, which are facts where they were recorded."""
    asked = design.rates("weight")
    if executed.is_(asked):
        return
    times = executed.over(asked)
    constant = times.constant
    if constant is not None:
        for id, value in (("lr-halved", 0.5), ("lr-doubled", 2.0), ("lr-tenfold", 10.0), ("lr-tenfold", 0.1)):
            if abs(constant - value) <= np.max(times.error) + SHORT * value:
                yield cause_of(NAMES[id], value)
        for digits in (3, 6, 17):
            yield cause_of(NAMES["lr-other"], float(f"{constant:.{digits}g}"), numbers=1)
    yield from _counted(design, executed)
    for file in (
        _constant,
        _begun_anew,
        _from_on,
        _compounded,
        _of_sizes,
        _continuous,
        _late,
        _set_back,
        _ratio,
        _inverse_time,
    ):
        for rates, known in file(design, executed, asked):
            if executed.is_(rates):
                yield known
    off = np.abs(executed.value - asked) > executed.error
    yield cause(
        "lr-as-executed",
        _listed(executed.value),
        numbers=int(off.sum()),
        named=recorded or constant is not None,
        rates=Series(executed.value[off], executed.error[off]).text(),
        steps=steps_text(off, design.epoch),
        asked=Series(asked[off], 1e-12 * asked[off]).text(),
    )


Rates = tuple[Array, Cause]
"""What the rates would be, and the cause that they show where the executed ones are these."""


def listed(rates: Array, id: str, *, numbers: int = 0, **measured: Any) -> Rates:
    """A name of the executed rates."""
    return rates, cause(id, _listed(rates), numbers=numbers, **measured)


def _listed(rates: Array) -> Callable[[Design], Design]:
    """The change that puts these rates in the place of the schedule."""
    schedule = Listed(tuple(map(float, rates)))
    return lambda design: replace(design.with_schedule(schedule), counts=None)


# -- the asked schedule, counted otherwise ----------------------------------------------------------------------------


def _counted(design: Design, executed: Series) -> Iterator[Cause]:
    """Shifted, stretched, at another beat, begun anew, or not at all."""
    for id in ("schedule-ignored", "schedule-off-by-one", "schedule-per-epoch", "schedule-twice"):
        for known in causes_of(NAMES[id]):
            changed = known.to(design)
            if changed is not None and executed.is_(changed.rates("weight")):
                yield known
    asked = design.rates("weight")
    for counts, id, measured in () if isinstance(design.form.schedule, Constant) else _counts(design):
        apply = partial(replace, counts=np.asarray(counts, int))
        with np.errstate(all="ignore"):
            rates = apply(design).rates("weight")
        if executed.is_(rates) and not np.array_equal(rates, asked):
            yield cause(id, apply, **measured)


def _counts(design: Design) -> Iterator[tuple[Array, str, dict[str, Any]]]:
    """Numbers of advances before each step, with the name that they have, and what its words need."""
    advances = design.advances
    for times in range(2, 17):
        yield times * advances, "schedule-stretched", {"times": f"{times} times", "asked": "once"}
        yield advances // times, "schedule-stretched", {"times": "once", "asked": f"{times} times"}
    for shift in (-3, -2, 2, 3):
        where = {"shift": abs(shift), "side": "ahead" if shift > 0 else "behind"}
        yield np.maximum(advances + shift, 0), "schedule-shifted", where
    for k in np.flatnonzero(np.diff(advances)) + 1:
        for first, rate in ((k, ""), (k + 1, ", but for the rate of this step, which the optimizer kept")):
            again = np.where(np.arange(design.steps) >= first, advances - advances[k], advances)
            yield again, "schedule-restarted", {"step": k, "but": rate}
        yield np.minimum(advances, advances[k - 1]), "schedule-stops", {"step": k}


# -- other rates ------------------------------------------------------------------------------------------------------


def _from_on(design: Design, executed: Series, asked: Array) -> Iterator[Rates]:
    """One multiple of the asked rate, from a step on."""
    del design
    off = np.abs(executed.value - asked) > executed.error
    first = int(np.argmax(off))
    if not off[first:].all() or not first or not np.all(asked):
        return
    times = Series(executed.value[first:], executed.error[first:]).over(asked[first:]).constant
    if times is not None:
        value = float(f"{times:.6g}")
        why = _a_second_time(value, asked)
        yield listed(
            np.where(off, value * asked, asked), "lr-times-from-on", numbers=1, step=first, value=value, why=why
        )


def _a_second_time(value: float, asked: Array) -> str:
    """Whether a multiple is what the schedule had come to, so that it is applied a second time."""
    before = np.unique(asked / asked[0])
    return ": what the schedule had come to is applied a second time" * bool(
        np.any(np.abs(before - value) <= SHORT * value)
    )


def _begun_anew(design: Design, executed: Series, asked: Array) -> Iterator[Rates]:
    """η_k = η_j·s(k − j)/s(0) from a step j on: the count begins anew, the rate goes on from the one it had."""
    advances = design.advances
    if isinstance(design.form.schedule, Constant) or not np.all(asked):
        return
    off = np.flatnonzero(np.abs(executed.value - asked) > executed.error)
    for j in range(1, off[0] + 1):
        again = replace(design, counts=np.maximum(advances - advances[j], 0)).rates("weight")
        later = np.arange(design.steps) >= j
        rates = np.where(later, asked[j] * again / again[0], asked)
        yield listed(rates, "schedule-counts-anew", step=j)


def _compounded(design: Design, executed: Series, asked: Array) -> Iterator[Rates]:
    """Π_{j ≤ a} f_j after a advances, with f_j the factor that was asked for the first rate; or its square."""
    del executed
    counts = np.arange(int(design.advances[-1]) + 1)
    moved = scheduled(design.form.optimizers["weight"], design.form.schedule, counts)
    rates = np.broadcast_to(np.asarray(hyper_parameters(moved)["lr"], float), counts.shape)
    if not rates[0] or not np.ptp(rates):
        return
    factors = rates / rates[0]
    base = float(asked[0] / factors[design.advances[0]])
    yield listed(base * np.cumprod(factors)[design.advances], "schedule-compounded")
    changes = np.cumsum(np.append(False, np.diff(factors) != 0))
    drops = np.cumprod(factors[np.append(0, np.flatnonzero(np.diff(changes)) + 1)])[changes]
    yield listed(base * drops[design.advances], "schedule-compounded")
    yield listed(base * factors[design.advances] ** 2, "schedule-squared")


def _of_sizes(design: Design, executed: Series, asked: Array) -> Iterator[Rates]:
    """The rate follows the size of the batch."""
    sizes = np.array([len(rows) for rows in design.rows], float)
    words = {"n": "the number of rows of the batch", "n/n₀": "the size of the batch ÷ that of the first"}
    for law in laws(executed.over(asked), {"n/n₀": sizes / sizes[0], "n": sizes}):
        if law.c == 1 or law.feature == "n":
            id = "lr-linear-scaling" if law.power == 1 else "lr-of-batch"
            what = f"{law.words}, {law.feature} being {words[law.feature]}"
            yield listed(asked * law.made, id, what=what)
            return


def _continuous(design: Design, executed: Series, asked: Array) -> Iterator[Rates]:
    """γ^(t/s) in the place of γ^⌊t/s⌋, with t in steps where the schedule counts epochs."""
    del executed
    schedule = design.form.schedule
    if not isinstance(schedule, Exponential | Step):
        return
    gamma, size = float(schedule.gamma), schedule.step_size if isinstance(schedule, Step) else 1
    t = design.advances.astype(float)
    if schedule.per == "epoch":
        t, size = np.arange(design.steps, dtype=float), size * len(design.material.order[0])
    yield listed(asked[0] * gamma ** (t / size), "schedule-continuous", gamma=gamma, size=size)


def _late(design: Design, executed: Series, asked: Array) -> Iterator[Rates]:
    """Some steps do nothing, the others are as asked, perhaps as if the idle ones had been counted."""
    idle = np.abs(executed.value) <= executed.error
    if not idle.any() or idle.all():
        return
    yield listed(np.where(idle, 0.0, asked), "steps-without-rate", steps=steps_text(idle, design.epoch))
    yield listed(np.append(0.0, asked[:-1]), "schedule-warm-up-from-zero")


def _set_back(design: Design, executed: Series, asked: Array) -> Iterator[Rates]:
    """The cause that sets the rate back to the first one for a stretch between two advances."""
    off = np.flatnonzero(np.abs(executed.value - asked) > executed.error)
    if not len(off) or not off[0] or len(off) != off[-1] - off[0] + 1 or len(set(design.advances[off])) != 1:
        return
    base = float(asked[0])
    rates = np.where(np.isin(np.arange(design.steps), off), base, asked)
    span = f"at step {off[0]}" if len(off) == 1 else f"from step {off[0]} to {off[-1]}"
    yield listed(rates, "schedule-rebuilt", span=span, base=base, asked=asked[off[0]])


def _constant(design: Design, executed: Series, asked: Array) -> Iterator[Rates]:
    """One rate for all steps, where a schedule was asked."""
    value = executed.constant
    if value is not None and np.ptp(asked) > 0:
        times = float(f"{value / asked[0]:.6g}")
        of = "the first one that was asked" if times == 1 else f"{times:g} times the first one that was asked"
        rates = np.full(design.steps, times * asked[0])
        yield listed(rates, "schedule-constant", numbers=int(times != 1), value=value, what=of)


def _ratio(design: Design, executed: Series, asked: Array) -> Iterator[Rates]:
    """A constant factor from step to step, or from epoch to epoch."""
    if np.any(executed.value <= 0):
        return
    first = float(executed.value[0])
    for counts, word in ((np.arange(design.steps), "step"), (design.epoch, "epoch")):
        last = int(counts[-1])
        gamma = float(f"{(executed.value[-1] / first) ** (1 / last):.6g}") if last else 1.0
        if gamma != 1:
            rates = first * gamma ** counts.astype(float)
            known = listed(rates, f"schedule-extra-per-{word}", numbers=1, value=gamma)[1]
            begin = f"; it begins with {first:.6g}, asked {asked[0]:g}" * bool(
                abs(first - asked[0]) > executed.error[0]
            )
            yield rates, replace(known, text=known.text + begin)


def _inverse_time(design: Design, executed: Series, _: Array) -> Iterator[Rates]:
    """η/(1 + d·t): 1/η_k is linear in k."""
    asked = float(getattr(design.form.optimizers["weight"], "lr", 0.0))
    if np.any(executed.value <= 0) or not asked:
        return
    t = np.arange(design.steps, dtype=float)
    own = getattr(design.form.optimizers["weight"], "lr_decay", 0.0)
    many, few = "many: the first step has η/(1 + lr_decay·1)", "few: the second step has the rate of the first"
    for late, which in ((1, many), (-1, few)) if own else ():
        rates = asked * (1 + own * t) / (1 + own * np.maximum(t + late, 0))
        yield listed(rates, "lr-decay-off-by-one", which=which)
    decay = float(f"{np.polyfit(t, 1 / executed.value, 1)[0] * asked:.4g}")
    for first in (0.0, 1.0, 2.0) if decay else ():
        rates = asked / (1 + decay * (t + first))
        yield listed(rates, "lr-inverse-time", numbers=1, decay=decay, first=first)
