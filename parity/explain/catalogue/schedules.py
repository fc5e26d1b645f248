"""Learning rates that change at another time than asked, and arithmetic that is narrower than the run says."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Literal

import numpy as np

from parity.explain.faults.models import Narrow
from parity.step.design import Design
from refimpl.models import Linear
from refimpl.schedules import Constant, Exponential


def advanced(design: Design, value: float, *, by: Literal["shift", "twice", "other beat"]) -> Design | None:
    """Another number of advances before each step; None where it makes no difference to η."""
    beats = np.arange(design.steps) if design.form.schedule.per == "epoch" else design.epoch
    counts = {"other beat": beats, "twice": 2 * design.advances}.get(by)
    if counts is None:
        counts = np.maximum(design.advances + int(value), 0)
    changed = replace(design, counts=np.asarray(counts, int))
    same = all(np.array_equal(changed.rates(name), design.rates(name)) for name in design.form.optimizers)
    return None if same else changed


def schedule_ignored(design: Design, _: float) -> Design | None:
    """η stays what it was."""
    return None if isinstance(design.form.schedule, Constant) else design.with_schedule(Constant())


def extra_schedule(design: Design, gamma: float, *, per: Literal["epoch", "step"]) -> Design | None:
    """An exponential schedule where none was asked."""
    if not isinstance(design.form.schedule, Constant) or not 0 < gamma < 1:
        return None
    return design.with_schedule(Exponential(gamma=gamma, per=per))


def narrow_passes(design: Design, _: float, **options: Any) -> Design | None:
    """Forward and backward pass of a linear model in a narrower format."""
    model = design.form.in_gradient.model
    return design.with_model(Narrow(bias=model.bias, **options)) if isinstance(model, Linear) else None


def kept(design: Design, _: float, **formats: str) -> Design:
    """The weights or the state rounded after each step."""
    return replace(design, **formats)  # type: ignore[arg-type]  # of two fields that are formats
