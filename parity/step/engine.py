"""The reference along a recorded run: what a design makes of every step, from the weights that the run itself had.

Nothing is compared after a long free run. There are two ways through a run:

* *recorded*: weights, gradient and state before each step are the run's own, so that all steps are made at once, as the
  axis of runs, and no error is carried from step to step (:meth:`Engine.recorded_step`);
* *replayed*: weights are the run's own, and the state is carried along, made by the design itself, step by step
  (:meth:`Engine.expected`, and for many designs at once in plain float64 :meth:`Engine.weights`).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from copy import copy
from dataclasses import fields, replace
from typing import Any

import numpy as np

from parity.step.after import COUNT, replayed, whole
from parity.step.arithmetics import Arithmetic, Rounding
from parity.step.design import Design
from parity.step.expected import Expected, expect
from parity.step.narrowly import in_format, narrowly
from parity.step.passes import Pass, Passes
from parity.step.quantity import Kind, Quantity
from parity.step.rates import in_effect
from parity.step.recording import Recording
from parity.step.rounding import like
from refimpl.arithmetic.bounded import Bounded
from refimpl.arithmetic.lift import align
from refimpl.training import scheduled
from refimpl.types import Array, number_fields, off

LARGE = 10_000_000
"""Numbers of a run from which on not all of its gradients are kept at a time."""


class Engine:
    """Designs over one recording; data gradients that designs share are computed once."""

    def __init__(self, recording: Recording) -> None:
        self.recording = recording
        self.passes = Passes(recording)
        self._gradients: dict[Any, tuple[Any, dict[str, Any]]] = {}
        self._pieces: dict[int, tuple[Design, Sequence[Expected]]] = {}
        self.memo: dict[Any, Any] = {}
        """What others made of this recording once, and ask for again."""

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
            found[name][members] = self._along(name, some, given).swapaxes(0, 1)
        for name, ignored in self.recording.ignored.items():
            found[name] = np.where(ignored & ~np.isnan(found[name]), self.recording.weights[name][1:], found[name])
        return found

    def _along(self, parameter: str, designs: Sequence[Design], gradients: Array) -> Array:
        """One parameter after each step ``(K, designs, …)``, by one optimizer with a value for each design."""
        one, runs = designs[0], len(designs)
        weights = one.begins.get(parameter, self.recording.weights[parameter])
        stacked: Any = _stacked([design.form.optimizers[parameter] for design in designs], weights.ndim)
        decay = None
        if parameter in one.decay_times:
            decay = np.stack([design.decay_times[parameter] for design in designs], axis=1)

        def step(name: str, k: int, param: Any, gradient: Any, state: Any) -> tuple[Any, Any]:
            optimizer: Any = scheduled(stacked, one.form.schedule, int(one.advances[k]))
            if decay is not None:
                optimizer = unchecked(optimizer, weight_decay=optimizer.weight_decay * like(param, decay[k]))
            return one.after(name, k, optimizer, param, gradient, state)

        made = replayed(
            self.recording.steps,
            lambda k, _: {parameter: np.repeat(weights[k : k + 1], runs, axis=0)},
            lambda k, _: {parameter: gradients[k]},
            step,
            {parameter: stacked.init(np.repeat(weights[:1], runs, axis=0))},
        )
        return np.stack([params[parameter] for params in made])

    # -- one design, with its bound ----------------------------------------------------------------------------------

    def expected(self, design: Design) -> Iterator[Expected]:
        """What a run of this design may have after each step, beside what it has, step by step."""
        update = self.arithmetic("update")
        weights = self.recording.weights

        def step(name: str, k: int, param: Any, gradient: Any, state: Any) -> tuple[Any, Any]:
            if design.update_format is not None:
                narrow = in_format(update.profile, design.update_format)
                own, its = (self.optimizer(design, name, np.array([k]), each) for each in (update, Rounding(narrow)))
                return narrowly(own, its, param, gradient, state, narrow)
            optimizer = self.optimizer(design, name, np.array([k]), update)
            return design.after(name, k, optimizer, param, gradient, state)

        made = replayed(
            self.recording.steps,
            lambda k, _: {name: self._before(design, name, k, update) for name in weights},
            self._given(design, update),
            step,
        )
        for k, params in enumerate(made):
            for name, bounded in params.items():
                candidate, store = self.candidate(design, name)[k : k + 1], self.recording.format(name)
                piece = expect(Quantity("update", name), np.array([k]), candidate, bounded, store)
                piece = piece.widened(self.recording.half_unit(name)[k + 1 : k + 2])
                ignored = self.recording.ignored.get(name)
                if ignored is not None:
                    piece = replace(piece, allowance=np.where(ignored, np.inf, piece.allowance))
                yield piece

    def candidate(self, design: Design, name: str) -> Array:
        """What the run had after each step ``(K, …)``, where it is held to a design."""
        return design.ends.get(name, self.recording.weights[name][1:])

    def _before(self, design: Design, name: str, k: int, update: Rounding) -> Bounded:
        """A parameter before step k, as far as it is known."""
        if name in design.begins:
            return Bounded.tensor(design.begins[name][k : k + 1], update.profile)
        return self.recording.before(name, slice(k, k + 1), update.profile)

    def _given(self, design: Design, update: Rounding) -> Any:
        """The gradients of one step, as the update's arithmetic sees them: by parameter ``(1, …)``."""
        loss = self.arithmetic("loss")
        large = self.recording.steps * self.recording.parameters > LARGE
        if large and design.mixing is None and not design.given:
            return lambda k, _: under(self.gradients_at(design, np.array([k]), loss), update)
        with np.errstate(all="ignore"):
            gradients = under(self.gradients(design, loss), update)
        return lambda k, _: {name: gradient[k : k + 1] for name, gradient in gradients.items()}

    def allowances(self, design: Design) -> dict[str, Array]:
        """How far a correct run of this design may be off after each step, by parameter ``(K, n)``."""
        found: dict[str, list[Array]] = {name: [] for name in self.recording.weights}
        for piece in self.pieces(design):
            found[piece.quantity.parameter].append(np.asarray(piece.allowance, float).reshape(-1))
        return {name: np.stack(some) for name, some in found.items()}

    def pieces(self, design: Design) -> Sequence[Expected]:
        """All of :meth:`expected`, made once for a design."""
        if id(design) not in self._pieces:
            self._pieces[id(design)] = design, tuple(self.expected(design))  # the design is kept: no other gets its id
        return self._pieces[id(design)][1]

    def share(self, design: Design, *, enough: float = np.inf) -> float:
        """The largest error ÷ allowance, up to the first step where it is more than ``enough``.

        ∞ where the design has other steps, or no bound at all.
        """
        if design.steps != self.recording.steps:
            return np.inf
        largest, known = 0.0, False
        for piece in self.pieces(design) if id(design) in self._pieces else self.expected(design):
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
        return {str(piece.quantity): float(np.max(piece.share)) for piece in self.losses(design)}

    @np.errstate(all="ignore")
    def losses(self, design: Design) -> list[Expected]:
        """What the loss of each step may be, in each of these readings, beside what was recorded."""
        recorded, arithmetic = self.recording.loss, self.arithmetic("loss")
        assert recorded is not None
        asked: Any = arithmetic.hyper(design.form.objective)

        def readings(made: Pass) -> dict[Quantity, Any]:
            as_asked = asked.objective_from(made.loss, made.params)
            values: dict[Kind, Any] = {"loss": made.loss, "objective": made.objective, "objective as asked": as_asked}
            return {Quantity(kind): value for kind, value in values.items()}

        every, format = np.arange(self.recording.steps), arithmetic.profile.compute
        bounded = self.passes.every(design, arithmetic, readings)
        pieces = [expect(quantity, every, recorded, value, format) for quantity, value in bounded.items()]
        return [piece.widened(self.recording.half_unit("loss")) for piece in pieces]

    # -- all steps at once, from what was recorded -------------------------------------------------------------------

    def recorded_step(
        self, design: Design, name: str, steps: Array, arithmetic: Arithmetic, gradient: Any = None
    ) -> tuple[Any, dict[str, Any]]:
        """A parameter and its state after each of ``steps``, ``(steps, …)``, made from the recorded ones before it.

        The gradient is the recorded one, where no other is given. ``steps``: one of :meth:`alike`.
        """
        recording = self.recording
        before = recording.state_before(name, steps)
        state = {key: whole(values) if key == COUNT else arithmetic.tensor(values) for key, values in before.items()}
        if gradient is None:
            gradient = arithmetic.tensor(recording.gradients[name][steps])
        optimizer = self.optimizer(design, name, steps, arithmetic)
        return design.after(name, steps, optimizer, arithmetic.tensor(recording.weights[name][steps]), gradient, state)

    def alike(self, design: Design, name: str, steps: Array) -> list[Array]:
        """``steps`` in parts that are one step for all: with the same keys of the state, calls and resets."""
        edges = set(np.searchsorted(steps, sorted(set(self.recording.births(name).values()))))
        turns = [design.turns(name, step) for step in steps]
        edges |= {i for i in range(1, len(steps)) if turns[i] != turns[i - 1]}
        return [part for part in np.split(steps, sorted(edges)) if len(part)]

    # -- gradients ---------------------------------------------------------------------------------------------------

    def gradients(self, design: Design, arithmetic: Arithmetic | None) -> dict[str, Any]:
        """What the optimizer is given at every step, by parameter ``(K, …)``; without an arithmetic in float64."""
        every = np.arange(self.recording.steps)
        params = self.passes.weights(design, slice(None), arithmetic)
        problem = design.form.in_gradient
        given: dict[str, Any] = dict(design.given)
        if arithmetic is not None:
            problem = arithmetic.hyper(problem)
            given = {name: arithmetic.tensor(values) for name, values in given.items()}
        if set(given) == set(params):
            return given
        gradient = design.raw(every, problem, self.data_gradients(design, arithmetic), params)
        if design.mixing is not None:
            gradient = {name: _mixed(design.mixing, g) for name, g in gradient.items()}
        for other, times in design.also:
            its = self.gradients(other, arithmetic)
            gradient = {name: g + like(params[name], times) * its[name] for name, g in gradient.items()}
        return design.seen(every, gradient) | given

    def gradients_at(self, design: Design, steps: Array, arithmetic: Arithmetic) -> dict[str, Any]:
        """The same at some steps with batches of one size, by parameter ``(steps, …)``, without any mixing."""
        made = self.passes.at(design, steps, arithmetic)
        return design.seen(steps, design.raw(steps, made.problem, made.data_gradient, made.params))

    def data_gradients(self, design: Design, arithmetic: Arithmetic | None) -> dict[str, Any]:
        """The gradient of the data loss at every step, by parameter ``(K, …)``."""
        problem, material = design.form.in_gradient, design.material
        parts = repr(problem.loss), repr(problem.model), repr(arithmetic), design.uncertain
        key = (*parts, id(material.dataset), id(material.order), id(design.row_times), id(design.at), id(design.begins))
        if key not in self._gradients:
            alive = (*vars(material).values(), design.row_times, design.at, design.begins)  # which the key names
            self._gradients[key] = alive, self.passes.every(design, arithmetic, lambda made: made.data_gradient)
        return self._gradients[key][1]

    # -- what both ways share ----------------------------------------------------------------------------------------

    def arithmetic(self, part: str) -> Rounding:
        """The running-error arithmetic of the ``"loss"`` or of the ``"update"``."""
        return Rounding(self.recording.profiles[part])

    def optimizer(self, design: Design, name: str, steps: Array, arithmetic: Arithmetic) -> Any:
        """The optimizer of a parameter with the hyper-parameters in effect at ``steps``, one for each run."""
        param = self.recording.weights[name][:1]
        counts = design.advances[steps].reshape(-1, *(1,) * (param.ndim - 1))
        optimizer = in_effect(design.form.optimizers[name], design.form.schedule, counts, arithmetic)
        if name not in design.decay_times:
            return optimizer
        times = like(arithmetic.tensor(param), design.decay_times[name][steps])
        return unchecked(optimizer, weight_decay=optimizer.weight_decay * times)


def under(numbers: dict[str, Any], arithmetic: Rounding) -> dict[str, Any]:
    """Gradients or weights as they enter another arithmetic."""
    return {name: Bounded(each.value, each.error, arithmetic.profile) for name, each in numbers.items()}


def unchecked(optimizer: Any, **numbers: Any) -> Any:
    """A copy with other numbers, whatever they are: faults are allowed what right code is not."""
    changed = copy(optimizer)
    for name, value in numbers.items():
        object.__setattr__(changed, name, value)
    return changed


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
    beat = (
        id(design.begins.get(name)),
        repr(design.form.schedule),
        design.advances.tobytes(),
        repr(design.calls),
        design.splits.get(name),
        repr(design.resets),
        design.forgets,
    )
    shrink, frozen = (repr(design.shrink.get(name)), repr(design.beside.get(name))), name in design.frozen
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
