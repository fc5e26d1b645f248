"""A free run of a design: what it would have come to from its own initial weights, in float64."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from parity.step.after import replayed
from parity.step.design import Design, joining
from parity.step.engine import unchecked
from parity.step.passes import Pass
from refimpl.reductions import norm
from refimpl.training import scheduled
from refimpl.types import Array

Push = Callable[[int, dict[str, Array]], dict[str, Array]]


@dataclass(frozen=True, kw_only=True)
class Simulation:
    """``weights`` by parameter ``(K + 1, runs, …)``; ``loss`` and ``objective`` of each batch ``(K, runs)``; ``norm``
    of the weights ``(K + 1, runs)``."""

    weights: Mapping[str, Array]
    loss: Array
    objective: Array
    norm: Array


def simulate(design: Design, *, runs: int = 1, push: Push | None = None) -> Simulation:
    """Train; ``push(step, weights)`` returns the weights to go on with, to study how errors grow."""
    inputs = {"X": design.material.dataset.X, "y": design.material.dataset.y}
    start = {name: np.repeat(values, runs, axis=0) for name, values in design.material.params.items()}
    moments = list(trained(design, start, inputs, push))
    weights = [start, *(params for params, _, _ in moments)]
    with np.errstate(all="ignore"):
        norms = [norm(*(each[name] for name in design.form.in_gradient.model.weights)) for each in weights]
    joined = {name: np.stack([each[name] for each in weights]) for name in start}
    losses, objectives = [loss for _, loss, _ in moments], [objective for *_, objective in moments]
    return Simulation(weights=joined, loss=np.stack(losses), objective=np.stack(objectives), norm=np.stack(norms))


def trained(
    design: Design, start: dict[str, Array], inputs: Mapping[str, Array], push: Push | None = None
) -> Iterator[tuple[dict[str, Array], Array, Array]]:
    """The weights after each step, and the loss and the objective of its batch before it; none of them is kept."""
    problem, masks = design.form.in_gradient, design.material.masks
    now, raw = [start], list[dict[str, Any]]()
    losses: tuple[Array, Array]

    def gradient(k: int, params: dict[str, Array]) -> dict[str, Any]:
        nonlocal losses
        X, y = (np.take(inputs[name], design.rows[k], axis=1) for name in ("X", "y"))
        made = Pass(design, np.array([k]), problem, params, X, y, masks[k] if masks else None)
        losses = made.loss, made.objective
        if design.mixing is None:
            raw.clear()  # they are not asked for again
        raw.append(design.raw([k], problem, made.data_gradient, params))
        return design.seen([k], design.mixed(k, raw)) | {name: by[k : k + 1] for name, by in design.given.items()}

    def in_effect(name: str, k: int) -> Any:
        optimizer: Any = scheduled(design.form.optimizers[name], design.form.schedule, int(design.advances[k]))
        if name in design.decay_times:
            optimizer = unchecked(optimizer, weight_decay=optimizer.weight_decay * design.decay_times[name][k])
        return optimizer

    def step(name: str, k: int, param: Any, given: Any, state: Any) -> tuple[Any, Any]:
        return design.after(name, k, in_effect(name, k), param, given, state)

    join = joining(design, in_effect)
    state = {name: optimizer.init(start[name]) for name, optimizer in design.form.optimizers.items()}
    for k, made in enumerate(replayed(design.steps, lambda *_: now[0], gradient, step, state, join)):
        now[0] = made if push is None else push(k, made)
        yield now[0], *losses


def random_push(allowances: Mapping[str, Array]) -> Push:
    """Each number moved at random within its allowance ``(K, …)``, not at all where that is ∞; the first run stays."""
    rng = np.random.default_rng(0)

    def push(step: int, params: dict[str, Array]) -> dict[str, Array]:
        moved = {}
        for name, values in params.items():
            by = rng.uniform(-1, 1, values.shape) * allowances[name][step]
            by[0] = 0
            moved[name] = values + np.where(np.isinf(by), 0, by)
        return moved

    return push
