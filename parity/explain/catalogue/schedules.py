"""Learning rates that change at another time than asked."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import Literal

import numpy as np

from parity.explain.catalogue.name import Name
from parity.step.design import Design
from refimpl.schedules import Constant, Exponential
from refimpl.types import Array


def counted(design: Design, counts: Array) -> Design | None:
    """Another number of advances before each step; None where it makes no difference to η."""
    found = replace(design, counts=np.asarray(counts, int))
    same = all(np.array_equal(found.rates(name), design.rates(name)) for name in design.form.optimizers)
    return None if same else found


def other_beat(design: Design, _: float) -> Design | None:
    """Advanced at every step for every epoch, and the reverse."""
    per_epoch = design.form.schedule.per == "epoch"
    return counted(design, np.arange(design.steps) if per_epoch else design.epoch)


def ignored(design: Design, _: float) -> Design | None:
    return None if isinstance(design.form.schedule, Constant) else design.with_schedule(Constant())


def extra(design: Design, gamma: float, per: Literal["epoch", "step"]) -> Design | None:
    """An exponential schedule where none was asked."""
    if not isinstance(design.form.schedule, Constant) or not 0 < gamma < 1:
        return None
    return design.with_schedule(Exponential(gamma=gamma, per=per))


BEATS: tuple[Literal["epoch", "step"], ...] = ("epoch", "step")
BEAT = "a schedule that moves η far at every advance"

SCHEDULES = {
    "schedule-ignored": Name(
        text="the schedule has no effect: η stays what it was",
        change="call scheduler.step()",
        probe=BEAT,
        apply=ignored,
    ),
    **{
        f"schedule-extra-per-{per}": Name(
            text=f"η is multiplied by {{value:.6g}} after every {per}, where no schedule was asked",
            change="leave the scheduler out",
            probe=f"a second {per}",
            apply=partial(extra, per=per),
            values=(0.5, 0.8, 0.9, 0.95, 0.99),
            free=True,
        )
        for per in BEATS
    },
    "schedule-off-by-one": Name(
        text="η changes {value:+.0f} advance from where it should (+1: one too early)",
        change="call scheduler.step() once, after optimizer.step()",
        probe=BEAT,
        apply=lambda design, shift: counted(design, np.maximum(design.advances + int(shift), 0)),
        values=(1.0, -1.0),
    ),
    "schedule-per-epoch": Name(
        text="the schedule advances at another beat: every step where every epoch was asked, or the reverse",
        change="call scheduler.step() where the schedule counts: in the inner or in the outer loop",
        probe="several batches in an epoch",
        apply=other_beat,
    ),
    "schedule-twice": Name(
        text="the schedule advances twice each time",
        change="call scheduler.step() once",
        probe=BEAT,
        apply=lambda design, _: counted(design, 2 * design.advances),
    ),
}
