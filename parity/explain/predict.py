"""What a design predicts for every step of a recorded run, from the weights that the run itself had.

Nothing is compared after a long free run: each step starts from the recorded weights, and only the optimizer's state is
carried along, made by the design itself. Many designs are predicted at once: those whose optimizers differ in numbers
alone are the runs of one batch. The same formulas in running-error arithmetic hold one design to its bound.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from copy import copy
from dataclasses import fields, replace
from typing import Any

import numpy as np

from parity.explain.design import Design
from parity.explain.record import Recording
from parity.explain.rounding import like
from parity.judge.arithmetics import Rounding
from parity.judge.expected import Expected, expect
from parity.judge.schedules import in_effect
from refimpl.arithmetic.bounded import Bounded
from refimpl.arithmetic.formats import FORMATS
from refimpl.arithmetic.lift import align
from refimpl.arithmetic.sums import add_in_any_order
from refimpl.training import scheduled
from refimpl.types import Array, number_fields, off


class Predictions:
    """Designs over one recording; data gradients that designs share are computed once."""

    def __init__(self, recording: Recording) -> None:
        self.recording = recording
        self._gradients: dict[Any, tuple[Any, dict[str, Any]]] = {}
        self._rounded: dict[int, tuple[Any, dict[str, Array]]] = {}

    # -- many designs, in plain float64 ------------------------------------------------------------------------------

    @np.errstate(all="ignore")
    def weights(self, designs: Sequence[Design]) -> dict[str, Array]:
        """The weights after each step by parameter, ``(designs, K, …)``; nan where a design has other steps."""
        found = {
            name: np.full((len(designs), *values[1:].shape), np.nan) for name, values in self.recording.weights.items()
        }
        groups: dict[Any, list[int]] = {}
        gradients: list[dict[str, Any]] = []
        for i, design in enumerate(designs):
            fits = design.steps == self.recording.steps
            gradients.append(self.gradients(design, None) if fits else {})
            for name in found if fits else ():
                groups.setdefault((name, _structure(design, name)), []).append(i)
        for (name, _), members in groups.items():
            some = [designs[i] for i in members]
            given = np.stack([gradients[i][name] for i in members], axis=1)  # (K, designs, …)
            found[name][members] = self._steps(name, some, given).swapaxes(0, 1)
        for name, ignored in self.recording.ignored.items():
            found[name] = np.where(ignored & ~np.isnan(found[name]), self.recording.weights[name][1:], found[name])
        return found

    def _steps(self, name: str, designs: Sequence[Design], gradients: Array) -> Array:
        """One optimizer with a value per design, over all steps."""
        weights = self.recording.weights[name]
        ndim, one = weights.ndim, designs[0]
        stacked: Any = _stacked([design.form.optimizers[name] for design in designs], ndim)
        decay = _decay_times(designs, name)
        state = stacked.init(np.repeat(weights[:1], len(designs), axis=0))
        predicted = []
        for k in range(self.recording.steps):
            optimizer: Any = scheduled(stacked, one.form.schedule, int(one.advances[k]))
            if decay is not None:
                optimizer = unchecked(optimizer, weight_decay=optimizer.weight_decay * to_meet(decay[:, k], ndim))
            param = np.repeat(weights[k : k + 1], len(designs), axis=0)
            after, state = one.after(name, k, optimizer, param, gradients[k], state)
            predicted.append(after)
        return np.stack(predicted)

    # -- one design, with its bound ----------------------------------------------------------------------------------

    def expected(self, design: Design) -> Iterator[Expected]:
        """What a run of this design may have after each step, beside what it has, step by step."""
        update = Rounding(self.recording.profiles["update"])
        with np.errstate(all="ignore"):
            gradients = self.gradients(design, Rounding(self.recording.profiles["loss"]))
        given = {name: Bounded(g.value, g.error, update.profile) for name, g in gradients.items()}
        state: dict[str, Any] = {}
        for k in range(self.recording.steps):
            for name, weights in self.recording.weights.items():
                plain: Any = design.form.optimizers[name]
                param = self.recording.before(name, slice(k, k + 1), update.profile)
                count = to_meet(design.advances[k : k + 1], weights.ndim)
                with np.errstate(all="ignore"):
                    optimizer: Any = in_effect(plain, design.form.schedule, count, update)
                    if name in design.decay_times:
                        times = like(param, design.decay_times[name][k])
                        optimizer = unchecked(optimizer, weight_decay=optimizer.weight_decay * times)
                    before = state.get(name) or dict(optimizer.init(param))
                    after, state[name] = design.after(name, k, optimizer, param, given[name][k : k + 1], before)
                    store = self.recording.formats[name]
                    piece = expect(f"update {name}", np.array([k]), weights[k + 1 : k + 2], after, store)
                piece = piece.widened(self.recording.half_unit(name)[k + 1 : k + 2])
                ignored = self.recording.ignored.get(name)
                if ignored is not None:
                    piece = replace(piece, allowance=np.where(ignored, np.inf, piece.allowance))
                yield piece

    def share(self, design: Design, *, enough: float = np.inf) -> float:
        """The largest error ÷ allowance, up to the first step where it is more than ``enough``.

        ∞ where the design has other steps, or no bound at all.
        """
        if design.steps != self.recording.steps:
            return np.inf
        largest, known = 0.0, False
        for piece in self.expected(design):
            known = known or not np.isinf(piece.allowance).all()
            largest = max(largest, float(np.max(piece.share, initial=0)))
            if largest > enough:
                break
        return largest if known else np.inf

    def loss_shares(self, design: Design) -> dict[str, float]:
        """Error ÷ allowance of the recorded losses.

        They are taken as the data loss, as that with the design's penalties, and as that with those asked for.
        """
        if self.recording.loss is None or design.steps != self.recording.steps:
            return {}
        return {piece.quantity: float(np.max(piece.share)) for piece in self.losses(design)}

    @np.errstate(all="ignore")
    def losses(self, design: Design) -> list[Expected]:
        """What the loss of each step may be, in each of these readings, beside what was recorded."""
        recorded = self.recording.loss
        assert recorded is not None
        arithmetic = Rounding(self.recording.profiles["loss"])
        problem, asked = (arithmetic.hyper(each) for each in (design.form.in_gradient, design.form.objective))
        pieces: dict[str, list[Expected]] = {"loss": [], "objective": [], "objective as asked": []}
        for steps, params, X, y in self._batches(design, arithmetic):
            data: Any = problem.loss.value(problem.model.forward(params, X), y)
            penalty: Any = problem.objective_from(0 * data, params)
            if design.penalty_times is not None:
                penalty = Bounded.hyper(design.penalty_times[steps], arithmetic.profile) * penalty
            as_asked: Any = asked.objective_from(data, params)
            found = {"loss": data, "objective": data + penalty, "objective as asked": as_asked}
            for quantity, bounded in found.items():
                piece = expect(quantity, steps, recorded[steps], bounded, arithmetic.profile.compute)
                pieces[quantity].append(piece.widened(self.recording.half_unit("loss")[steps]))
        return [in_order(some) for some in pieces.values()]

    # -- gradients ---------------------------------------------------------------------------------------------------

    def gradients(self, design: Design, arithmetic: Rounding | None) -> dict[str, Any]:
        """What the optimizer is given at every step, by parameter ``(K, …)``; without an arithmetic in float64."""
        data = self._data_gradients(design, arithmetic)
        problem = design.form.in_gradient
        params: dict[str, Any] = {name: values[:-1] for name, values in self.recording.weights.items()}
        times: Any = design.penalty_times
        if arithmetic is not None:
            problem = arithmetic.hyper(problem)
            profile = arithmetic.profile
            params = {name: self.recording.before(name, slice(None, -1), profile) for name in params}
            times = None if times is None else Bounded.hyper(times, arithmetic.profile)
        summands: dict[str, list[Any]] = {name: [data[name]] for name in params}
        for name, penalty in problem.terms:
            subgradient = penalty.subgradient(params[name])
            summands[name].append(subgradient if times is None else to_meet(times, subgradient.ndim) * subgradient)
        gradient = {name: add_in_any_order(terms) for name, terms in summands.items()}
        if design.mixing is not None:
            gradient = {name: _mixed(design.mixing, g) for name, g in gradient.items()}
        for twist in design.twists:
            gradient = twist(gradient)
        return gradient

    def _data_gradients(self, design: Design, arithmetic: Rounding | None) -> dict[str, Any]:
        problem, material = design.form.in_gradient, design.material
        parts = repr(problem.loss), repr(problem.model), repr(arithmetic), design.uncertain
        key = (*parts, id(material.dataset), id(material.order))
        if key not in self._gradients:
            found: dict[str, list[Any]] = {name: [None] * self.recording.steps for name in self.recording.weights}
            lifted = problem if arithmetic is None else arithmetic.hyper(problem)
            for steps, params, X, y in self._batches(design, arithmetic):
                upstream = lifted.loss.gradient(lifted.model.forward(params, X), y)
                for name, gradient in lifted.model.backward(params, X, upstream).items():
                    for position, step in enumerate(steps):
                        found[name][step] = gradient[position : position + 1]
            joined = {name: _joined(pieces) for name, pieces in found.items()}
            self._gradients[key] = ((material.dataset, material.order), joined)  # keeps alive what the key names
        return self._gradients[key][1]

    def _batches(self, design: Design, arithmetic: Rounding | None) -> list[tuple[Array, dict[str, Any], Any, Any]]:
        """Steps of equal batch size together: their numbers, weights, inputs and targets."""
        inputs = self.inputs(design)
        sizes = np.array([len(rows) for rows in design.rows])
        found = []
        for size in np.unique(sizes):
            steps = np.flatnonzero(sizes == size)
            rows = np.stack([design.rows[step] for step in steps])
            data: dict[str, Any] = {name: array[0, rows] for name, array in inputs.items()}
            params: dict[str, Any] = {name: values[steps] for name, values in self.recording.weights.items()}
            if arithmetic is not None:
                params = {name: self.recording.before(name, steps, arithmetic.profile) for name in params}
                data = {name: _uncertain(array, inputs[name], design, arithmetic) for name, array in data.items()}
            found.append((steps, params, data["X"], data["y"]))
        return found

    def inputs(self, design: Design) -> dict[str, Array]:
        """The data in the dtype of the run."""
        dataset = design.material.dataset
        if id(dataset) not in self._rounded:
            format = FORMATS[self.recording.dtype]
            arrays = {name: np.asarray(format.round(getattr(dataset, name)), float) for name in ("X", "y")}
            self._rounded[id(dataset)] = (dataset, arrays)
        return self._rounded[id(dataset)][1]


def in_order(pieces: Sequence[Expected]) -> Expected:
    """Pieces of one quantity as one, step after step."""
    order = np.argsort(np.concatenate([piece.steps for piece in pieces]), kind="stable")
    parts = ("steps", "candidate", "value", "allowance", "exact")
    joined = {part: np.concatenate([getattr(piece, part) for piece in pieces])[order] for part in parts}
    return Expected(quantity=pieces[0].quantity, **joined)


def _uncertain(array: Array, whole: Array, design: Design, arithmetic: Rounding) -> Bounded:
    """Inputs that a design computed from the data are known to some roundings of their largest number only."""
    error = design.uncertain * arithmetic.profile.u(arithmetic.profile.compute) * np.max(np.abs(whole))
    return Bounded(array, error, arithmetic.profile)


def unchecked(optimizer: Any, **numbers: Any) -> Any:
    """A copy with other numbers, whatever they are: faults are allowed what right code is not."""
    changed = copy(optimizer)
    for name, value in numbers.items():
        object.__setattr__(changed, name, value)
    return changed


def to_meet(values: Any, ndim: int) -> Any:
    """One value per run or step, shaped to meet an array of ``ndim`` axes."""
    return values.reshape(-1, *(1,) * (ndim - 1))


def _joined(pieces: list[Any]) -> Any:
    if isinstance(pieces[0], Bounded):
        value, error = (np.concatenate([getattr(piece, part) for piece in pieces]) for part in ("value", "error"))
        return Bounded(value, error, pieces[0].profile)
    return np.concatenate(pieces)


def _mixed(mixing: Array, gradient: Any) -> Any:
    """Σ_j M_kj·r_j for every step k."""
    flat = gradient.reshape(len(gradient), -1)
    weights = Bounded.tensor(mixing, gradient.profile) if isinstance(gradient, Bounded) else mixing
    return (weights @ flat).reshape(*gradient.shape)


def _structure(design: Design, name: str) -> Any:
    """What designs must share to be predicted in one batch: all of a parameter's optimizer but its numbers."""
    optimizer: Any = design.form.optimizers[name]
    kind: Any = type(optimizer)
    numbers = number_fields(kind)
    values = {field.name: getattr(optimizer, field.name) for field in fields(optimizer)}
    rest = tuple((key, _switched(value) if key in numbers else repr(value)) for key, value in values.items())
    beat = repr(design.form.schedule), design.advances.tobytes(), repr(design.calls), repr(design.resets)
    shrink, frozen = repr(design.shrink.get(name)), name in design.frozen
    parts = name in design.decay_times, shrink, frozen, design.weights_format, design.state_format
    return kind, rest, beat, parts


def _switched(value: Any) -> Any:
    """Whether a number is there, and whether it is switched off."""
    if isinstance(value, tuple):
        return tuple(map(_switched, value))
    return None if value is None else off(value)


def _stacked(optimizers: Sequence[Any], ndim: int) -> Any:
    """One optimizer whose numbers are a value per run."""
    first = optimizers[0]
    changes: dict[str, Any] = {}
    kind: Any = type(first)
    for name in number_fields(kind):
        values = [getattr(optimizer, name) for optimizer in optimizers]
        if all(value == values[0] for value in values):
            continue
        if isinstance(values[0], tuple):
            changes[name] = tuple(np.array(column, float) for column in zip(*values, strict=True))
        else:
            changes[name] = np.array(values, float)
    return align(replace(first, **changes), ndim) if changes else first


def _decay_times(designs: Sequence[Design], name: str) -> Array | None:
    """A row for each design; None where none has them."""
    if name not in designs[0].decay_times:
        return None
    return np.stack([design.decay_times[name] for design in designs])
