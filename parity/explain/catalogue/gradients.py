"""Faults by which the optimizer is given another gradient."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

import numpy as np

from parity.explain.faults.twists import ClipValue, Normalised, Rounded, Sign
from parity.step.design import Design, Twist
from refimpl.clipping import Clip
from refimpl.types import Array

TWISTS: Mapping[str, Callable[[float], Twist]] = {
    "clip-norm": lambda value: Clip(norm=value),
    "clip-value": ClipValue,
    "sign": lambda _: Sign(),
    "normalised": lambda value: Normalised(together=value == 0),
    "bfloat16": lambda _: Rounded("bfloat16"),
    "float16": lambda _: Rounded("float16"),
}


def twisted(design: Design, value: float, *, twist: str) -> Design:
    """The gradient goes through one function more on its way."""
    return replace(design, twists=(*design.twists, TWISTS[twist](value)))


def mixed(design: Design, mixing: Array) -> Design:
    """The gradients mixed, after what was done to them before."""
    return replace(design, mixing=mixing if design.mixing is None else mixing @ design.mixing)


def times(design: Design, value: float, *, times: float) -> Design:
    """The whole gradient multiplied; if the number of the name is 1 only that of the loss, not that of the penalty."""
    changed = mixed(design, times * np.eye(design.steps))
    return changed.with_penalty_times(1 / times) if value == 1 and design.form.in_gradient.penalties else changed


def stale(design: Design, first: float) -> Design | None:
    """The gradient of the step before; at the first step its own (1), zero (0), or no step at all (2)."""
    mixing = np.eye(design.steps, k=-1)
    mixing[0, 0] = first == 1
    changed = mixed(design, mixing)
    if first != 2:
        return changed
    return replace(changed, calls=np.minimum(np.arange(design.steps), 1)) if design.calls is None else None


def accumulated(design: Design, _: float, *, in_epoch: bool) -> Design:
    """The sum of all gradients so far, or of those of the same epoch."""
    period = design.epoch if in_epoch else 0 * design.epoch
    return mixed(design, np.tril(period[:, None] == period).astype(float))


def of_two_batches(design: Design, times: float) -> Design | None:
    """Gradients of two batches added up, or their mean (½), before each step."""
    if design.calls is not None:
        return None
    odd = np.arange(design.steps) % 2
    mixing = times * (np.eye(design.steps) + np.eye(design.steps, k=-1))
    return replace(mixed(design, mixing), calls=odd)


def previous_batch(design: Design, _: float) -> Design:
    """The batch of the step before, at the weights of now."""
    rows = iter([design.rows[0], *design.rows[:-1]])
    return design.with_order(tuple(tuple(next(rows) for _ in batches) for batches in design.material.order))
