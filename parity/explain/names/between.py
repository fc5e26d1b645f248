"""What writes the weights beside the optimizer: the end of one step beside the start of the next.

``before``: the weights right before an optimizer's step, ``after``: right after it. In correct code ``before`` of step
k is what was recorded after step k − 1, and ``after`` what is recorded next.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace

import numpy as np

from parity.explain.cause import Cause, cause
from parity.explain.measure.chain import Chain
from parity.explain.measure.series import steps_text
from parity.explain.names import history
from parity.step.design import Design
from parity.step.engine import Engine
from refimpl.types import Array

SOLVED = 60
"""Iterations in which the beginning of a step is solved for; each leaves η times the curvature of the distance."""


def causes(chain: Chain, design: Design) -> Iterator[Cause]:
    """The steps before which something else wrote the weights, from where the steps are then judged."""
    observed, weights = chain.observed, chain.engine.recording.weights
    if observed is None or design.begins:
        return
    last = {n: np.asarray(observed.calls.get(n, np.ones(chain.steps))) == 1 for n in weights}  # else it is of the last
    begins, written = _off(chain, observed.before, {name: values[:-1] for name, values in weights.items()}, last)
    if not begins or written[0]:
        return
    recorded = _flat({name: weights[name] for name in begins})
    moments = [recorded[: k + 1] for k in range(chain.steps)]
    points = {
        n: np.asarray(observed.points[n], float) for n in begins if len(observed.points.get(n, ())) == chain.steps
    }
    at = {n: values.reshape(begins[n].shape) for n, values in points.items() if np.isfinite(values).all()}
    late = at.keys() == begins.keys() and any((at[n] != begins[n]).any() for n in at)  # between backward and update
    yield cause(
        "weights-written-between-steps",
        lambda d: replace(d, begins={**d.begins, **begins}, at={**d.at, **at} if late else d.at),
        where=_where(chain, begins, written, "between the backward pass and the update of" if late else "before"),
        how=_how(chain, _flat(begins), moments, written),
        evidence="the weights at the end of a step and at the beginning of the next are not the same",
    )


def left_behind(chain: Chain, design: Design) -> Iterator[Cause]:
    """Weights that no longer move from some step on, while the optimizer goes on with tensors that are not these."""
    observed, weights = chain.observed, chain.engine.recording.weights
    if observed is None or design.begins or design.calls is not None:
        return
    recorded, after = _flat(weights)[1:], {n: v for n, v in observed.after.items() if len(v) == chain.steps}
    moved = np.flatnonzero((np.diff(_flat(weights), axis=0) != 0).any(axis=1))
    first = int(moved[-1]) + 1 if len(moved) else 0
    elsewhere = after.keys() == weights.keys() and bool((_flat(after)[first:] != recorded[first:]).any())
    unfed = all(n in observed.seen and np.isnan(observed.seen[n][first:]).all() for n in weights)
    backward = all(n in observed.raw and np.isfinite(observed.raw[n][first:]).all() for n in weights)
    if chain.steps - first > 1 and (elsewhere or (unfed and backward)):
        calls = (np.arange(chain.steps) < first).astype(int)
        yield cause("optimizer-holds-other-tensors", lambda d: replace(d, calls=calls), step=first)


def unseen(chain: Chain, design: Design) -> Iterator[Cause]:
    """Some steps that begin with other weights than were recorded before them, where nothing saw what they began with.

    What they began with is solved for, b ← b + (recorded − step(b)), and is a cause only where it is known what it is
    made of: else it would explain any step.
    """
    weights, observed = chain.engine.recording.weights, chain.observed
    seen = {} if observed is None else observed.before
    if np.isfinite(seen.get("weight", np.nan)).all() or design.begins or design.at or design.steps != chain.steps:
        return
    room = chain.engine.allowances(design)
    predicted = chain.engine.weights([design])
    off = {n: np.abs(predicted[n][0] - its[1:]).reshape(chain.steps, -1) > room[n] for n, its in weights.items()}
    wrong = np.any([each.any(axis=1) for each in off.values()], axis=0)
    if not wrong.any() or 3 * wrong.sum() > chain.steps:
        return
    begins = {n: its[:-1] for n, its in weights.items()}
    for _ in range(SOLVED):
        made = Engine(chain.engine.recording).weights([replace(design, begins=begins)])
        moved = {n: np.where(_each(wrong, its[1:]), its[1:] - made[n][0], 0.0) for n, its in weights.items()}
        begins = {n: begins[n] + each for n, each in moved.items()}
        if all(np.all(np.abs(each) <= chain.unit * np.abs(begins[n])) for n, each in moved.items()):
            break
    if not all(np.isfinite(each).all() for each in begins.values()):
        return
    begins = {n: b for n, b in begins.items() if np.any(np.abs(b - weights[n][:-1]).reshape(room[n].shape) > room[n])}
    flat = _flat({n: weights[n] for n in begins})
    if not begins:
        return
    how = history.said(_flat(begins), [flat[: k + 1] for k in range(chain.steps)], np.flatnonzero(wrong), chain.unit)
    if how:
        yield cause(
            "weights-written-between-steps",
            lambda d: replace(d, begins={**d.begins, **begins}),
            where=_where(chain, begins, wrong, "before"),
            how=f": {how}",
            evidence="the weights that these steps began with were solved for",
        )


def late(chain: Chain, design: Design) -> Iterator[Cause]:
    """The steps after which something else wrote the weights before they were recorded."""
    observed, weights = chain.observed, chain.engine.recording.weights
    if observed is None or design.ends:
        return
    ends, written = _off(chain, observed.after, {name: values[1:] for name, values in weights.items()}, {})
    if not ends:
        return
    recorded = _flat({name: weights[name] for name in ends})
    how = _of_replicas(chain, ends, observed.averaged, written)
    left = np.concatenate([recorded[:1], _flat(ends)])
    moments = [left[: k + 2] for k in range(chain.steps)]
    yield cause(
        "weights-written-after-step",
        lambda d: replace(d, ends={**d.ends, **ends}),
        where=_where(chain, ends, written, "after"),
        how=how or _how(chain, recorded[1:], moments, written),
        evidence="what the optimizer left and what was recorded next are not the same",
    )


def _off(
    chain: Chain, seen: Mapping[str, Array], recorded: Mapping[str, Array], asked: Mapping[str, Array]
) -> tuple[dict[str, Array], Array]:
    """The values of each parameter that was written, as seen or else as recorded, and the steps in which it was."""
    values: dict[str, Array] = {}
    written = np.zeros(chain.steps, bool)
    for name, its in recorded.items():
        if name not in seen or len(seen[name]) != chain.steps:
            continue
        mine = np.asarray(seen[name], float).reshape(its.shape)
        known = np.isfinite(mine.reshape(chain.steps, -1)).all(axis=1) & asked.get(name, True)
        off = known & (mine != its).reshape(chain.steps, -1).any(axis=1)
        if off.any():
            values[name] = np.where(_each(off, its), mine, its)
            written |= off
    return values, written


def _each(steps: Array, values: Array) -> Array:
    """One number of each step, shaped to meet the values of a parameter ``(K, …)``."""
    return steps.reshape(-1, *(1,) * (values.ndim - 1))


def _flat(values: Mapping[str, Array]) -> Array:
    """All parameters of each moment in one row."""
    return np.concatenate([each.reshape(len(each), -1) for each in values.values()], axis=1)


def _where(chain: Chain, values: Mapping[str, Array], written: Array, when: str) -> str:
    """Which parameters were written, and in which steps."""
    what = f"{' and '.join(values)} {'are' if len(values) > 1 else 'is'}"
    return f"{what} written outside of the optimizer {when} {steps_text(written, chain.design.epoch)}"


def _of_replicas(chain: Chain, names: Mapping[str, Array], averaged: Mapping[str, Array], written: Array) -> str:
    """Whether what was written is the mean of weights of which each was stepped by itself, as by local SGD."""
    for name in names:
        mean = averaged.get(name)
        its = chain.engine.recording.weights[name][1:][written]
        if mean is None or np.any(
            ~(np.abs(mean.reshape(-1, *its.shape[1:])[written] - its) <= 4 * chain.unit * np.abs(its))
        ):
            return ""
    return (
        ": with the mean over replicas of which each was stepped with its own gradient, which is another thing than a "
        "step with the mean of their gradients (what follows is of the first replica)"
    )


def _how(chain: Chain, new: Array, moments: list[Array], written: Array) -> str:
    """Say what the written weights were made of, where that is known."""
    how = history.said(new, moments, np.flatnonzero(written), chain.unit)
    return f": {how}" if how else ""
