"""What a step keeps and where: its state, random generators, the hyper-parameters that it was given."""

from __future__ import annotations

import io
import random
from copy import deepcopy
from typing import Any

import numpy as np
import torch

from parity.explain.feeds import drawn
from parity.features.check.conduct.bench import ConductRun, Shapes, apart_from
from parity.features.check.drive import Driver


def reloaded(driver: Driver, shapes: Shapes) -> str:
    run = ConductRun(driver, shapes)
    run.steps(3)
    file = io.BytesIO()
    torch.save(run.optimizer.state_dict(), file)
    file.seek(0)
    start = run.weights
    other = ConductRun(driver, shapes)
    other.parameters = driver.parameters(start)
    other.optimizer, other.k = driver.make(list(other.parameters.values())), run.k
    other.optimizer.load_state_dict(torch.load(file, weights_only=False))
    for k in range(2):
        torch.manual_seed(k)
        run.step()
        torch.manual_seed(k)
        other.step()
    apart = apart_from(run.weights, other.weights, start)
    return apart and f"in the 2 steps after a reload {apart} without it and with it"


def random_state(driver: Driver, shapes: Shapes) -> str:
    run = ConductRun(driver, shapes)
    before = _generators()
    run.steps(3)
    after = _generators()
    moved = [name for name in before if before[name] != after[name]]
    return f"the state of {' and '.join(moved)} generator is another after 3 steps" if moved else ""


def _generators() -> dict[str, Any]:
    torchs: list[int] = torch.get_rng_state().tolist()
    return {"torch's": torchs, "Python's": random.getstate(), "NumPy's": str(np.random.get_state(legacy=False))}


def hyper_changed(driver: Driver, shapes: Shapes) -> str:
    given = {n: list(v) if isinstance(v, tuple) else deepcopy(v) for n, v in driver.hyper.items()}
    before = deepcopy(given)
    run = ConductRun(Driver(driver.cls, {}, "float64", driver.device, driver.closure), shapes, **given)
    named = {n: deepcopy(v) for n, v in run.optimizer.param_groups[0].items() if n in given}
    run.steps(3)
    for name, value in before.items():
        if given[name] != value:
            return f"{name} was {value!r} and is {given[name]!r} after 3 steps"
    group = run.optimizer.param_groups[0]
    changed = next((n for n, value in named.items() if group[n] != value), None)
    return f"{changed} of its group was {named[changed]!r} and is {group[changed]!r} after 3 steps" if changed else ""


def not_repeated(driver: Driver, shapes: Shapes) -> str:
    feed = drawn(shapes, steps=6, seed=1)
    one, other = driver.play(feed), driver.play(feed)
    for name in shapes:
        if not np.array_equal(one.weights[name], other.weights[name], equal_nan=True):
            difference = np.nanmax(np.abs(one.weights[name] - other.weights[name]))
            return f"{name} of two runs with the same numbers and seed differs by up to {difference:.3g} after 6 steps"
    return ""
