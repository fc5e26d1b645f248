"""Arithmetic that is narrower than the run says, and numbers that were rounded to a narrower format on their way."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from functools import partial

import numpy as np

from parity.explain.catalogue import NARROWER
from parity.explain.cause import Cause, cause, cause_of
from parity.explain.measure.chain import Chain
from parity.explain.names.option import nearest
from parity.explain.names.seen import as_recorded
from parity.step.design import Design
from parity.step.engine import Engine
from parity.step.recording import narrower
from refimpl.arithmetic.formats import FORMATS, Format
from refimpl.types import Array


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


NARROW = ("float32", "bfloat16", "float16")


def rounded(chain: Chain) -> Iterator[Cause]:
    """Inputs, targets, the weights of the forward pass, gradients: rounded to a narrower format."""
    for name in NARROW:
        format = FORMATS[name]
        if format.digits >= FORMATS[chain.engine.recording.dtype].digits:
            continue
        yield from _gradients(chain, name, format)
        for id, what, apply in (
            ("inputs", "the inputs are", partial(_data, names=("X",), format=format)),
            ("targets", "the targets are", partial(_data, names=("y",), format=format)),
            ("data", "inputs and targets are", partial(_data, names=("X", "y"), format=format)),
            ("copy", "the gradient is taken at a copy of the weights that is", partial(_copy, chain, format)),
        ):
            dtype = chain.engine.recording.dtype
            yield cause(f"{id}-{name}", apply, of="rounded", what=what, name=name, dtype=dtype)


def _data(design: Design, names: tuple[str, ...], format: Format) -> Design:
    """Rounded inputs or targets."""
    dataset = design.material.dataset
    X, y = (np.asarray(format.round(a) if n in names else a, float) for n, a in (("X", dataset.X), ("y", dataset.y)))
    return design.with_data(X=X, y=y)


def _copy(chain: Chain, format: Format, design: Design) -> Design:
    """The gradient taken at rounded weights."""
    weights = chain.engine.recording.weights
    return replace(design, at={name: np.asarray(format.round(each[:-1]), float) for name, each in weights.items()})


def _gradients(chain: Chain, name: str, format: Format) -> Iterator[Cause]:
    """Gradients of which every number is one of the format, and next to the asked one."""
    observed = chain.observed
    if observed is None or chain.given is None or chain.given.source == "weights":
        return
    total = chain.asked.whole
    data = {**total, "weight": chain.asked.data}
    for recorded, asked in ((r, a) for r in (observed.seen, observed.raw) for a in (data, total)):
        if all(_is_rounded(recorded.get(n), each, format) for n, each in asked.items()):
            yield cause(f"gradient-{name}", as_recorded(chain).apply, of="gradient-rounded", name=name)
            return


def _is_rounded(recorded: Array | None, asked: Array, format: Format) -> bool:
    """Whether numbers are the asked ones, rounded to a format; two roundings apart at most."""
    if recorded is None or not np.isfinite(recorded).all():
        return False
    values = np.asarray(recorded, float).reshape(asked.shape)
    return bool(np.all(format.round(values) == values) and np.all(np.abs(values - asked) <= 2 * format.half_ulp(asked)))
