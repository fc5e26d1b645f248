"""One step of one parameter, in any arithmetic, and the loop that carries the states from step to step."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np

from refimpl.types import Array

COUNT = "step"
"""The state that counts steps: an integer, held to equality."""


def whole(count: Array) -> Array:
    """A recorded count of steps as integers; one that is no integer is caught where it came to be."""
    integers: Array = np.rint(np.nan_to_num(count)).astype(int)
    return integers


def after(
    optimizer: Any, param: Any, gradient: Any, state: Mapping[str, Any], *, held: Array | None = None
) -> tuple[Any, dict[str, Any]]:
    """The parameter and its state after one step, ``(runs, …)`` each, in the arithmetic of what goes in.

    ``optimizer``: with its hyper-parameters in effect. Without a state it makes a new one. ``held``: the elements that
    a sparse gradient has.
    """
    state = state or optimizer.init(param)
    if held is not None and hasattr(optimizer, "step_sparse"):
        param, state = optimizer.step_sparse(param, gradient, held, state)
    else:
        param, state = optimizer.step(param, gradient, state)
    return param, dict(state)


Params = dict[str, Any]
Step = Callable[[str, int, Any, Any, Mapping[str, Any]], tuple[Any, Mapping[str, Any]]]
States = Mapping[str, Mapping[str, Any]]
Join = Callable[[int, Params, Mapping[str, Any], States], States]


def replayed(
    steps: int,
    before: Callable[[int, Params], Params],
    gradient: Callable[[int, Params], Mapping[str, Any]],
    step: Step,
    start: States | None = None,
    join: Join | None = None,
) -> Iterator[Params]:
    """The parameters after each step, where the state is carried along from its ``start``, which may be empty.

    ``before(k, made)``: the parameters before step k: those that a run recorded, or, in a free run, what was ``made``
    of them in the step before, which is nothing in the first one. ``gradient(k, params)``: what the optimizer is given.
    ``step(name, k, param, gradient, state)``: the parameter and the state after it. ``join(k, params, gradients,
    states)``: the states that the steps of k begin with, where parameters share numbers (:mod:`refimpl.joint`).
    """
    states, made = dict(start or {}), Params()
    for k in range(steps):
        with np.errstate(all="ignore"):  # a run that diverges is shown as it is
            params = before(k, made)
            given = gradient(k, params)
            states = dict(join(k, params, given, states)) if join is not None else states
            both = {name: step(name, k, param, given[name], states.get(name, {})) for name, param in params.items()}
        made = {name: param for name, (param, _) in both.items()}
        states = {name: state for name, (_, state) in both.items()}
        yield made
