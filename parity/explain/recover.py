"""Rows and targets as a run really used them, solved for from its steps.

The optimizers of SGD's family are affine in the gradient, elementwise: w⁺ = a + s·g with a, s known from the state. So
each recorded step gives its gradient back, g = (w⁺ − a)/s, and without the penalties' part the data gradient

    d_k = Σ_{i ∈ B_k} δ_i [x_i, 1],      δ_i = L′(ŷ_i, y_i)

Against the rows that were asked for, d_k is solved for δ, and δ for the targets. If that is no permutation of the true
targets, d_k is instead put together from the true rows: as weights and targets are known, so is every δ_i[x_i, 1], and
the batch is the set of rows whose sum is d_k. For other optimizers the step of every set of rows is computed, where
there are not too many.
"""

from __future__ import annotations

import math
from itertools import combinations, pairwise
from typing import Any

import numpy as np

from parity.explain.hypotheses import Hypothesis
from parity.step.design import Design
from parity.step.recording import Recording
from refimpl.losses import SquaredError
from refimpl.models import Linear
from refimpl.optimizers import SGD, SGDW
from refimpl.training import scheduled
from refimpl.types import Array

AFFINE = (SGD, SGDW)
MOST_SETS = 300_000
"""Sets of rows that are looked through for each step."""
MOST_TRIED = 60_000
"""… where each of them is a step of the optimizer."""
CLOSE = 1e-3
"""Relative error up to which a solution counts: the exact design that is made of it is judged afterwards."""

TARGETS_SHUFFLED = Hypothesis(
    id="targets-shuffled",
    kind="data",
    text="targets belong to other rows: they are the right numbers in another order",
    change="index X and y with the same rows, or shuffle them together",
    probe="one row: its target",
    apply=lambda design, _: design,
)
OTHER_ORDER = Hypothesis(
    id="batches-other-order",
    kind="data",
    text="batches have other rows than those that were handed out: the order is another",
    change="take the batches as they are handed out, to compare step by step",
    probe="the full batch, where the order of rows makes no difference",
    apply=lambda design, _: design,
)


def recover(design: Design, recording: Recording) -> list[tuple[Hypothesis, Design]]:
    """Designs with targets or batches as they were used; empty where they cannot be solved for."""
    problem = design.form.in_gradient
    solvable = isinstance(problem.loss, SquaredError) and type(problem.model) is Linear and design.mixing is None
    if not solvable or design.steps != recording.steps:
        return []
    with np.errstate(all="ignore"):
        if all(type(optimizer) in AFFINE for optimizer in design.form.optimizers.values()):
            gradients = _data_gradients(design, recording)
            order = _reordered(design, recording, gradients)
            found = [(TARGETS_SHUFFLED, _shuffled(design, recording, gradients)), (OTHER_ORDER, order)]
        else:
            found = [(OTHER_ORDER, _tried(design, recording))]
    return [(hypothesis, changed) for hypothesis, changed in found if changed is not None]


def _data_gradients(design: Design, recording: Recording) -> Array:
    """d_k of all parameters in a row, ``(K, q)``."""
    rows = []
    for name, weights in recording.weights.items():
        base = design.form.optimizers[name]
        penalties = [penalty for n, penalty in design.form.in_gradient.terms if n == name]
        state: Any = base.init(weights[:1])
        found = []
        for k in range(recording.steps):
            optimizer = scheduled(base, design.form.schedule, int(design.advances[k]))
            w = weights[k : k + 1]
            at_0, at_1 = (optimizer.step(w, np.full_like(w, g), state)[0] for g in (0.0, 1.0))
            g = (weights[k + 1 : k + 2] - at_0) / (at_1 - at_0)
            _, state = optimizer.step(w, g, state)
            found.append((g - sum(penalty.subgradient(w) for penalty in penalties)).reshape(-1))
        rows.append(np.array(found))
    return np.concatenate(rows, axis=1)


def _parts(design: Design, recording: Recording, k: int, rows: Array) -> tuple[Array, Array, Array, float]:
    """``[x_i, 1]``, outputs and targets of some rows at step k, and 2c/n of a batch of the step's size."""
    loss: Any = design.form.in_gradient.loss
    X, y = design.material.dataset.X[0, rows], design.material.dataset.y[0, rows, 0]
    params = {name: values[k : k + 1] for name, values in recording.weights.items()}
    outputs = design.form.in_gradient.model.forward(params, X[None])[0, :, 0]
    extended = np.concatenate([X, np.ones((len(rows), 1))], axis=1) if "bias" in params else X
    n = len(design.rows[k]) if loss.reduction == "mean" else 1
    return extended, outputs, y, 2 * float(loss.factor) / n


def _shuffled(design: Design, recording: Recording, gradients: Array) -> Design | None:
    """The targets that explain every step, if they are the true ones in another order."""
    y = design.material.dataset.y[0, :, 0]
    used = np.full(len(y), np.nan)
    for k, rows in enumerate(design.rows):
        extended, outputs, _, scale = _parts(design, recording, k, rows)
        if len(rows) > extended.shape[1]:
            return None
        delta = np.linalg.lstsq(extended.T, gradients[k], rcond=None)[0]
        if np.linalg.norm(extended.T @ delta - gradients[k]) > CLOSE * np.linalg.norm(gradients[k]):
            return None
        targets = outputs - delta / scale
        before = used[rows]
        if np.any(np.abs(targets - before) > CLOSE * np.max(np.abs(y))):
            return None  # not the same from epoch to epoch
        used[rows] = np.where(np.isnan(before), targets, before)
    if np.isnan(used).any():
        return None
    nearest = np.argmin(np.abs(used[:, None] - y[None, :]), axis=1)
    moved = not np.array_equal(nearest, np.arange(len(y)))
    if not moved or np.max(np.abs(used - y[nearest])) > CLOSE * np.max(np.abs(y)):
        return None
    return design.with_data(y=y[nearest][None, :, None])


def _reordered(design: Design, recording: Recording, gradients: Array) -> Design | None:
    """The sets of rows whose gradients add up to those of the steps."""
    n = design.material.dataset.X.shape[1]
    every = np.arange(n)
    batches = []
    for k, asked in enumerate(design.rows):
        extended, outputs, y, scale = _parts(design, recording, k, every)
        contributions = (scale * (outputs - y))[:, None] * extended  # δ_i [x_i, 1]
        rows = _subset(contributions, gradients[k], len(asked))
        if rows is None:
            return None
        batches.append(rows)
    return _in_epochs(design, batches)


def _in_epochs(design: Design, batches: list[Array]) -> Design | None:
    """The design with these batches; None where they are those that were asked for."""
    ends = np.cumsum([0, *(len(epoch) for epoch in design.material.order)])
    order = tuple(tuple(batches[a:b]) for a, b in pairwise(ends))
    same = all(set(a) == set(b) for a, b in zip(batches, design.rows, strict=True))
    return None if same else design.with_order(order)


def _tried(design: Design, recording: Recording) -> Design | None:
    """For any optimizer: the sets of rows whose step is the recorded one."""
    n = design.material.dataset.X.shape[1]
    if any(math.comb(n, len(rows)) > MOST_TRIED for rows in design.rows):
        return None
    sets = {size: np.array(list(combinations(range(n), size))) for size in {len(rows) for rows in design.rows}}
    state: dict[str, Any] = {name: o.init(recording.weights[name][:1]) for name, o in design.form.optimizers.items()}
    batches = []
    for k, asked in enumerate(design.rows):
        extended, outputs, y, scale = _parts(design, recording, k, np.arange(n))
        some = sets[len(asked)]
        sums = ((scale * (outputs - y))[:, None] * extended)[some].sum(axis=1)
        error, room, start, given = np.zeros(len(some)), 0.0, 0, {}
        for name, weights in recording.weights.items():
            w, size = weights[k : k + 1], weights[k].size
            penalties = [penalty for other, penalty in design.form.in_gradient.terms if other == name]
            g = sums[:, start : start + size].reshape(-1, *w.shape[1:])
            given[name] = g + sum(penalty.subgradient(w) for penalty in penalties)
            start += size
            optimizer = scheduled(design.form.optimizers[name], design.form.schedule, int(design.advances[k]))
            repeated = {key: np.repeat(values, len(some), axis=0) for key, values in state[name].items()}
            after, _ = optimizer.step(np.repeat(w, len(some), axis=0), given[name], repeated)
            error = error + ((after - weights[k + 1]).reshape(len(some), -1) ** 2).sum(axis=1)
            rounding = 4 * recording.formats[name].u * np.abs(weights[k + 1])
            room += float(np.sum((CLOSE * np.abs(weights[k + 1] - w) + rounding) ** 2))
        at = int(np.argmin(error))
        if not error[at] <= room:
            return None
        for name, weights in recording.weights.items():
            optimizer = scheduled(design.form.optimizers[name], design.form.schedule, int(design.advances[k]))
            _, state[name] = optimizer.step(weights[k : k + 1], given[name][at : at + 1], state[name])
        batches.append(some[at])
    return _in_epochs(design, batches)


def _subset(contributions: Array, whole: Array, size: int) -> Array | None:
    """The rows, ``size`` of them, whose contributions add up to ``whole``."""
    n, q = contributions.shape
    if q >= n:  # one solution, of ones and zeros
        solution = np.linalg.lstsq(contributions.T, whole, rcond=None)[0]
        rows = np.flatnonzero(solution > 0.5)
        return rows if len(rows) == size and _adds_up(contributions, whole, rows) else None
    if math.comb(n, size) > MOST_SETS:
        return None
    sets = np.array(list(combinations(range(n), size)))
    direction = whole / np.linalg.norm(whole)
    sums = (contributions @ direction)[sets].sum(axis=1)
    for at in np.argsort(np.abs(sums - np.linalg.norm(whole)))[:2000]:
        if _adds_up(contributions, whole, sets[at]):
            found: Array = sets[at]
            return found
    return None


def _adds_up(contributions: Array, whole: Array, rows: Array) -> bool:
    return bool(np.linalg.norm(contributions[rows].sum(axis=0) - whole) <= CLOSE * np.linalg.norm(whole))
