"""What is written into the weights between the steps: the end of one step beside the start of the next.

``before``: the weights right before an optimizer's step, ``after``: right after it. In correct code ``before`` of step
k is what was recorded after step k − 1, and ``after`` what is recorded next.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from parity.explain.cause import Cause
from parity.explain.measure.chain import Chain
from parity.explain.measure.series import steps_text
from parity.step.design import Design
from refimpl.types import Array

CHANGE = (
    "look for what writes the weights outside of the optimizer: averages copied back, clamps, loads of a checkpoint"
)


def causes(chain: Chain, design: Design) -> Iterator[Cause]:
    """The steps before which something else wrote the weights, from where the steps are then judged."""
    observed = chain.observed
    if observed is None or design.begins:
        return
    weights = chain.engine.recording.weights
    begins: dict[str, Array] = {}
    written = np.zeros(chain.steps, bool)
    for name, recorded in weights.items():
        before = observed.before.get(name)
        if before is None or len(before) != chain.steps:
            continue
        flat = np.asarray(before, float).reshape(recorded[1:].shape)
        known = np.isfinite(flat.reshape(chain.steps, -1)).all(axis=1)
        known &= np.asarray(observed.calls.get(name, np.ones(chain.steps))) == 1  # of several calls it is the last one
        off = known & (flat != recorded[:-1]).reshape(chain.steps, -1).any(axis=1)
        if off.any():
            begins[name] = np.where(off.reshape(-1, *(1,) * (flat.ndim - 1)), flat, recorded[:-1])
            written |= off
    if not begins or written[0]:
        return
    what = " and ".join(begins)
    how = _how(chain, begins, written)
    yield Cause(
        id="weights-written-between-steps",
        text=f"{what} {'are' if len(begins) > 1 else 'is'} written outside of the optimizer before "
        f"{steps_text(written, design.epoch)}{how}",
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
    ends: dict[str, Array] = {}
    written = np.zeros(chain.steps, bool)
    for name, recorded in weights.items():
        after = observed.after.get(name)
        if after is None or len(after) != chain.steps:
            continue
        flat = np.asarray(after, float).reshape(recorded[1:].shape)
        known = np.isfinite(flat.reshape(chain.steps, -1)).all(axis=1)
        off = known & (flat != recorded[1:]).reshape(chain.steps, -1).any(axis=1)
        if off.any():
            ends[name] = np.where(off.reshape(-1, *(1,) * (flat.ndim - 1)), flat, recorded[1:])
            written |= off
    if ends:
        what = " and ".join(ends)
        verb = "are" if len(ends) > 1 else "is"
        yield Cause(
            id="weights-written-after-step",
            text=f"{what} {verb} written outside of the optimizer after {steps_text(written, design.epoch)}"
            f"{_written(chain, ends, written)}",
            change=CHANGE,
            apply=lambda d: replace(d, ends={**d.ends, **ends}),
            evidence="what the optimizer left and what was recorded next are not the same",
        )


def _written(chain: Chain, ends: dict[str, Array], written: Array) -> str:
    """What was made of what the optimizer left: ``a`` before, ``w`` after."""
    name = "weight" if "weight" in ends else next(iter(ends))
    recorded = chain.engine.recording.weights[name]
    w, a = recorded.reshape(len(recorded), -1)[1:], ends[name].reshape(chain.steps, -1)
    steps = np.flatnonzero(written)
    room = 8 * chain.engine.recording.format(name).u * np.max(np.abs(a))
    cut = [(np.abs(a[k]) - np.abs(w[k]))[(w[k] != 0) & (a[k] != 0)] for k in steps]
    threshold = float(np.median(np.concatenate(cut))) if any(map(len, cut)) else 0.0
    soft = np.sign(a) * np.maximum(np.abs(a) - threshold, 0)
    if threshold > room and all(np.all(np.abs(w[k] - soft[k]) <= 2 * room) for k in steps):
        return (
            f": every number is moved by {threshold:.4g} towards 0 and stops there (soft threshold, a "
            "proximal step of L1)"
        )
    if all(np.all((w[k] == a[k]) | (w[k] == 0)) for k in steps):
        most = max(float(np.max(np.abs(a[k][w[k] == 0]), initial=0.0)) for k in steps)
        return f": numbers of up to {most:.4g} are set to 0 (hard threshold, pruning)"
    ratios = np.array([np.dot(w[k], a[k]) / np.dot(a[k], a[k]) for k in steps])
    if all(np.all(np.abs(w[k] - c * a[k]) <= room) for k, c in zip(steps, ratios, strict=True)):
        lengths = np.array([np.linalg.norm(w[k]) for k in steps])
        if len(steps) > 1 and np.ptp(lengths) <= room * np.sqrt(w.shape[1]) and np.ptp(ratios) > room:
            return f": they are cut to the norm {lengths[0]:.4g}"
        numbers = f"{ratios[0]:.6g}" if np.ptp(ratios) <= 1e-6 else ", ".join(f"{c:.6g}" for c in ratios[:4]) + " …"
        return f": they are multiplied by {numbers}"
    largest, smallest = float(np.max(w[steps])), float(np.min(w[steps]))
    if all(np.all(np.abs(w[k] - np.clip(a[k], smallest, largest)) <= room) for k in steps):
        return f": they are cut off at {smallest:.4g} and {largest:.4g}"
    moments = recorded.reshape(len(recorded), -1)
    if all(np.all(np.abs(w[k] - np.mean([*moments[1 : k + 1], a[k]], axis=0)) <= 8 * room) for k in steps):
        return ": with the mean of the weights after all steps so far"
    return ""


def _how(chain: Chain, begins: dict[str, Array], written: Array) -> str:
    """Whether what was written is an average of what was before, or a multiple of it."""
    name = "weight" if "weight" in begins else next(iter(begins))
    recorded = chain.engine.recording.weights[name]
    flat, new = recorded.reshape(len(recorded), -1), begins[name].reshape(chain.steps, -1)
    steps = np.flatnonzero(written)
    room = 64 * chain.engine.recording.format(name).u * np.max(np.abs(flat))
    means = np.cumsum(flat[1:], axis=0) / np.arange(1, len(flat))[:, None]
    if all(np.all(np.abs(new[k] - means[k - 1]) <= room) for k in steps):
        return ": the mean of the weights after all steps so far"
    ratios = np.array([np.dot(new[k], flat[k]) / np.dot(flat[k], flat[k]) for k in steps])
    if all(np.all(np.abs(new[k] - c * flat[k]) <= room) for k, c in zip(steps, ratios, strict=True)):
        numbers = ", ".join(f"{c:.6g}" for c in ratios[:4]) + (" …" if len(ratios) > 4 else "")
        lengths = np.array([np.linalg.norm(new[k]) for k in steps])
        if len(steps) > 1 and np.ptp(lengths) <= room * np.sqrt(flat.shape[1]) and np.ptp(ratios) > room:
            return f": they are cut to the norm {lengths[0]:.4g}"
        return f": they are multiplied by {numbers}"
    if all(any(np.array_equal(new[k], old) for old in flat[:k]) for k in steps):
        where = [next(i for i, old in enumerate(flat[:k]) if np.array_equal(new[k], old)) for k in steps]
        return f": with those of an earlier moment, before step {', '.join(map(str, where[:4]))}"
    return ""
