"""The reference along a recorded run: what a design makes of every step, from the weights that the run itself had.

Nothing is compared after a long free run. There are two ways through a run:

* *recorded*: weights, gradient and state before each step are the run's own, so that all steps are made at once, as the
  axis of runs, and no error is carried from step to step (:meth:`Engine.recorded_step`);
* *replayed*: weights are the run's own, and the state is carried along, made by the design itself, step by step
  (:meth:`Engine.expected`, and in plain float64 :meth:`Engine.weights`).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from copy import copy
from dataclasses import replace
from typing import Any

import numpy as np

from parity.step.after import COUNT, Join, replayed, whole
from parity.step.arithmetics import PLAIN, Arithmetic, Rounding, in_format, like, narrowly
from parity.step.design import Design, joining
from parity.step.expected import Expected, Kind, Quantity, expect
from parity.step.passes import Pass, Passes
from parity.step.rates import in_effect
from parity.step.recording import Recording
from refimpl.arithmetic.bounded import Bounded
from refimpl.arithmetic.kernels import item
from refimpl.joint import together
from refimpl.types import Array, Joint

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
        """A cache for what others computed of this recording and ask for again."""

    # -- what designs make of every step -------------------------------------------------------------------------------

    @np.errstate(all="ignore")
    def weights(self, designs: Sequence[Design]) -> dict[str, Array]:
        """The weights after each step in float64, ``(designs, K, …)``; nan where a design has other steps."""
        recorded = {name: values[1:] for name, values in self.recording.weights.items()}
        weights = {name: np.full((len(designs), *values.shape), np.nan) for name, values in recorded.items()}
        for i, design in enumerate(designs):
            if design.steps == self.recording.steps:
                for k, params in enumerate(self._along(design, PLAIN, _of_step(self.gradients(design, PLAIN)))):
                    for name, param in params.items():
                        weights[name][i, k] = param[0]
        for name, ignored in self.recording.ignored.items():
            weights[name] = np.where(ignored & ~np.isnan(weights[name]), recorded[name], weights[name])
        return weights

    def expected(self, design: Design) -> Iterator[Expected]:
        """The weights that a run of this design may have after each step, beside the recorded ones, step by step."""
        update = self.arithmetic("update")
        for k, params in enumerate(self._along(design, update, self._given(design, update))):
            for name, bounded in params.items():
                candidate, store = self.candidate(design, name)[k : k + 1], self.recording.format(name)
                piece = expect(Quantity("update", name), np.array([k]), candidate, bounded, store)
                piece = piece.widened(self.recording.half_unit(name)[k + 1 : k + 2])
                ignored = self.recording.ignored.get(name)
                if ignored is not None:
                    piece = replace(piece, allowance=np.where(ignored, np.inf, piece.allowance))
                yield piece

    def _along(self, design: Design, arithmetic: Arithmetic, gradient: Any) -> Iterator[dict[str, Any]]:
        """The parameters after each step, from the run's own before it; ``gradient(k, params)`` is what is given."""

        def before(k: int, _: Any) -> dict[str, Any]:
            return {name: self._before(design, name, slice(k, k + 1), arithmetic) for name in self.recording.weights}

        def step(name: str, k: int, param: Any, given: Any, state: Any) -> tuple[Any, Any]:
            optimizer = self.optimizer(design, name, np.array([k]), arithmetic)
            if design.update_format is None or not isinstance(arithmetic, Rounding):
                return design.after(name, k, optimizer, param, given, state)
            narrow = in_format(arithmetic.profile, design.update_format)
            its = self.optimizer(design, name, np.array([k]), Rounding(narrow))
            return narrowly(optimizer, its, param, given, state, narrow)

        return replayed(self.recording.steps, before, gradient, step, join=self._join(design, arithmetic))

    def _join(self, design: Design, arithmetic: Arithmetic) -> Join | None:
        """What puts the sums over all parameters beside their states; None where no optimizer asks for any."""
        return joining(design, lambda name, k: self.optimizer(design, name, np.array([k]), arithmetic))

    def candidate(self, design: Design, name: str) -> Array:
        """The values that are held to a design: those of the run after each step ``(K, …)``."""
        return design.ends.get(name, self.recording.weights[name][1:])

    def _before(self, design: Design, name: str, now: slice, arithmetic: Arithmetic) -> Any:
        """A parameter before a step, as far as it is known."""
        if isinstance(arithmetic, Rounding) and name not in design.begins:
            return self.recording.before(name, now, arithmetic.profile)
        return arithmetic.tensor(design.begins.get(name, self.recording.weights[name])[now])

    def _given(self, design: Design, update: Rounding) -> Any:
        """The gradients of one step, as the update's arithmetic sees them: by parameter ``(1, …)``."""
        loss = self.arithmetic("loss")
        large = self.recording.steps * self.recording.parameters > LARGE
        if large and design.mixing is None and not design.given:
            return lambda k, _: under(self.gradients_at(design, np.array([k]), loss), update)
        with np.errstate(all="ignore"):
            return _of_step(under(self.gradients(design, loss), update))

    def allowances(self, design: Design) -> dict[str, Array]:
        """How far a correct run of this design may be off after each step, by parameter ``(K, n)``."""
        allowances: dict[str, list[Array]] = {name: [] for name in self.recording.weights}
        for piece in self.pieces(design):
            allowances[piece.quantity.parameter].append(np.asarray(piece.allowance, float).reshape(-1))
        return {name: np.stack(some) for name, some in allowances.items()}

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
        state = self._recorded_state(design, name, steps, arithmetic)
        given = arithmetic.tensor(recording.gradients[name][steps]) if gradient is None else gradient
        optimizer = self.optimizer(design, name, steps, arithmetic)
        param = arithmetic.tensor(recording.weights[name][steps])
        if isinstance(optimizer, Joint):
            every = {n: self.optimizer(design, n, steps, arithmetic) for n in design.form.optimizers}
            params = {n: arithmetic.tensor(recording.weights[n][steps]) for n in every if design.turns(n, steps)[0]}
            grads = {n: arithmetic.tensor(recording.gradients[n][steps]) for n in params} | {name: given}
            states = {n: self._recorded_state(design, n, steps, arithmetic) for n in every}
            state = dict(together(every, params, grads, states)[name])
        return design.after(name, steps, optimizer, param, given, state)

    def _recorded_state(self, design: Design, name: str, steps: Array, arithmetic: Arithmetic) -> dict[str, Any]:
        """The recorded state before each of ``steps``; numbers that parameters share are no tensors."""
        before = self.recording.state_before(name, steps)
        optimizer = design.form.optimizers[name]
        numbers = optimizer.shared if isinstance(optimizer, Joint) else ()
        tensors = {key: arithmetic.tensor(values) for key, values in before.items() if key != COUNT}
        state = {key: item(values) if key in numbers else values for key, values in tensors.items()}
        return state | {key: whole(values) for key, values in before.items() if key == COUNT}

    def alike(self, design: Design, name: str, steps: Array) -> list[Array]:
        """``steps`` in parts that are one step for all: with the same keys of the state, calls and resets."""
        edges = set(np.searchsorted(steps, sorted(set(self.recording.births(name).values()))))
        turns = [design.turns(name, step) for step in steps]
        edges |= {i for i in range(1, len(steps)) if turns[i] != turns[i - 1]}
        return [part for part in np.split(steps, sorted(edges)) if len(part)]

    # -- gradients ---------------------------------------------------------------------------------------------------

    def gradients(self, design: Design, arithmetic: Arithmetic | None) -> dict[str, Any]:
        """What the optimizer is given at every step, by parameter ``(K, …)``; without an arithmetic in float64."""
        arithmetic = arithmetic or PLAIN
        every = np.arange(self.recording.steps)
        params = self.passes.weights(design, slice(None), arithmetic)
        given = {name: arithmetic.tensor(values) for name, values in design.given.items()}
        if set(given) == set(params):
            return given
        problem = arithmetic.hyper(design.form.in_gradient)
        gradient = design.raw(every, problem, self.data_gradients(design, arithmetic), params)
        if design.mixing is not None:
            gradient = {name: _mixed(design.mixing, g) for name, g in gradient.items()}
        for other, times in design.also:
            its = self.gradients(other, arithmetic)
            gradient = {name: g + like(params[name], times) * its[name] for name, g in gradient.items()}
        return design.seen(every, gradient) | given

    def gradients_at(self, design: Design, steps: Array, arithmetic: Arithmetic) -> dict[str, Any]:
        """The gradients at some steps with batches of one size, by parameter ``(steps, …)``, without any mixing."""
        made = self.passes.at(design, steps, arithmetic)
        return design.seen(steps, design.raw(steps, made.problem, made.data_gradient, made.params))

    def data_gradients(self, design: Design, arithmetic: Arithmetic | None) -> dict[str, Any]:
        """The gradient of the data loss at every step, by parameter ``(K, …)``."""
        problem, material, arithmetic = design.form.in_gradient, design.material, arithmetic or PLAIN
        parts = repr(problem.loss), repr(problem.model), repr(arithmetic), design.uncertain
        made_of = (material.dataset, material.order, design.windows, design.row_times, design.at, design.begins)
        key = (*parts, design.additions, *map(id, made_of))
        if key not in self._gradients:
            alive = (*vars(material).values(), *made_of)  # which the key names
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


def _of_step(gradients: dict[str, Any]) -> Any:
    """From the gradients of all steps those of one, by parameter ``(1, …)``."""
    return lambda k, _: {name: gradient[k : k + 1] for name, gradient in gradients.items()}


def _mixed(mixing: Array, gradient: Any) -> Any:
    """Σ_j M_kj·r_j for every step k."""
    flat = gradient.reshape(len(gradient), -1)
    weights = Bounded.tensor(mixing, gradient.profile) if isinstance(gradient, Bounded) else mixing
    return (weights @ flat).reshape(*gradient.shape)
