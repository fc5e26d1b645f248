"""Gradients and parameters that a step must leave alone, and groups that it must keep apart."""

from __future__ import annotations

import torch

from parity.explain.feeds import drawn
from parity.features.check.conduct.bench import ConductRun, Shapes, apart_from, largest_move
from parity.features.check.drive import REFUSALS, Driver
from parity.features.check.task import exact
from refimpl.types import Array


def gradient_changed(driver: Driver, shapes: Shapes) -> str:
    if driver.closure:
        return ""  # it writes .grad whenever it is called
    run = ConductRun(driver, shapes)
    for k in range(4):
        run.step()
        for name, parameter in run.parameters.items():
            given, left = driver.tensor(run.feed.gradients[name][k]), parameter.grad
            if left is None or not torch.equal(given, left):
                kept = "None" if left is None else f"{float(left.flatten()[0]):.6g}"
                return f"{name}.grad[0] was {float(given.flatten()[0]):.6g} before step {k} and is {kept} after it"
    return ""


def without_gradient(driver: Driver, shapes: Shapes) -> str:
    run = ConductRun(driver, {**shapes, "idle": shapes["weight"]})
    idle = run.parameters["idle"]
    before = set(run.optimizer.state.get(idle, {}))  # what the constructor made is as it should be
    run.steps(3, "idle")
    if moved := largest_move(exact(idle), run.feed.weights["idle"]):
        return f"its .grad is None, and it moved by up to {moved:.3g} in 3 steps"
    got = [str(key) for key in run.optimizer.state.get(idle, {}) if key not in before]
    return f"its .grad is None, and it has got a state: {', '.join(got)}" if got else ""


def frozen_later(driver: Driver, shapes: Shapes) -> str:
    run = ConductRun(driver, {**shapes, "frozen": shapes["weight"]})
    run.steps(2)
    before = run.weights["frozen"]
    run.parameters["frozen"].requires_grad_(False)
    run.steps(2, "frozen")
    moved = largest_move(run.weights["frozen"], before)
    return "" if moved == 0 else f"frozen after 2 steps, it moved by up to {moved:.3g} in the next 2"


def never_required(driver: Driver, shapes: Shapes) -> str:
    feed = drawn({**shapes, "fixed": shapes["weight"]}, steps=2, seed=1)
    parameters = driver.parameters(feed.weights)
    parameters["fixed"].requires_grad_(False)
    optimizer = driver.make(list(parameters.values()))
    for k in range(2):
        driver.step(optimizer, parameters, {n: g[k] for n, g in feed.gradients.items() if n != "fixed"})
    moved = largest_move(exact(parameters["fixed"]), feed.weights["fixed"])
    return "" if moved == 0 else f"it moved by up to {moved:.3g} in 2 steps"


def groups(driver: Driver, shapes: Shapes) -> str:
    """Of two groups each steps as it does by itself; asked where parameters do not depend on one another."""
    lr = getattr(ConductRun(driver, shapes).optimizer, "param_groups", [{}])[0].get("lr")
    if not isinstance(lr, int | float) or not lr:
        return ""
    feed = drawn({"one": shapes["weight"], "two": shapes["weight"]}, steps=4, seed=1)
    try:
        driver.make([{"params": [parameter]} for parameter in driver.parameters(feed.weights).values()])
    except REFUSALS:  # it says that it has no groups
        return ""

    def after(*groups: tuple[str, float]) -> dict[str, Array]:
        parameters = driver.parameters({name: feed.weights[name] for name, _ in groups})
        optimizer = driver.make([{"params": [parameters[name]], "lr": rate} for name, rate in groups])
        for k in range(4):
            driver.step(optimizer, parameters, {name: feed.gradients[name][k] for name in parameters})
        return {name: exact(parameter) for name, parameter in parameters.items()}

    if apart_from(after(("one", lr), ("two", lr)), after(("one", lr)) | after(("two", lr)), feed.weights):
        return ""
    other = 0.5 * lr
    apart = apart_from(after(("one", lr), ("two", other)), after(("one", lr)) | after(("two", other)), feed.weights)
    return apart and f"with lr = {lr:g} and {other:g}: {apart}, together and alone"
