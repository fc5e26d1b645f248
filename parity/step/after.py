"""One step of one parameter, in any arithmetic, and the loop that carries the states from step to step."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from parity.step.rounding import rounded
from refimpl.types import Array

COUNT = "step"
"""The state that counts steps: an integer, held to equality."""


def whole(count: Array) -> Array:
    """A recorded count of steps as integers; one that is no integer is caught where it came to be."""
    integers: Array = np.rint(np.nan_to_num(count)).astype(int)
    return integers


def after(
    optimizer: Any,
    param: Any,
    gradient: Any,
    state: Mapping[str, Any],
    *,
    held: Array | None = None,
    calls: int = 1,
    shares: Sequence[tuple[float, float]] = (),
    penalties: Sequence[Any] = (),
    reset: bool = False,
    forgets: frozenset[str] = frozenset(),
    state_format: str | None = None,
    shrink: Any = None,
    beside: Any = None,
    weights_format: str | None = None,
) -> tuple[Any, dict[str, Any]]:
    """The parameter and its state after one step, ``(runs, …)`` each, in the arithmetic of what goes in::

        s ← init(w) where there is none, or ``reset``, or of it what it ``forgets``
        (w, s) ← step(w, g, s)                     ``calls`` times; of a sparse gradient only the elements ``held``
        s ← s rounded to ``state_format``;         w ← (1 − ``shrink``)·w − ``beside``·w before, in ``weights_format``

    ``shares``: what each call is given of the gradient, and of the ``penalties`` at the weights of that moment.
    ``optimizer``: with its hyper-parameters in effect. Correct code makes one call and has none of the rest.
    """
    if reset or not state:
        new = optimizer.init(param)
        kept = {key: value for key, value in state.items() if forgets and key not in forgets}
        state = {**new, **kept} if state else new
    before = param
    asked = gradient
    for call in range(calls):
        if shares:
            of_rows, of_penalty = shares[call]
            gradient = of_rows * asked + sum(of_penalty * penalty.subgradient(param) for penalty in penalties)
        if held is not None and hasattr(optimizer, "step_sparse"):
            param, state = optimizer.step_sparse(param, gradient, held, state)
        else:
            param, state = optimizer.step(param, gradient, state)
    if state_format is not None:
        state = {key: value if key == COUNT else rounded(value, state_format) for key, value in state.items()}
    if shrink is not None:
        param = param * (1 - shrink)
    if beside is not None:
        param = param - beside * before
    return (param if weights_format is None else rounded(param, weights_format)), dict(state)


Params = dict[str, Any]
Step = Callable[[str, int, Any, Any, Mapping[str, Any]], tuple[Any, Mapping[str, Any]]]


def replayed(
    steps: int,
    before: Callable[[int, Params], Params],
    gradient: Callable[[int, Params], Mapping[str, Any]],
    step: Step,
    start: Mapping[str, Mapping[str, Any]] | None = None,
) -> Iterator[Params]:
    """The parameters after each step, where the state is carried along from its ``start``, which may be empty.

    ``before(k, made)``: the parameters before step k: those that a run recorded, or, in a free run, what was ``made``
    of them in the step before, which is nothing in the first one. ``gradient(k, params)``: what the optimizer is given.
    ``step(name, k, param, gradient, state)``: the parameter and the state after it.
    """
    states, made = dict(start or {}), Params()
    for k in range(steps):
        with np.errstate(all="ignore"):  # a run that diverges is shown as it is
            params = before(k, made)
            given = gradient(k, params)
            both = {name: step(name, k, param, given[name], states.get(name, {})) for name, param in params.items()}
        made = {name: param for name, (param, _) in both.items()}
        states = {name: state for name, (_, state) in both.items()}
        yield made
