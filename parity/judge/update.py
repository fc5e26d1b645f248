"""The check of one recorded step of one parameter: the reference's step from what the framework itself had before it.

The framework's own numbers go in (weights, gradient, state, hyper-parameters in effect); running-error arithmetic says
what a correct implementation may have afterwards. Nothing is carried from step to step, so errors do not pile up and a
fault shows in the step that makes it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from parity.step.after import COUNT, after, whole
from parity.step.arithmetics import Rounding
from parity.step.expected import Expected, Quantity, equal, expect_one
from refimpl.arithmetic.bounded import Bounded, Profile
from refimpl.arithmetic.formats import FORMATS
from refimpl.types import Array, Optimizer


@dataclass(frozen=True, kw_only=True)
class Update:
    """One step of one parameter, as a framework made it; every array ``(1, …)`` and exact in float64.

    ``parameter``, ``number``: which, and the how-many-th step of the run. ``optimizer``: the reference with the
    hyper-parameters in effect. ``profile``: of the arithmetic. ``before``, ``gradient``, ``state``: what the step
    started from, the gradient as the optimizer saw it; ``held``: the elements that a sparse one has. ``after``,
    ``state_after``: what it left. ``formats``: the format of the ``param`` and of each state tensor.
    """

    parameter: str
    number: int
    optimizer: Optimizer
    profile: Profile
    before: Array
    gradient: Array
    held: Array | None = None
    state: Mapping[str, Array]
    after: Array
    state_after: Mapping[str, Array]
    formats: Mapping[str, str]


def check(update: Update) -> Iterator[Expected]:
    """The weights and every tensor of the state after the step."""
    param, state = reference_step(update)
    yield _expected(update, "", update.after, param)
    for key in {**state, **update.state_after}:
        if key not in state or key not in update.state_after:
            nothing = np.full((1, 1), np.nan)  # only one of the two has it
            yield equal(Quantity("value", update.parameter, key), update.number, nothing, np.zeros((1, 1)))
        elif key == COUNT:
            yield equal(Quantity("value", update.parameter, key), update.number, update.state_after[key], state[key])
        else:
            yield _expected(update, key, update.state_after[key], state[key])


def reference_step(update: Update) -> tuple[Any, Mapping[str, Any]]:
    """The reference's step in running-error arithmetic."""
    arithmetic = Rounding(update.profile)
    state = {key: whole(v) if key == COUNT else arithmetic.tensor(v) for key, v in update.state.items()}
    optimizer: Any = arithmetic.hyper(update.optimizer, update.before.ndim)
    param, gradient = arithmetic.tensor(update.before), arithmetic.tensor(update.gradient)
    return after(optimizer, param, gradient, state, held=update.held)


def with_other(update: Update, hyper: str, value: Any) -> Update:
    """The record beside a reference with another value of a hyper-parameter."""
    return replace(update, optimizer=replace(update.optimizer, **{hyper: value}))  # type: ignore[type-var]


def _expected(update: Update, key: str, candidate: Array, bounded: Any) -> Expected:
    if not isinstance(bounded, Bounded):  # made of whole numbers alone, so that at most a quotient was rounded
        constant = np.zeros(candidate.shape) + bounded
        error = np.where(constant == np.rint(constant), 0, FORMATS["float64"].half_ulp(constant))
        bounded = Bounded(constant, error, update.profile, scalar=True)
    store = FORMATS[update.formats[key or "param"]]
    return expect_one(Quantity("value", update.parameter, key), update.number, candidate, bounded, store)
