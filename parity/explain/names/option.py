"""A cause as one of several that may explain a part of the measured gradient."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations, islice
from typing import Any

import numpy as np

from parity.explain.cause import Cause
from parity.explain.measure.chain import Chain
from parity.explain.names import bias, losses, mixup, penalty, targets, weights
from parity.step.design import Design
from parity.step.engine import Engine
from refimpl.types import Array

PARTS = ("data", "penalty", "bias")
"""The parts of a gradient: that of the rows, what is added to the weight's part, what is added to the bias's part."""


@dataclass(frozen=True)
class Option:
    """``cause`` explains ``parts`` of the gradient: there it has what was measured, elsewhere what was asked."""

    cause: Cause
    parts: frozenset[str]


def covers(options: Sequence[Option], deviating: frozenset[str]) -> Iterator[tuple[Cause, ...]]:
    """Sets of causes that together explain all parts that deviate, each part once; few causes and numbers first."""
    inside = [option for option in options if option.parts <= deviating]
    made: list[tuple[Cause, ...]] = []
    for size in range(1, len(deviating) + 1):
        for some in combinations(inside, size):
            parts = [part for option in some for part in option.parts]
            if len(parts) == len(set(parts)) and frozenset(parts) == deviating:
                made.append(tuple(option.cause for option in some))
    made.sort(key=lambda causes: (sum(not c.named for c in causes), len(causes), sum(c.numbers for c in causes)))
    yield from made


def held(chain: Chain, causes: Iterable[Cause]) -> Iterator[Cause]:
    """Those of some causes that give the measured gradient."""
    yield from (cause for cause in causes if holds(chain, cause))


def holds(chain: Chain, cause: Cause) -> bool:
    """Whether the gradient of the asked design with a cause in it is the measured one."""
    design = cause.to(chain.design)
    parts = chain.parts(design) if design is not None and design.consistent else None
    return parts is not None and chain.same("weight", parts) and chain.same("total_bias", parts)


FILES = {"data": (losses, targets, mixup, weights), "penalty": (penalty,), "bias": (bias,)}


def of_parts(chain: Chain, deviating: frozenset[str]) -> Iterator[Option]:
    """Causes of the parts that deviate, named ones before descriptions."""
    for part, files in FILES.items():
        for file in files if part in deviating else ():
            for cause in file.causes(chain):
                yield Option(cause, frozenset({part}))


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
