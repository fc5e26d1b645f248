"""What reaches the optimizer in place of the gradient."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise
from typing import Any

import numpy as np

from parity.explain.catalogue.name import Apply, Name
from parity.explain.faults.twists import ClipNorm, ClipValue, Normalised, Rounded, Sign
from parity.step.design import Design, Twist
from refimpl.types import Array


def mixed(design: Design, mixing: Array) -> Design:
    """The gradients mixed, after what was done to them before."""
    return replace(design, mixing=mixing if design.mixing is None else mixing @ design.mixing)


def twisting(kind: Callable[..., Twist], *fixed: Any) -> Apply:
    """A twist more, made of what is ``fixed``, or of the number of the name."""
    return lambda design, value: replace(design, twists=(*design.twists, kind(*fixed or (value,))))


def stale(design: Design, first: float) -> Design | None:
    """The gradient of the step before; at the first step its own (1), zero (0), or no step at all (2)."""
    mixing = np.eye(design.steps, k=-1)
    mixing[0, 0] = first == 1
    found = mixed(design, mixing)
    if first != 2:
        return found
    return replace(found, calls=np.minimum(np.arange(design.steps), 1)) if design.calls is None else None


def accumulated(design: Design, period: Array) -> Design:
    """The sum of all gradients so far that are of the same period."""
    return mixed(design, np.tril(period[:, None] == period).astype(float))


def two_batches(design: Design, times: float) -> Design | None:
    """Gradients of two batches added up, or their mean (½), before each step."""
    if design.calls is not None:
        return None
    odd = np.arange(design.steps) % 2
    mixing = times * (np.eye(design.steps) + np.eye(design.steps, k=-1))
    return replace(mixed(design, mixing), calls=odd)


def previous_batch(design: Design, _: float) -> Design:
    rows = [design.rows[0], *design.rows[:-1]]
    lengths = [len(batches) for batches in design.material.order]
    ends = np.cumsum([0, *lengths])
    return design.with_order(tuple(tuple(rows[a:b]) for a, b in pairwise(ends)))


GRADIENTS = {
    "gradient-stale": Name(
        text="the step uses the gradient of the step before",
        change="call backward() before step(), in the same iteration",
        probe="the first step, which has no gradient before it",
        apply=stale,
        values=(2.0, 0.0, 1.0),
    ),
    "gradient-accumulated": Name(
        text="gradients are never set to zero: each step uses the sum of all so far",
        change="call optimizer.zero_grad() before backward()",
        probe="the second step",
        apply=lambda design, _: accumulated(design, 0 * design.epoch),
    ),
    "gradient-accumulated-in-epoch": Name(
        text="gradients are set to zero once an epoch: within it each step uses the sum so far",
        change="call optimizer.zero_grad() before every backward()",
        probe="the first step of the second epoch",
        apply=lambda design, _: accumulated(design, design.epoch),
    ),
    "gradient-of-two-batches": Name(
        text="the optimizer steps at every second batch, with {value:g} times the sum of two gradients",
        change="step at every batch, or ask for batches of twice the size",
        probe="whether the weights stand still at every second step",
        apply=two_batches,
        values=(1.0, 0.5),
    ),
    "gradient-twice": Name(
        text="the gradient counts twice: backward() was called twice",
        change="call backward() once for each zero_grad()",
        probe="record the loss: its value is not doubled",
        apply=lambda design, _: mixed(design, 2 * np.eye(design.steps)),
    ),
    **{
        id: Name(
            text=text,
            change=f"remove {function}, or ask for it",
            probe="small gradients, which clipping leaves alone",
            apply=twisting(twist),
            values=(0.01, 0.03, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0),
            free=True,
        )
        for id, text, function, twist in (
            (
                "gradient-clipped-by-norm",
                "the gradient is clipped to the norm {value:.6g}",
                "clip_grad_norm_",
                ClipNorm,
            ),
            (
                "gradient-clipped-by-value",
                "every element of the gradient is cut off at ±{value:.6g}",
                "clip_grad_value_",
                ClipValue,
            ),
        )
    },
    "gradient-previous-batch": Name(
        text="the gradient is of the batch before, at the weights of now",
        change="compute the loss on the batch of this iteration",
        probe="one batch an epoch, where all are the same",
        apply=previous_batch,
    ),
    **{
        f"gradient-{format}": Name(
            text=f"gradients are rounded to {format} on their way",
            change="keep gradients in the dtype of the weights",
            probe="gradients of few bits, which rounding leaves alone",
            apply=twisting(Rounded, format),
        )
        for format in ("bfloat16", "float16")
    },
    "gradient-sign": Name(
        text="only the sign of the gradient is used",
        change="step along the gradient itself",
        probe="a gradient twice as large, which gives the same step",
        apply=lambda design, _: replace(design, twists=(*design.twists, Sign())),
        rare=True,
    ),
    "gradient-normalised": Name(
        text="the gradient is divided by its norm",
        change="step along the gradient itself",
        probe="a gradient twice as large, which gives the same step",
        apply=twisting(lambda value: Normalised(together=value == 0)),
        values=(0.0, 1.0),
        rare=True,
    ),
}
