"""Causes in the order of how near their weights come to the recorded ones, at one plain look at all of them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from typing import Any

import numpy as np

from parity.explain.cause import Cause
from parity.step.design import Design
from parity.step.engine import Engine
from refimpl.types import Array

PROPOSED = 6
"""Causes that are proposed to be proven."""


def nearest(
    engine: Engine, design: Design, causes: Iterable[Cause], *, size: Callable[..., Any] = np.max, within: float = 1.0
) -> Iterator[Cause]:
    """The nearest of them, which leave at most ``within`` of the distance of the design itself.

    ``size``: of the differences ÷ the largest move of a parameter, such as the median where a few may be large.
    """
    made = [(one, changed) for one in causes if (changed := one.to(design)) is not None and _can_be(design, changed)]
    designs = [design, *(changed for _, changed in made)]
    with np.errstate(all="ignore"):
        predicted = engine.weights(designs)
    distances = np.zeros(len(designs))
    for name, values in predicted.items():
        reached = np.stack([engine.candidate(each, name) for each in designs])
        scale = np.max(np.abs(np.diff(engine.recording.weights[name], axis=0))) or 1.0
        off: Array = np.abs(values - reached).reshape(len(designs), -1) / scale
        distances = np.maximum(distances, np.where(np.isfinite(off).all(axis=1), size(off, axis=1), np.inf))
    order = np.argsort(distances[1:], kind="stable")
    near = (made[i][0] for i in order if distances[1 + i] < within * distances[0] or distances[0] == 0)
    yield from islice(near, PROPOSED)


def _can_be(design: Design, changed: Design) -> bool:
    """Whether a cause leaves the steps, and the gradient where it was recorded, as they are."""
    if changed.steps != design.steps or not changed.consistent:
        return False
    as_given = changed.material is design.material and changed.form.in_gradient == design.form.in_gradient
    return as_given or not design.given
