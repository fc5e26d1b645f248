"""A reference optimizer along the weights and gradients that a run had: what it would have made of each step.

Teacher forcing: every step starts from the run's own weight and gradient; only the state is the reference's own::

    (ŵ_{k+1}, s_{k+1}) = step(w_k, g_k, s_k),   s_0 = init(w_0)           ŵ_{k+1} beside w_{k+1}

so that errors of the weights do not pile up, and those of the state do so within its bound. Where a schedule moved the
rate, step k has η·η_k/η_0.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from typing import Any

import numpy as np

from parity.explain.eigenbases import based
from parity.explain.motion import Motion
from parity.explain.newton_schulz import disagreeing, staged
from parity.step.after import Step, after, replayed
from parity.step.arithmetics import Rounding
from parity.step.engine import unchecked
from parity.step.expected import Expected, Quantity, expect
from refimpl.arithmetic.bounded import Bounded
from refimpl.arithmetic.formats import FORMATS
from refimpl.optimizers.wrappers import Lookahead
from refimpl.types import Array, Number, Optimizer

FLOAT64 = FORMATS["float64"]


@dataclass(frozen=True)
class Slot:
    """One number of an optimizer: a field, or one of several in a field."""

    field: str
    index: int | None = None

    @property
    def name(self) -> str:
        return self.field if self.index is None else f"{self.field}[{self.index}]"

    def of(self, optimizer: Any) -> Any:
        value = getattr(optimizer, self.field)
        return value if self.index is None else value[self.index]

    def among(self, values: Mapping[str, Any]) -> Any:
        value = values[self.field]
        return value if self.index is None else value[self.index]


def with_numbers(optimizer: Optimizer, numbers: Mapping[Slot, Number], *, checked: bool = True) -> Optimizer:
    """The optimizer with other numbers in these slots; not ``checked``: also such as a fit may pass through."""
    changes: dict[str, Any] = {}
    for slot, number in numbers.items():
        if slot.index is None:
            changes[slot.field] = number
        else:
            parts = list(changes.get(slot.field, getattr(optimizer, slot.field)))
            parts[slot.index] = number
            changes[slot.field] = tuple(parts)
    if checked:
        return replace(optimizer, **changes)  # type: ignore[type-var]  # optimizers are dataclasses
    changed: Optimizer = unchecked(optimizer, **changes)
    return changed


def replay(optimizer: Optimizer, motion: Motion) -> Iterator[Expected]:
    """The check of one reference: the weights after each step, with their allowance, one piece per step.

    Of a step that is judged in stages it is the first stage that disagrees, where one does.

    It ends where the run's own numbers were no longer finite before a step.
    """
    for k, (param, state) in enumerate(_replayed(optimizer, motion)):
        stage = disagreeing(state)
        if stage is not None:
            yield replace(stage, quantity=replace(stage.quantity, parameter=motion.parameter))
            continue
        candidate = motion.weights[k + 1 : k + 2]
        yield expect(Quantity("value", motion.parameter), np.array([k]), candidate, param, motion.format)


def replay_state(optimizer: Optimizer, motion: Motion, key: str, kept: Array) -> Iterator[Expected]:
    """The same of a tensor of the state: ``kept`` ``(K, …)``, what the run had in its place after each step."""
    for k, (_, state) in enumerate(_replayed(optimizer, motion)):
        quantity = Quantity("value", motion.parameter, key)
        yield expect(quantity, np.array([k]), kept[k : k + 1], state[key], motion.format)


def _replayed(optimizer: Optimizer, motion: Motion) -> Iterator[tuple[Any, Mapping[str, Any]]]:
    """The weights and the state of the reference after each step."""
    along = Along(based(staged(optimizer, motion.products), motion), motion)
    states: list[Mapping[str, Any]] = []

    def step(_: str, k: int, param: Any, given: Any, state: Any) -> tuple[Any, Any]:
        if motion.calls is not None:
            state = called(along.lifted, param, state, int(motion.calls[k]))
        if motion.sums:
            state = {**state, **motion.sums[k]}
        param, state = after(along.in_effect(k), param, given, state)
        states[:] = [along.kept(state)]
        return param, states[0]

    for param in _along(motion, along.before, along.given, step, along.start()):
        yield param, states[0]


class Along:
    """What each step of a motion begins with, in running-error arithmetic, for an optimizer."""

    def __init__(self, optimizer: Optimizer, motion: Motion) -> None:
        self.optimizer, self.motion, self.arithmetic = optimizer, motion, Rounding(motion.profile)
        self.lifted = self.arithmetic.hyper(optimizer, motion.weights.ndim)
        self._gradient = Bounded(motion.gradient.value, motion.gradient.error, motion.profile)

    def start(self) -> dict[str, Any]:
        """The state before the first step."""
        return self.kept(self.lifted.init(self.before(0)))

    def in_effect(self, k: int) -> Any:
        """The optimizer with the hyper-parameters of a step."""
        motion, in_effect = self.motion, self.lifted
        if motion.changes and motion.changes[k]:
            in_effect = self.arithmetic.hyper(with_fields(self.optimizer, motion.changes[k]), motion.weights.ndim)
        return _at_bounded_rate(in_effect, motion, k)

    def before(self, k: int) -> Any:
        """The weights."""
        param = self.arithmetic.tensor(self.motion.weights[k : k + 1])
        if self.motion.slack is None:
            return param
        return Bounded(param.value, np.asarray(self.motion.slack[k : k + 1], param.value.dtype), self.motion.profile)

    def given(self, k: int) -> Any:
        """The gradient."""
        return self._gradient[k : k + 1]

    def kept(self, state: Mapping[str, Any]) -> dict[str, Any]:
        """The state as it may have been stored."""
        return _kept(state, self.motion)


def _along(
    motion: Motion, weights: Callable[[int], Any], gradient: Callable[[int], Any], step: Step, start: Any
) -> Iterator[Any]:
    """The parameter after each step that starts from finite numbers."""
    name, steps = motion.parameter, steps_of(motion)
    made = replayed(steps, lambda k, _: {name: weights(k)}, lambda k, _: {name: gradient(k)}, step, {name: start})
    return (params[name] for params in made)


def share_of(optimizer: Optimizer, motions: Sequence[Motion]) -> float:
    """The largest |error| ÷ allowance, up to the first step where it is above 1.

    It is ∞ where most elements have no bound: a reference whose numbers are out of place cannot be wrong.
    """
    worst, bounded, elements = 0.0, 0, 0
    for motion in motions:
        for piece in replay(optimizer, motion):
            worst = max(worst, float(np.max(piece.share, initial=0)))
            if worst > 1:
                return worst
            bounded += int(np.isfinite(piece.allowance).sum())
            elements += piece.allowance.size
    return worst if 2 * bounded > elements else np.inf


def misses(
    optimizer: Optimizer,
    motions: Sequence[Motion],
    numbers: Mapping[Slot, Array] | None = None,
    *,
    first: int | None = None,
    dtype: Any = float,
) -> Array:
    """ŵ_{k+1} − w_{k+1} of all parameters and the ``first`` steps, or all: ``(runs, …)``, in plain arithmetic.

    ``numbers``: one value per run, in the place of the optimizer's own, so that many are tried at once.
    """
    numbers = numbers or {}
    runs = len(next(iter(numbers.values()), [0]))
    return np.concatenate([_missed(optimizer, motion, numbers, runs, first, dtype) for motion in motions], axis=1)


@np.errstate(all="ignore")  # what a number out of place makes of it is a large miss
def _missed(
    optimizer: Optimizer, motion: Motion, numbers: Mapping[Slot, Array], runs: int, first: int | None, dtype: Any
) -> Array:
    """The misses of one parameter."""
    ones = (1,) * (motion.weights.ndim - 1)
    shaped = {slot: values.astype(dtype).reshape(-1, *ones) for slot, values in numbers.items()}
    tried: Any = with_numbers(optimizer, shaped, checked=False)
    weights, gradients = (
        np.broadcast_to(array.astype(dtype)[:, None], (len(array), runs, *array.shape[1:]))
        for array in (motion.weights, motion.gradient.value)
    )

    def step(_: str, k: int, param: Any, given: Any, state: Any) -> tuple[Any, Any]:
        at_rate = tried
        if motion.factor[k] != 1 and hasattr(tried, "lr"):
            at_rate = unchecked(tried, lr=tried.lr * motion.factor[k])
        return after(at_rate, param, given, state)

    made = _along(motion, weights.__getitem__, gradients.__getitem__, step, tried.init(weights[0]))
    missed = [(param - weights[k + 1]).reshape(runs, -1) for k, param in enumerate(islice(made, first))]
    return np.concatenate(missed, axis=1) if missed else np.zeros((runs, 0), dtype)


def steps_of(motion: Motion) -> int:
    """How many steps start from finite numbers."""
    steps = len(motion.weights) - 1
    finite = [np.isfinite(array[:steps].reshape(steps, -1)).all(1) for array in (motion.weights, motion.gradient.value)]
    return int(np.argmin(np.append(finite[0] & finite[1], False)))


def with_fields(optimizer: Any, numbers: Mapping[str, Any]) -> Any:
    """The optimizer with other numbers by name; of a wrapper those of what it wraps."""
    if all(hasattr(optimizer, name) for name in numbers):
        return replace(optimizer, **numbers)
    return replace(optimizer, inner=with_fields(optimizer.inner, numbers))


def field_of(optimizer: Any, name: str) -> Any:
    """A number by name; of a wrapper that of what it wraps; None where there is none."""
    if hasattr(optimizer, name):
        return getattr(optimizer, name)
    return field_of(optimizer.inner, name) if hasattr(optimizer, "inner") else None


def called(optimizer: Any, param: Any, state: Mapping[str, Any], calls: int) -> Mapping[str, Any]:
    """The state before a step, after ``calls`` calls, the last of which may have been without a gradient.

    A lookahead counts them all, nothing else does. Where it pulled the weights in one of those, ``param`` is φ.
    """
    while hasattr(optimizer, "inner"):
        if isinstance(optimizer, Lookahead):
            before = int(np.max(state.get("fast_steps", 0)))
            pulled = {"slow": param} if calls // optimizer.k > before // optimizer.k else {}
            return {**state, **pulled, "fast_steps": np.full(len(param), calls)}
        optimizer = optimizer.inner
    return state


def _at_bounded_rate(lifted: Any, motion: Motion, k: int) -> Any:
    """With the rate η·(η_k/η_0), each factor as well rounded as a double is."""
    factor, lr = np.longdouble(motion.factor[k]), field_of(lifted, "lr")
    if factor == 1 or not isinstance(lr, Bounded):
        return lifted
    return with_fields(lifted, {"lr": lr * Bounded(factor, FLOAT64.u * abs(factor), motion.profile, scalar=True)})


def _kept(state: Mapping[str, Any], motion: Motion) -> dict[str, Any]:
    """The state as it may have been stored: in the format of the weights, where that is narrower.

    What hyper-parameters alone make of it, such as the first step sizes of Rprop, is rounded like a tensor from there.
    """
    kept = dict(state)
    for key, value in state.items():
        if isinstance(value, Bounded) and value.shape[1:] == motion.weights.shape[1:]:
            kept[key] = value.entering()
            if motion.format.digits < motion.profile.compute.digits:
                narrow = replace(motion.profile, compute=motion.format)
                kept[key] = kept[key].under(narrow).under(motion.profile)
    return kept
