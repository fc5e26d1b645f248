"""What was rounded to a narrower format on its way: inputs, targets, the weights of the forward pass, gradients."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from functools import partial

import numpy as np

from parity.explain.cause import Cause
from parity.explain.measure.chain import Chain
from parity.explain.names.seen import as_recorded
from parity.explain.words import cause
from parity.step.design import Design
from refimpl.arithmetic.formats import FORMATS, Format
from refimpl.types import Array

NARROW = ("float32", "bfloat16", "float16")


def causes(chain: Chain) -> Iterator[Cause]:
    """The causes that give the measured gradient."""
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
        if all(_rounded(recorded.get(n), each, format) for n, each in asked.items()):
            yield cause(f"gradient-{name}", as_recorded(chain).apply, of="gradient-rounded", name=name)
            return


def _rounded(recorded: Array | None, asked: Array, format: Format) -> bool:
    """Whether numbers are the asked ones, rounded to a format; two roundings apart at most."""
    if recorded is None or not np.isfinite(recorded).all():
        return False
    values = np.asarray(recorded, float).reshape(asked.shape)
    return bool(np.all(format.round(values) == values) and np.all(np.abs(values - asked) <= 2 * format.half_ulp(asked)))
