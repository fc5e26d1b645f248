"""The checks of one step, each started from the candidate's own numbers, for all steps of a run at once.

Errors must not pile up over steps, so nothing is compared after a long free run that can be compared after one step:
the steps of a run become the axis of runs, and the reference's formulas run once over all of them, in arithmetic that
carries the rounding error.

===================  ================================================================  =============================
quantity             expected                                                          started from
===================  ================================================================  =============================
initial w            the experiment's initial weights, rounded to the dtype            the experiment
data X, y …          the experiment's data, rounded to the dtype                       the experiment
loss, objective      the reference's                                                   weights, data
gradient w           the reference's                                                   weights, data
gradient (span)      the part of the gradient orthogonal to the batch's rows           weights, data
norm                 ‖w‖₂                                                              weights
train loss …         the reference's, on all rows, once per epoch                      weights, data
update w             one step of the reference's optimizer                             weights, gradient, state
state w.key          the state after that step                                         weights, gradient, state
whole step w         the step, where gradients or states were not recorded             weights, data, replayed state
average w            the moving average after that step                                average, weights after the step
initial state w.key  what the optimizer keeps before its first step                    the experiment
===================  ================================================================  =============================
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from parity.experiment import Material
from parity.formulation import Realised
from parity.judge.schedules import EXACT
from parity.step.arithmetics import Arithmetic, Rational, short, stored
from parity.step.averages import averaged, kept_of
from parity.step.design import Design
from parity.step.engine import Engine
from parity.step.expected import Expected, Quantity, equal, expect, sharpen
from parity.step.passes import CHUNK
from parity.step.recording import complete
from refimpl.arithmetic.bounded import Bounded, gamma
from refimpl.arithmetic.formats import Format
from refimpl.losses import SquaredError
from refimpl.optimizers import SGD, SGDW, ProximalSGD
from refimpl.reductions import norm
from refimpl.training import hyper_parameters
from refimpl.trajectory import Trajectory
from refimpl.types import Array, LinearModel

ROWS = 2**16
"""Rows whose outputs are bounded at a time: numbers of 16 bytes, of which some are needed for each cell."""
KEPT = 1_000_000
"""The most numbers of all gradients of a run that are kept, with their bounds, for the checks of whole steps."""
RATIONAL = (SGD, SGDW, ProximalSGD)
"""Optimizers whose formula takes no root."""


class Checks:
    """All checks of a trajectory against an experiment realised in one form: the engine on the design as asked."""

    def __init__(self, form: Realised, material: Material, trajectory: Trajectory, *, form_factor: float = 1.0) -> None:
        self.form, self.material, self.trajectory, self.form_factor = form, material, trajectory, form_factor
        self.design, self.recording = Design(form=form, material=material), complete(trajectory, form=form_factor)
        self.engine = Engine(self.recording)
        self.loss_arithmetic, self.update_arithmetic = map(self.engine.arithmetic, ("loss", "update"))
        self.dtype = self.loss_arithmetic.profile.compute
        self.rational = Rational(self._narrowest()) if self._is_probe() else None
        self._gradients: dict[bytes, dict[str, Any]] = {}

    def against(self, form: Realised, material: Material) -> Checks:
        """The checks of the same run against another form of the experiment."""
        return Checks(form, material, self.trajectory, form_factor=self.form_factor)

    @property
    def _changed(self) -> bool:
        """True where the gradient that the optimizer is given is not the one of the rows: clipped, or of no step."""
        return self.form.clip is not None or bool(self.form.freeze)

    def _is_probe(self) -> bool:
        """True where an exact run is possible and worth its time."""
        form, trajectory = self.form, self.trajectory
        probe = isinstance(form.in_gradient.model, LinearModel) and isinstance(form.in_gradient.loss, SquaredError)
        probe &= len(dict(form.in_gradient.terms)) == len(form.in_gradient.terms)  # pieces of terms have finer grids
        probe &= isinstance(form.schedule, EXACT) and form.clip is None and not self.design.windows
        probe &= all(type(optimizer) in RATIONAL for optimizer in form.optimizers.values())
        stored = [trajectory.inputs["X"], *(values[:1] for values in trajectory.params.values())]
        hypers = [h for optimizer in form.optimizers.values() for h in hyper_parameters(optimizer).values()]
        return probe and all(short(np.asarray(array)) for array in [*stored, *hypers])

    def catch(self) -> bool:
        """True where some number that both sides have lies outside its bound."""
        both = ((piece.share > 1) & np.isfinite(piece.candidate) & np.isfinite(piece.value) for piece in self.all())
        return any(bool(wrong.any()) for wrong in both)

    def all(self) -> Iterator[Expected]:
        """Every check, the sharpest first."""
        recorded = self.recording
        everything_recorded = bool(recorded.gradients) and set(recorded.states) >= set(self.form.optimizers)
        for steps in self.chunks():
            if everything_recorded:
                yield from self.update(steps)
            yield from self.loss_and_gradient(steps)
        if not everything_recorded:
            yield from self.whole_steps()
        yield from self.averages()
        yield from self.start()
        yield from self.initial_state()
        yield from self.norms()
        yield from self.epochs()

    # -- what the run started from --------------------------------------------------------------------------------

    def start(self) -> Iterator[Expected]:
        """Initial weights and data: what was asked, rounded to the dtype, by way of float32 or directly."""
        weights, inputs = self.material.params, self.material.inputs
        asked = {Quantity("initial", name): (v, self.trajectory.params[name][0]) for name, v in weights.items()}
        asked |= {Quantity("data", name): (v, self.trajectory.inputs[name]) for name, v in inputs.items()}
        for quantity, (value, candidate) in asked.items():
            yield equal(quantity, 0, candidate, stored(value, candidate, self.dtype))

    def initial_state(self) -> Iterator[Expected]:
        """Check the state of the optimizer before its first step."""
        for name, states in self.trajectory.state.items():
            asked = self.form.optimizers[name].init(self.trajectory.params[name][0])
            early = {key: values[0] for key, values in states.items() if len(values) == self.trajectory.steps + 1}
            for key in {**asked, **early}:
                nothing = np.full((1,), np.nan)  # where one side has no such state
                expected = self.recording.format(name, key).round(asked.get(key, nothing))
                yield equal(Quantity("initial state", name, key), 0, early.get(key, nothing), expected)

    # -- loss and gradient ----------------------------------------------------------------------------------------

    def loss_and_gradient(self, steps: Array) -> Iterator[Expected]:
        """At the candidate's weights, on the batches of ``steps``, which have the same number of rows."""
        candidates = {
            Quantity("loss"): self.trajectory.loss[:, 0],
            Quantity("objective"): self.trajectory.objective[:, 0],
        }
        candidates |= {Quantity("gradient", name): values for name, values in self.recording.gradients.items()}
        expected = self._loss_and_gradient(steps, self.loss_arithmetic)
        exact = self._loss_and_gradient(steps, self.rational) if self.rational else {}
        for quantity, candidate in candidates.items():
            result = expect(quantity, steps, candidate[steps], expected[quantity], self.dtype)
            yield sharpen(result, exact[quantity], self._narrowest()) if exact else result
        one_upstream = not self._changed and not self.trajectory.meta.get("recomputes")
        if self.recording.gradients and isinstance(self.form.in_gradient.model, LinearModel) and one_upstream:
            yield from self.off_span(steps)

    def _loss_and_gradient(self, steps: Array, arithmetic: Arithmetic) -> dict[Quantity, Any]:
        made = self.engine.passes.at(self.design, steps, arithmetic)
        gradient = self.design.seen(steps, self.design.raw(steps, made.problem, made.data_gradient, made.params))
        if arithmetic is self.loss_arithmetic and self.recording.steps * self.recording.parameters <= KEPT:
            self._gradients[steps.tobytes()] = gradient
        losses = {Quantity("loss"): made.loss, Quantity("objective"): made.objective}
        return losses | {Quantity("gradient", name): values for name, values in gradient.items()}

    def off_span(self, steps: Array) -> Iterator[Expected]:
        """The sharper look at the gradient of a linear model.

        Whatever errors the forward pass made, the data gradient is a combination ``Σ δᵢ[xᵢ, 1]`` of the batch's rows.
        In the orthogonal complement of their span, with orthonormal basis B, only the rounding errors ``e`` of forming
        that combination remain: ``|P⊥(g − g_ref)| ≤ e + |B||B|ᵀe``, far below the bound of the whole. With the upstream
        δ known only to ``e_δ``, ``e`` grows from its value at exact δ by at most (γₙ + u) of the whole bound. Compiled
        code that makes δ anew for each gradient has not one δ: its run says that it ``recomputes``.
        """
        model = self.form.in_gradient.model
        assert isinstance(model, LinearModel)
        X = self.trajectory.inputs["X"]
        n, q = len(self.design.rows[steps[0]]), model.rows(X[:, :1]).shape[2]
        if n >= q:
            return  # the rows span everything: there is no complement
        rows = model.rows(X[0, np.stack([self.design.rows[step] for step in steps])])
        made = self.engine.passes.at(self.design, steps, self.loss_arithmetic)
        problem, params, upstream = made.problem, made.params, made.upstream
        profile = self.loss_arithmetic.profile
        known: Any = Bounded(upstream.value, 0, profile)
        whole, combined = made.backward(upstream), made.backward(known)
        second_order = gamma(n, profile, profile.sums) + (1 + (self.design.additions or 0)) * profile.u(profile.compute)
        widened: Any = {
            name: Bounded(g.value, g.error + second_order * whole[name].error, profile) for name, g in combined.items()
        }
        reference = self.design.raw(steps, problem, widened, params)
        difference, error = [], []
        for name, bounded in reference.items():
            candidate = self.recording.gradients[name][steps]
            difference.append((_long(candidate) - bounded.value).reshape(len(steps), -1))
            error.append(bounded.error.reshape(len(steps), -1))
        d, e = np.concatenate(difference, axis=1), np.concatenate(error, axis=1)
        finite = np.isfinite(d).all(axis=1) & np.isfinite(e).all(axis=1)
        d, e = np.where(finite[:, None], d, 0), np.where(finite[:, None], e, np.inf)
        B, _ = np.linalg.qr(rows.swapaxes(1, 2))  # (steps, q, n)
        outside = d - np.einsum("kqn,kn->kq", B, np.einsum("kqn,kq->kn", B, d))  # P⊥d
        spread = np.einsum("kqn,kn->kq", np.abs(B), np.einsum("kqn,kq->kn", np.abs(B), np.where(finite[:, None], e, 0)))
        basis_error = q * n * 2.0**-53 * np.linalg.norm(d.astype(float), axis=1)[:, None]  # of the float64 QR itself
        allowance = e + spread + basis_error
        none = np.zeros(d.shape, bool)
        yield Expected(Quantity("gradient off span"), steps, outside, np.zeros_like(outside), allowance, none)

    # -- the optimizer's step -------------------------------------------------------------------------------------

    def update(self, steps: Array) -> Iterator[Expected]:
        """One step from the candidate's weights, gradient and state: the sharp check."""
        for name in self.form.optimizers:
            for some in self.engine.alike(self.design, name, steps):
                bounded = self._recorded_step(name, some, self.update_arithmetic)
                exact = self._recorded_step(name, some, self.rational) if self.rational else {}
                for quantity, expected in bounded.items():
                    candidate = self._after(quantity, some)
                    if not isinstance(expected, Bounded):  # a count
                        yield equal(quantity, some, candidate, expected)
                        continue
                    store = self.recording.format(name, quantity.key)
                    result = expect(quantity, some, candidate, expected, store)
                    yield sharpen(result, exact[quantity], self._narrowest()) if exact else result
                for key, values in self.recording.states[name].items():
                    if not self.design.turns(name, some)[0]:
                        continue  # a frozen parameter, of which no state need be known yet
                    if Quantity("state", name, key) not in bounded:  # the reference keeps no such state
                        yield equal(Quantity("state", name, key), some[:1], values[-1:], np.nan)

    def _recorded_step(self, name: str, steps: Array, arithmetic: Arithmetic) -> dict[Quantity, Any]:
        param, state = self.engine.recorded_step(self.design, name, steps, arithmetic)
        return {Quantity("update", name): param} | {Quantity("state", name, key): v for key, v in state.items()}

    def whole_steps(self) -> Iterator[Expected]:
        """No state was recorded, or no gradients: what is missing is replayed, which is looser."""
        for piece in self.engine.expected(replace(self.design, given=self.recording.gradients)):
            yield replace(piece, quantity=Quantity("whole step", piece.quantity.parameter))

    def whole_step_allowance(self, steps: Array) -> dict[str, Array]:
        """How far a correct step from the candidate's weights and state may lead, gradient included, by parameter."""
        gradient = self._gradients.get(steps.tobytes())
        gradient = gradient or self.engine.gradients_at(self.design, steps, self.loss_arithmetic)
        by_parameter: dict[str, list[Array]] = {name: [] for name in self.form.optimizers}
        for name, allowances in by_parameter.items():
            made: Any = gradient[name]
            uncertain = Bounded(made.value, made.error, self.update_arithmetic.profile)
            for some in self.engine.alike(self.design, name, steps):
                of_some = uncertain[np.searchsorted(steps, some)]
                after, _ = self.engine.recorded_step(self.design, name, some, self.update_arithmetic, of_some)
                quantity, nothing = Quantity("whole step", name), np.zeros(after.shape)
                allowances.append(expect(quantity, some, nothing, after, self.recording.format(name)).allowance)
        return {name: np.concatenate(allowances) for name, allowances in by_parameter.items()}

    def averages(self) -> Iterator[Expected]:
        """The moving average after each step, from the candidate's before it and its weights after the step."""
        if self.form.average is not None:
            yield from averaged(self.recording, kept_of(self.form.average, self.design.steps))

    def _after(self, quantity: Quantity, steps: Array) -> Array:
        """The candidate's values after ``steps``; nan where a state that must be there is missing."""
        weights: Array = self.recording.weights[quantity.parameter]
        if not quantity.key:
            after: Array = weights[steps + 1]
            return after
        values = self.recording.states[quantity.parameter].get(quantity.key)
        if values is None:
            return np.full(weights[steps].shape, np.nan)
        index = steps + 1 - self.recording.births(quantity.parameter)[quantity.key]
        states: Array = values[np.maximum(index, 0)]
        return np.where((index >= 0).reshape(-1, *(1,) * (states.ndim - 1)), states, np.nan)

    # -- norms and losses per epoch -------------------------------------------------------------------------------

    def norms(self) -> Iterator[Expected]:
        steps = np.arange(len(self.trajectory.norm))
        weights = self.form.objective.model.weights
        if all(len(self.recording.weights[name]) == len(steps) for name in weights):
            arrays = [self.loss_arithmetic.tensor(self.recording.weights[name]) for name in weights]
            bounded: Any = norm(*arrays)
            yield expect(Quantity("norm"), steps, self.trajectory.norm[:, 0], bounded, self.dtype)

    def epochs(self) -> Iterator[Expected]:
        """Losses on all training and validation rows; ``steps`` is the step that the epoch starts with."""
        starts = np.cumsum([0, *(len(batches) for batches in self.material.order)])
        problem = self.loss_arithmetic.hyper(self.form.in_gradient)
        for quantity, losses, X, y in (
            (Quantity("train loss"), self.trajectory.train_loss, "X", "y"),
            (Quantity("validation loss"), self.trajectory.validation_loss, "X_validation", "y_validation"),
        ):
            if losses is None:
                continue
            features, targets = self.trajectory.inputs[X], self.loss_arithmetic.tensor(self.trajectory.inputs[y])
            per_pass = max(1, CHUNK // features.size)
            parts = np.split(features, range(ROWS, features.shape[1], ROWS), axis=1)
            for epochs in np.split(np.arange(len(starts)), range(per_pass, len(starts), per_pass)):
                weights = {name: values[starts[epochs]] for name, values in self.recording.weights.items()}
                params: Any = {name: self.loss_arithmetic.tensor(values) for name, values in weights.items()}
                outputs = [problem.model.forward(params, self.loss_arithmetic.tensor(part)) for part in parts]
                bounded: Any = problem.loss.value(np.concatenate(outputs, axis=1), targets)
                yield expect(quantity, starts[epochs], losses[epochs, 0], bounded, self.dtype)

    # -- common ---------------------------------------------------------------------------------------------------

    def chunks(self) -> Sequence[Array]:
        """Steps in pieces of equal batch size that fit in memory."""
        return self.engine.passes.chunks(self.design)

    def _narrowest(self) -> Format:
        """The format in which an exact probe must fit: of storage and of operands."""
        operands = self.loss_arithmetic.profile.operands
        return min((self.dtype, operands or self.dtype), key=lambda format: format.digits)


def _long(array: Array) -> Array:
    return np.asarray(array, np.longdouble)
