"""Arithmetic that is narrower than the run says: the same formulas, rounded otherwise."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from functools import partial

import numpy as np

from parity.explain.catalogue import NARROWER
from parity.explain.cause import Cause, cause_of
from parity.explain.names.nearest import nearest
from parity.explain.words import cause
from parity.step.design import Design
from parity.step.engine import Engine
from parity.step.recording import narrower
from refimpl.arithmetic.formats import FORMATS


def weights(engine: Engine) -> Iterator[Cause]:
    """Weights that are rounded after each step, where all of them are numbers of a narrower format."""
    format = narrower(engine.recording)
    if format in ("bfloat16", "float16"):
        yield cause_of(NARROWER[f"precision-{format}-weights"])


def steps(engine: Engine) -> Iterator[Cause]:
    """Steps that are numbers of a narrower format, added to the weights in theirs.

    In the run's own format a step w' − w lies this near to such a number by chance with the probability room ÷ half a
    unit of its last place; of all elements together it must be below the unit roundoff.
    """
    for name in ("bfloat16", "float16", "float32"):
        narrow, chance = FORMATS[name], 0.0
        for parameter, w in engine.recording.weights.items():
            own, step = engine.recording.format(parameter), np.diff(w, axis=0)
            room, half = own.half_ulp(np.abs(w[1:])) + own.half_ulp(np.abs(w[:-1])), narrow.half_ulp(np.abs(step))
            told = (room < half) & (step != 0)
            kept = bool(np.all(narrow.round(w) == w))  # then it is the weights that are narrow
            if kept or narrow.digits >= own.digits or np.any(np.abs(step - narrow.round(step))[told] > room[told]):
                break
            chance += float(np.sum(np.log(room[told] / half[told])))
        else:
            if chance < np.log(max(engine.recording.format(parameter).u for parameter in engine.recording.weights)):
                yield cause(
                    f"precision-{name}-update",
                    partial(replace, update_format=name),
                    of="precision-update",
                    evidence=f"every step w' − w is a {name} number to the last digit",
                    name=name,
                    dtype=engine.recording.dtype,
                )
                return


def causes(design: Design, engine: Engine) -> Iterator[Cause]:
    """Those whose steps are nearest to the recorded ones: by the median, as few roundings that differ are large."""
    if design.steps == engine.recording.steps:
        yield from nearest(engine, design, map(cause_of, NARROWER.values()), size=np.median)
