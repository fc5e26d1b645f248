"""One step of the reference, traced: the same functions in the same order as in :func:`refimpl.training.train`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from parity.features.trace.arithmetic import Traced, traced
from parity.features.trace.names import STATE, STATE_WITHOUT_NAME, named_as_in_the_code, with_symbols
from parity.formulation import Realised
from refimpl.arithmetic.sums import add_in_any_order
from refimpl.joint import together
from refimpl.training import scheduled
from refimpl.trajectory import Trajectory
from refimpl.types import Array

LETTERS = {"weight": "w", "bias": "b"}
SUBSCRIPTS = str.maketrans("0123456789", "₀₁₂₃₄₅₆₇₈₉")
COUNT = "step"
SUMS = {"product": "Σ", "length": "‖s‖₁"}
"""The symbols of sums over all parameters."""


@dataclass(frozen=True, kw_only=True)
class TracedStep:
    """The numbers of a step, each an array that remembers how it was computed.

    ``param``, ``state``: of the chosen parameter after the step; ``penalty_gradients`` of it alone. ``hyper``: the
    numbers in effect by symbol.
    """

    outputs: Traced
    residual: Traced
    loss: Traced
    penalties: tuple[Traced, ...]
    objective: Traced
    upstream: Traced
    data_gradient: Traced
    penalty_gradients: tuple[Traced, ...]
    gradient: Traced
    param: Traced
    state: Mapping[str, Traced]
    hyper: Mapping[str, float]


def trace_step(
    form: Realised, reference: Trajectory, step: int, X: Array, y: Array, parameter: str, count: int
) -> TracedStep:
    """Step number ``step`` (from 0) of the recorded run, on the batch ``X``, ``y``; ``count``: of the schedule."""
    return named_as_in_the_code(lambda: _trace_step(form, reference, step, X, y, parameter, count))


@np.errstate(over="ignore", invalid="ignore", divide="ignore")  # a run that diverges is shown as it is
def _trace_step(
    form: Realised, reference: Trajectory, step: int, X: Array, y: Array, parameter: str, count: int
) -> TracedStep:
    params: dict[str, Any] = {
        name: Traced(values[step], numbered(letter(name), step)) for name, values in reference.params.items()
    }
    x, target, w, symbol = _any(Traced(X, "x")), _any(Traced(y, "y")), params[parameter], letter(parameter)
    problem = form.in_gradient
    loss, hyper = with_symbols(problem.loss, {})
    outputs = _any(traced(problem.model.forward(params, x)).named("ŷ"))
    residual = (outputs - target).named("r")
    data_loss = traced(loss.value(outputs, target)).named("L")
    upstream = _any(traced(loss.gradient(outputs, target)).named("δ"))
    data_gradient = traced(problem.model.backward(params, x, upstream)[parameter]).named(f"∂L/∂{symbol}")
    penalties, slopes = [], []
    for i, (name, penalty) in enumerate(problem.terms):
        mark = _marks(len(problem.terms))[i]
        lifted, hyper = with_symbols(penalty, hyper)
        penalties.append(traced(lifted.value(params[name])).named(f"Ω{mark}"))
        if name == parameter:
            slopes.append(traced(lifted.subgradient(w)).named(f"∂Ω{mark}/∂{symbol}"))
    objective = traced(add_in_any_order(_any([data_loss, *penalties]))).named("J")
    gradient = traced(add_in_any_order(_any([data_gradient, *slopes]))).named("g")
    optimizer, hyper = with_symbols(scheduled(form.optimizers[parameter], form.schedule, count), hyper)
    before = {key: Traced(value) for key, value in reference.state_before(step)[parameter].items()}
    given = (
        before | {COUNT: before.get(COUNT, Traced(np.array([step])))} | _sums(form, reference, step, parameter, count)
    )
    after, state = optimizer.step(w, _any(Traced(gradient.value, "g")), _any(given))
    return TracedStep(
        outputs=outputs,
        residual=residual,
        loss=data_loss,
        penalties=tuple(penalties),
        objective=objective,
        upstream=upstream,
        data_gradient=data_gradient,
        penalty_gradients=tuple(slopes),
        gradient=gradient,
        param=traced(after).named(numbered(symbol, step + 1)),
        state=_named_state(before, {key: traced(value) for key, value in state.items()}, step),
        hyper=hyper,
    )


def _sums(form: Realised, reference: Trajectory, step: int, parameter: str, count: int) -> dict[str, Traced]:
    """What an optimizer that shares numbers among all parameters finds beside its state: the sums over all of them."""
    optimizers = {name: scheduled(each, form.schedule, count) for name, each in form.optimizers.items()}
    params, gradients = ({n: of[n][step] for n in optimizers} for of in (reference.params, reference.gradients))
    states = reference.state_before(step)
    ready = together(optimizers, params, gradients, states)[parameter]
    return {key: Traced(value, SUMS.get(key, key)) for key, value in ready.items() if key not in states[parameter]}


def letter(parameter: str) -> str:
    """w, b, or its name."""
    return LETTERS.get(parameter, parameter)


def numbered(symbol: str, step: int) -> str:
    """``w₁``: after the first step."""
    return f"{symbol}{str(step).translate(SUBSCRIPTS)}"


def _named_state(before: Mapping[str, Traced], after: Mapping[str, Traced], step: int) -> dict[str, Traced]:
    """What the step found and what it leaves under one letter with the number of the step; the count of steps is t."""
    named = {}
    for key, value in after.items():
        if key == COUNT:
            continue
        old = before.get(key)
        names = (STATE.get(key), _suggested(value), _suggested(old), STATE_WITHOUT_NAME.get(key), key)
        symbol = next(name for name in names if name)
        if old is not None:
            old.symbol = numbered(symbol, step)
        named[key] = value.named(numbered(symbol, step + 1))
    return named


def _suggested(node: Traced | None) -> str | None:
    """The name that the reference's variable gave it."""
    return None if node is None or node.base.fixed else node.base.symbol


def _marks(count: int) -> list[str]:
    """Subscripts that tell several penalties apart."""
    return [""] if count == 1 else [str(i).translate(SUBSCRIPTS) for i in range(1, count + 1)]


def _any(value: Any) -> Any:
    """Traced numbers where a function of the reference takes arrays."""
    return value
