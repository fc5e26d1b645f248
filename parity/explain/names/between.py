"""What writes the weights beside the optimizer: the end of one step beside the start of the next.

``before``: the weights right before an optimizer's step, ``after``: right after it. In correct code ``before`` of step
k is what was recorded after step k − 1, and ``after`` what is recorded next.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace

import numpy as np

from parity.explain.cause import Cause
from parity.explain.measure.chain import Chain
from parity.explain.measure.series import steps_text
from parity.explain.names import history
from parity.step.design import Design
from refimpl.types import Array

CHANGE = (
    "look for what writes the weights outside of the optimizer: averages that stay in the model after an evaluation, "
    "clamps, loads of a checkpoint"
)


def causes(chain: Chain, design: Design) -> Iterator[Cause]:
    """The steps before which something else wrote the weights, from where the steps are then judged."""
    observed = chain.observed
    if observed is None or design.begins:
        return
    weights = chain.engine.recording.weights
    last = {n: np.asarray(observed.calls.get(n, np.ones(chain.steps))) == 1 for n in weights}  # else it is of the last
    begins, written = _off(chain, observed.before, {name: values[:-1] for name, values in weights.items()}, last)
    if not begins or written[0]:
        return
    recorded = _flat({name: weights[name] for name in begins})
    moments = [recorded[: k + 1] for k in range(chain.steps)]
    how = history.said(_flat(begins), moments, np.flatnonzero(written), _u(chain))
    yield Cause(
        id="weights-written-between-steps",
        text=f"{_what(begins)} written outside of the optimizer before {steps_text(written, design.epoch)}"
        + (f": {how}" if how else ""),
        change=CHANGE,
        apply=lambda d: replace(d, begins={**d.begins, **begins}),
        evidence="the weights at the end of a step and at the beginning of the next are not the same",
    )


def late(chain: Chain, design: Design) -> Iterator[Cause]:
    """The steps after which something else wrote the weights before they were recorded."""
    observed = chain.observed
    if observed is None or design.ends:
        return
    weights = chain.engine.recording.weights
    ends, written = _off(chain, observed.after, {name: values[1:] for name, values in weights.items()}, {})
    if not ends:
        return
    of = {name: weights[name] for name in ends}
    left = np.concatenate([_flat({name: values[:1] for name, values in of.items()}), _flat(ends)])
    moments = [left[: k + 2] for k in range(chain.steps)]
    how = history.said(_flat(of)[1:], moments, np.flatnonzero(written), _u(chain))
    yield Cause(
        id="weights-written-after-step",
        text=f"{_what(ends)} written outside of the optimizer after {steps_text(written, design.epoch)}"
        + (f": {how}" if how else ""),
        change=CHANGE,
        apply=lambda d: replace(d, ends={**d.ends, **ends}),
        evidence="what the optimizer left and what was recorded next are not the same",
    )


def _off(
    chain: Chain, seen: Mapping[str, Array], recorded: Mapping[str, Array], asked: Mapping[str, Array]
) -> tuple[dict[str, Array], Array]:
    """Of each parameter that was written: what was seen, else what was recorded; and the steps in which it was."""
    values: dict[str, Array] = {}
    written = np.zeros(chain.steps, bool)
    for name, its in recorded.items():
        if name not in seen or len(seen[name]) != chain.steps:
            continue
        mine = np.asarray(seen[name], float).reshape(its.shape)
        known = np.isfinite(mine.reshape(chain.steps, -1)).all(axis=1) & asked.get(name, True)
        off = known & (mine != its).reshape(chain.steps, -1).any(axis=1)
        if off.any():
            values[name] = np.where(off.reshape(-1, *(1,) * (its.ndim - 1)), mine, its)
            written |= off
    return values, written


def _flat(values: Mapping[str, Array]) -> Array:
    """All parameters of each moment in one row."""
    return np.concatenate([each.reshape(len(each), -1) for each in values.values()], axis=1)


def _u(chain: Chain) -> float:
    return max(chain.engine.recording.format(name).u for name in chain.engine.recording.weights)


def _what(values: Mapping[str, Array]) -> str:
    return f"{' and '.join(values)} {'are' if len(values) > 1 else 'is'}"
