"""Arithmetic that is narrower than the run says: the same formulas, rounded otherwise."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from parity.explain.catalogue import NARROWER
from parity.explain.cause import Cause, cause_of
from parity.step.design import Design
from parity.step.engine import Engine
from parity.step.recording import narrower
from refimpl.types import Array

PROPOSED = 5
"""Formats and places, the nearest first."""


def weights(engine: Engine) -> Iterator[Cause]:
    """Weights that are rounded after each step, where all of them are numbers of a narrower format."""
    format = narrower(engine.recording)
    if format in ("bfloat16", "float16"):
        yield cause_of(NARROWER[f"precision-{format}-weights"])


def causes(design: Design, engine: Engine) -> Iterator[Cause]:
    """Those whose steps are nearest to the recorded ones: by the median, as few roundings that differ are large."""
    if design.steps != engine.recording.steps:
        return
    every = [cause_of(one) for one in NARROWER.values()]
    made = [(cause, changed) for cause in every if (changed := cause.to(design)) is not None]
    with np.errstate(all="ignore"):
        predicted = engine.weights([design, *(changed for _, changed in made)])
    distances = np.zeros(len(made) + 1)
    for name, values in predicted.items():
        off: Array = np.abs(values - engine.recording.weights[name][1:]).reshape(len(values), -1)
        distances += np.where(np.isfinite(off).all(axis=1), np.median(off, axis=1), np.inf)
    for i in np.argsort(distances[1:], kind="stable")[:PROPOSED]:
        if distances[1 + i] < distances[0] or distances[0] == 0:
            yield made[i][0]
