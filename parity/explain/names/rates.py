"""The learning rate as executed, step by step, beside the asked one."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from parity.explain.catalogue import NAMES
from parity.explain.cause import Cause, cause_of
from parity.explain.faults.schedules import Listed
from parity.explain.measure.laws import laws
from parity.explain.measure.series import Series, steps_text
from parity.step.design import Design
from refimpl.schedules import Constant
from refimpl.training import hyper_parameters, scheduled
from refimpl.types import Array

CHANGE = "print the learning rate of every step: optimizer.param_groups[0]['lr']"
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
    yield from _moved_otherwise(design, executed)
    yield from _compounded(design, executed)
    yield from _of_sizes(design, executed, asked)
    yield from _continuous(design, executed, asked)
    yield from _zero_steps(design, executed, asked)
    yield from _set_back(design, executed, asked)
    yield from _ratio(design, executed)
    yield from _inverse_time(design, executed)
    off = np.abs(executed.value - asked) > executed.error
    words = Series(executed.value[off], executed.error[off]).text()
    text = f"the learning rate as executed is {words} in {steps_text(off, design.epoch)}"
    text += f", asked {Series(asked[off], 1e-12 * asked[off]).text()}"
    yield listed(executed.value, "lr-as-executed", text, numbers=int(off.sum()), named=recorded or constant is not None)


def listed(rates: Array, id: str, text: str, *, numbers: int = 0, named: bool = True, change: str = CHANGE) -> Cause:
    """The executed rates in the place of the schedule."""
    schedule = Listed(tuple(map(float, rates)))
    return Cause(
        id=id,
        text=text,
        change=change,
        apply=lambda design: replace(design.with_schedule(schedule), counts=None),
        numbers=numbers,
        named=named,
    )


def _moved_otherwise(design: Design, executed: Series) -> Iterator[Cause]:
    """The asked schedule, counted otherwise: shifted, stretched, at another beat, begun anew, or not at all."""
    for id in ("schedule-ignored", "schedule-off-by-one", "schedule-per-epoch", "schedule-twice"):
        for value in NAMES[id].values:
            cause = cause_of(NAMES[id], value)
            changed = cause.to(design)
            if changed is not None and executed.is_(changed.rates("weight")):
                yield cause
    if isinstance(design.form.schedule, Constant):
        return
    advances = design.advances
    for times in range(2, 17):
        yield from _if(
            design,
            executed,
            times * advances,
            "schedule-stretched",
            f"the schedule advances {times} times where it should advance once",
            "step the scheduler once, not once for each process or micro-batch",
        )
        yield from _if(
            design,
            executed,
            advances // times,
            "schedule-stretched",
            f"the schedule advances once where it should advance {times} times",
            "step the scheduler as often as it was asked to count",
        )
    for shift in (-3, -2, 2, 3):
        yield from _if(
            design,
            executed,
            np.maximum(advances + shift, 0),
            "schedule-shifted",
            f"the schedule is {abs(shift)} advances {'ahead' if shift > 0 else 'behind'}",
            "look at what the schedule counted before the first step",
        )
    for k in range(1, design.steps):
        if advances[k] == advances[k - 1]:
            continue
        again = np.where(np.arange(design.steps) >= k, advances - advances[k], advances)
        yield from _if(
            design,
            executed,
            again,
            "schedule-restarted",
            f"the schedule begins anew at step {k}, as after a restart that made it anew",
            "save the scheduler's state, too, and load it when training goes on",
        )
        frozen = np.minimum(advances, advances[k - 1])
        yield from _if(
            design,
            executed,
            frozen,
            "schedule-stops",
            f"the schedule no longer advances from step {k} on",
            "call scheduler.step() to the end",
        )


def _if(design: Design, executed: Series, counts: Array, id: str, text: str, change: str) -> Iterator[Cause]:
    """The cause, where these counts of advances give the executed rates and others than asked."""
    changed = replace(design, counts=np.asarray(counts, int))
    with np.errstate(all="ignore"):
        rates = changed.rates("weight")
    if executed.is_(rates) and not np.array_equal(rates, design.rates("weight")):
        yield Cause(id=id, text=text, change=change, apply=lambda d: replace(d, counts=np.asarray(counts, int)))


def _compounded(design: Design, executed: Series) -> Iterator[Cause]:
    """Π_{j ≤ a} f_j after a advances, with f_j the factor that was asked for the first rate; or f_a to a power."""
    counts = np.arange(int(design.advances[-1]) + 1)
    factors = _factors(design, counts)
    if factors is None:
        return
    base = float(design.rates("weight")[0] / factors[design.advances[0]])
    rates = base * np.cumprod(factors)[design.advances]
    if executed.is_(rates):
        text = (
            "each factor of the schedule is multiplied onto the rate of the advance before, not onto the first rate: "
            "they compound, as when the function of LambdaLR is given to MultiplicativeLR"
        )
        yield listed(
            rates, "schedule-compounded", text, change="give the factor from advance to advance, or use LambdaLR"
        )
    rates = base * factors[design.advances] ** 2
    if executed.is_(rates):
        text = "the factor of the schedule counts twice, as its square: two of them multiply the rate"
        yield listed(rates, "schedule-squared", text, change="keep one of the two schedules")


def _factors(design: Design, counts: Array) -> Array | None:
    """η after so many advances ÷ η after none; None where that one is 0."""
    schedule = design.form.schedule
    moved = scheduled(design.form.optimizers["weight"], schedule, counts)
    rates = np.broadcast_to(np.asarray(hyper_parameters(moved)["lr"], float), counts.shape)
    return rates / rates[0] if rates[0] and np.ptp(rates) else None


def _of_sizes(design: Design, executed: Series, asked: Array) -> Iterator[Cause]:
    """The rate follows the size of the batch."""
    sizes = np.array([len(rows) for rows in design.rows], float)
    words = {"n": "the number of rows of the batch", "n/n₀": "the size of the batch ÷ that of the first"}
    for law in laws(executed.over(asked), {"n/n₀": sizes / sizes[0], "n": sizes}):
        if law.c == 1 or law.feature == "n":
            id = "lr-linear-scaling" if law.power == 1 else "lr-of-batch"
            text = f"the learning rate is multiplied by {law.words}, {law.feature} being {words[law.feature]}"
            yield listed(asked * law.made, id, text, change="leave the learning rate as it was asked")
            return


def _continuous(design: Design, executed: Series, asked: Array) -> Iterator[Cause]:
    """γ^(t/s) in the place of γ^⌊t/s⌋, with t in steps where the schedule counts epochs."""
    schedule = design.form.schedule
    gamma, size = getattr(schedule, "gamma", None), getattr(schedule, "step_size", 1)
    if gamma is None:
        return
    t = design.advances.astype(float)
    if schedule.per == "epoch":
        t, size = np.arange(design.steps, dtype=float), size * len(design.material.order[0])
    rates = asked[0] * float(gamma) ** (t / size)
    if executed.is_(rates):
        text = f"the schedule is the continuous {gamma:g}^(t/{size:g}), and not the staircase {gamma:g}^⌊t/{size:g}⌋"
        yield listed(rates, "schedule-continuous", text, change="use StepLR, or round t/step_size down")


def _zero_steps(design: Design, executed: Series, asked: Array) -> Iterator[Cause]:
    """Some steps do nothing, the others are as asked, perhaps as if the idle ones had been counted or not."""
    idle = np.abs(executed.value) <= executed.error
    if not idle.any() or idle.all():
        return
    rest = Series(np.where(idle, asked, executed.value), np.where(idle, np.inf, executed.error))
    when = steps_text(idle, design.epoch)
    if rest.is_(asked):
        rates = np.where(idle, 0.0, asked)
        yield listed(
            rates,
            "steps-without-rate",
            f"the learning rate is 0 in {when}: nothing is learnt there",
            change="look for skipped steps, and for a warm-up that starts at 0",
        )
    shifted = np.concatenate([[0.0], asked[:-1]])
    if executed.is_(shifted):
        yield listed(
            shifted,
            "schedule-warm-up-from-zero",
            "the rates come one step late, after a first step with rate 0: the warm-up starts at 0 and "
            "not at its first share",
            change="start the warm-up at 1/steps: (step + 1)/steps",
        )


def _set_back(design: Design, executed: Series, asked: Array) -> Iterator[Cause]:
    """For one stretch between two advances the rate is the first one again."""
    off = np.flatnonzero(np.abs(executed.value - asked) > executed.error)
    if not len(off) or off[0] == 0 or not np.array_equal(off, np.arange(off[0], off[-1] + 1)):
        return
    base = float(asked[0])
    rates = np.where(np.isin(np.arange(design.steps), off), base, asked)
    if executed.is_(rates) and len(set(design.advances[off])) == 1:
        text = (
            f"from step {off[0]} to {off[-1]} the learning rate is the first one again, {base:g}, asked "
            f"{asked[off[0]]:g}: the "
            "schedule was made anew there, which sets the rate back until it advances again"
        )
        yield listed(
            rates, "schedule-rebuilt", text, change="load the scheduler's state at a restart, and do not make it anew"
        )


def _ratio(design: Design, executed: Series) -> Iterator[Cause]:
    """A constant factor from step to step, or from epoch to epoch."""
    if np.any(executed.value <= 0):
        return
    first = float(executed.value[0])
    for id, counts, words in (
        ("schedule-extra-per-step", np.arange(design.steps), "step"),
        ("schedule-extra-per-epoch", design.epoch, "epoch"),
    ):
        last = int(counts[-1])
        if not last:
            continue
        gamma = float(f"{(executed.value[-1] / first) ** (1 / last):.6g}")
        if gamma != 1 and executed.is_(first * gamma**counts):
            rates = first * gamma ** counts.astype(float)
            yield listed(
                rates,
                id,
                f"η is multiplied by {gamma:g} after every {words}, where no such schedule was asked",
                numbers=1,
                change="leave the scheduler out, or ask for it",
            )


def _inverse_time(design: Design, executed: Series) -> Iterator[Cause]:
    """η/(1 + d·t): 1/η_k is linear in k."""
    if np.any(executed.value <= 0):
        return
    t = np.arange(design.steps, dtype=float)
    slope = np.polyfit(t, 1 / executed.value, 1)[0]
    asked = float(getattr(design.form.optimizers["weight"], "lr", 0.0))
    own = getattr(design.form.optimizers["weight"], "lr_decay", 0.0)
    for late in (1, -1) if own else ():
        rates = asked * (1 + own * t) / (1 + own * np.maximum(t + late, 0))
        if executed.is_(rates):
            text = (
                f"lr_decay counts one step too {'many' if late > 0 else 'few'}: the first step has η/(1 + "
                f"lr_decay·{max(late, 0)})"
            )
            text = text if late > 0 else "lr_decay counts one step too few: the second step has the rate of the first"
            yield listed(
                rates, "lr-decay-off-by-one", text, change="divide by 1 + (t − 1)·lr_decay with t = 1 at the first step"
            )
            return
    for first in (0.0, 1.0, 2.0):
        if not asked or slope == 0:
            return
        decay = float(f"{slope * asked:.4g}")
        rates = asked / (1 + decay * (t + first))
        if executed.is_(rates):
            text = (
                f"the learning rate is multiplied by 1/(1 + {decay:g}·t), with t = {first:g} at the first "
                "step, beside what was asked"
            )
            yield listed(
                rates, "lr-inverse-time", text, numbers=1, change="look at lr_decay, and at what its count starts with"
            )
            return
