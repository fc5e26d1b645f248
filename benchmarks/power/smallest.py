"""The smallest relative change of every number of an experiment that a correct run shows.

h is replaced by h(1 + δ) in the design that the run is held to, and |δ| is bisected on its logarithm between the
largest that stays within the tolerance and the smallest that does not. h is changed for all parameters that share it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from typing import Any

from parity.step.design import Design
from parity.step.engine import Engine
from refimpl.errors import RefimplError
from refimpl.ranges import number_fields
from refimpl.stepping import is_zero

FROM, TO = 2.0**-60, 0.5
PRECISION = 1.1
"""The precision of the result, which is at most so many times too large."""

Change = Callable[[float], Design]
"""The design with one number times a factor."""
Times = Callable[[Any, float], Any]
"""An optimizer, a schedule, a penalty or a loss with one number times a factor."""


def smallest_changes(design: Design, predictions: Engine) -> dict[str, float | None]:
    """By hyper-parameter; None where even a change by half is not seen."""
    return {name: smallest_change(change, predictions) for name, change in numbers(design)}


def smallest_change(change: Change, predictions: Engine) -> float | None:
    """The smallest change of a number that is seen, with the sign that keeps it in range; None where not even ½ is."""

    def seen(delta: float) -> bool:
        return predictions.share(change(1 + delta), enough=1.0) > 1

    for sign in (1, -1):
        try:
            if not seen(sign * TO):
                return None
        except RefimplError:
            continue
        low, high = FROM, TO
        while high / low > PRECISION:
            middle = math.sqrt(low * high)
            low, high = (low, middle) if seen(sign * middle) else (middle, high)
        return high
    return None


def numbers(design: Design) -> Iterator[tuple[str, Change]]:
    """Every number that is at work: of the optimizer, the schedule, the penalties and the loss."""
    form = design.form
    for name, times in _numbers(form.optimizers["weight"]):
        yield name, partial(_optimizers, design, times)
    for name, times in _numbers(form.schedule):
        yield f"schedule {name}", partial(_schedule, design, times)
    for penalty in form.in_gradient.penalties:
        for name, times in _numbers(penalty):
            yield f"{type(penalty).__name__} {name}", partial(_penalty, design, penalty, times)
    for name, times in _numbers(form.in_gradient.loss):
        yield f"loss {name}", partial(_loss, design, times)


def _optimizers(design: Design, times: Times, factor: float) -> Design:
    return design.with_optimizers(lambda optimizer: times(optimizer, factor))


def _schedule(design: Design, times: Times, factor: float) -> Design:
    return design.with_schedule(times(design.form.schedule, factor))


def _penalty(design: Design, penalty: Any, times: Times, factor: float) -> Design:
    penalties = design.form.in_gradient.penalties
    return design.with_penalties(*(times(one, factor) if one is penalty else one for one in penalties))


def _loss(design: Design, times: Times, factor: float) -> Design:
    return design.with_loss(times(design.form.in_gradient.loss, factor))


def _numbers(obj: Any) -> Iterator[tuple[str, Times]]:
    """The name of each number, and what multiplies it."""
    kind: Any = type(obj)
    for name in number_fields(kind):
        value: Any = getattr(obj, name)
        if isinstance(value, tuple):
            for index, part in enumerate(value):
                if not is_zero(part):
                    yield f"{name}[{index}]", partial(_times, name, index)
        elif not is_zero(value):
            yield name, partial(_times, name, None)


def _times(name: str, index: int | None, obj: Any, factor: float) -> Any:
    """A copy with one number, or one of several, times a factor."""
    value: Any = getattr(obj, name)
    if index is None:
        value = value * factor
    else:
        value = tuple(part * factor if i == index else part for i, part in enumerate(value))
    return replace(obj, **{name: value})
