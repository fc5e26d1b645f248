"""A free run of a design: what it would have come to from its own initial weights, in float64."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from parity.step.after import replayed
from parity.step.design import Design
from parity.step.engine import unchecked
from parity.step.passes import Pass
from refimpl.reductions import norm
from refimpl.training import scheduled
from refimpl.types import Array

Push = Callable[[int, dict[str, Array]], dict[str, Array]]


@dataclass(frozen=True, kw_only=True)
class FreeRun:
    """``weights`` by parameter ``(K + 1, runs, …)``; ``loss`` and ``objective`` of each batch ``(K, runs)``; ``norm``
    of the weights ``(K + 1, runs)``."""

    weights: Mapping[str, Array]
    loss: Array
    objective: Array
    norm: Array


def simulate(design: Design, *, runs: int = 1, push: Push | None = None) -> FreeRun:
    """Train; ``push(step, weights)`` returns the weights to go on with, to study how errors grow."""
    problem, dataset = design.form.in_gradient, design.material.dataset
    start = {name: np.repeat(values, runs, axis=0) for name, values in design.material.params.items()}
    weights, losses, objectives, raw = [start], [], [], []

    def gradient(k: int, params: dict[str, Array]) -> dict[str, Any]:
        rows = design.rows[k]
        made = Pass(design, np.array([k]), problem, params, dataset.X[:, rows], dataset.y[:, rows])
        losses.append(made.loss)
        objectives.append(problem.objective_from(made.loss, params))
        raw.append(design.raw([k], problem, made.data_gradient, params))
        mixed: dict[str, Any] = raw[-1]
        if design.mixing is not None:
            mixed = {name: sum(m * r[name] for m, r in zip(design.mixing[k], raw, strict=False)) for name in params}
        return design.seen([k], mixed) | {name: by[k : k + 1] for name, by in design.given.items()}

    def step(name: str, k: int, param: Any, given: Any, state: Any) -> tuple[Any, Any]:
        optimizer: Any = scheduled(design.form.optimizers[name], design.form.schedule, int(design.advances[k]))
        if name in design.decay_times:
            optimizer = unchecked(optimizer, weight_decay=optimizer.weight_decay * design.decay_times[name][k])
        return design.after(name, k, optimizer, param, given, state)

    state = {name: optimizer.init(start[name]) for name, optimizer in design.form.optimizers.items()}
    with np.errstate(all="ignore"):  # a run that diverges is shown as it is
        for k, made in enumerate(replayed(design.steps, lambda *_: weights[-1], gradient, step, state)):
            weights.append(made if push is None else push(k, made))
        norms = [norm(*(each[name] for name in problem.model.weights)) for each in weights]
    joined = {name: np.stack([each[name] for each in weights]) for name in start}
    return FreeRun(weights=joined, loss=np.stack(losses), objective=np.stack(objectives), norm=np.stack(norms))


def random_push(allowances: Mapping[str, Array], seed: int = 0) -> Push:
    """Each number moved at random within its allowance ``(K, …)``; the first run stays as it is."""
    rng = np.random.default_rng(seed)

    def push(step: int, params: dict[str, Array]) -> dict[str, Array]:
        moved = {}
        for name, values in params.items():
            by = rng.uniform(-1, 1, values.shape) * allowances[name][step]
            by[0] = 0
            moved[name] = values + np.where(np.isfinite(by), by, 0)
        return moved

    return push
