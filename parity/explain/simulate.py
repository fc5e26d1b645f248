"""A free run of a design: what it would have come to from its own initial weights, in float64."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from parity.explain.design import Design
from parity.explain.predict import unchecked
from refimpl.arithmetic.sums import add_in_any_order
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


@np.errstate(all="ignore")  # a run that diverges is shown as it is
def simulate(design: Design, *, runs: int = 1, push: Push | None = None) -> FreeRun:
    """Train; ``push(step, weights)`` returns the weights to go on with, to study how errors grow."""
    problem, dataset = design.form.in_gradient, design.material.dataset
    params = {name: np.repeat(values, runs, axis=0) for name, values in design.material.params.items()}
    state: dict[str, Any] = {name: o.init(params[name]) for name, o in design.form.optimizers.items()}
    weights, losses, objectives, raw = [params], [], [], []
    for k, rows in enumerate(design.rows):
        X, y = dataset.X[:, rows], dataset.y[:, rows]
        outputs = problem.model.forward(params, X)
        losses.append(problem.loss.value(outputs, y))
        objectives.append(problem.objective_from(losses[-1], params))
        terms = {name: [g] for name, g in problem.model.backward(params, X, problem.loss.gradient(outputs, y)).items()}
        for name, penalty in problem.terms:
            times = 1.0 if design.penalty_times is None else design.penalty_times[k]
            terms[name].append(times * penalty.subgradient(params[name]))
        raw.append({name: add_in_any_order(some) for name, some in terms.items()})
        gradient: dict[str, Any] = raw[-1]
        if design.mixing is not None:
            gradient = {name: sum(m * r[name] for m, r in zip(design.mixing[k], raw, strict=False)) for name in params}
        for twist in design.twists:
            gradient = twist(gradient)
        after = {}
        for name, base in design.form.optimizers.items():
            optimizer: Any = scheduled(base, design.form.schedule, int(design.advances[k]))
            if name in design.decay_times:
                optimizer = unchecked(optimizer, weight_decay=optimizer.weight_decay * design.decay_times[name][k])
            after[name], state[name] = design.after(name, k, optimizer, params[name], gradient[name], state[name])
        params = after if push is None else push(k, after)
        weights.append(params)
    norms = [norm(*(each[name] for name in problem.model.weights)) for each in weights]
    joined = {name: np.stack([each[name] for each in weights]) for name in params}
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
