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
initial state w.key  what the optimizer keeps before its first step                    the experiment
===================  ================================================================  =============================
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from parity.experiment import Material
from parity.formulation import Realised
from parity.judge.arithmetics import Arithmetic, Rational, Rounding, short
from parity.judge.expected import Expected, expect, sharpen
from parity.judge.profile import profile_of
from parity.judge.schedules import EXACT, in_effect
from parity.judge.update import COUNT, whole
from refimpl.arithmetic.bounded import Bounded, gamma
from refimpl.arithmetic.formats import FORMATS, Format
from refimpl.losses import SquaredError
from refimpl.optimizers import SGD, SGDW, ProximalSGD
from refimpl.problem import Problem
from refimpl.reductions import norm
from refimpl.training import hyper_parameters, scheduled, with_mask
from refimpl.trajectory import Trajectory
from refimpl.types import Array, LinearModel

RATIONAL = (SGD, SGDW, ProximalSGD)
"""Optimizers whose formula takes no root."""
CHUNK = 200_000
"""Elements of the data, or of the parameters, that one pass may hold."""


class Checks:
    """All checks of a trajectory against an experiment realised in one form."""

    def __init__(self, form: Realised, material: Material, trajectory: Trajectory, *, form_factor: float = 1.0) -> None:
        self.form, self.material, self.trajectory = form, material, trajectory
        self.loss_arithmetic = Rounding(profile_of(trajectory, "loss", form=form_factor))
        self.update_arithmetic = Rounding(profile_of(trajectory, "update", form=form_factor))
        self.dtype = self.loss_arithmetic.profile.compute
        self.batches = [(epoch, rows) for epoch, batches in enumerate(material.order) for rows in batches]
        self.rational = Rational(self._narrowest()) if self._is_probe() else None

    def _is_probe(self) -> bool:
        """True where an exact run is possible and worth its time."""
        form, trajectory = self.form, self.trajectory
        probe = isinstance(form.in_gradient.model, LinearModel) and isinstance(form.in_gradient.loss, SquaredError)
        probe &= len(dict(form.in_gradient.terms)) == len(form.in_gradient.terms)  # pieces of terms have finer grids
        probe &= isinstance(form.schedule, EXACT)
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
        everything_recorded = bool(self.trajectory.gradients) and set(self.trajectory.state) >= set(
            self.form.optimizers
        )
        for steps in self.chunks():
            if everything_recorded:
                yield from self.update(steps)
            yield from self.loss_and_gradient(steps)
        if not everything_recorded:
            yield from self.whole_steps()
        yield from self.start()
        yield from self.initial_state()
        yield from self.norms()
        yield from self.epochs()

    # -- what the run started from --------------------------------------------------------------------------------

    def start(self) -> Iterator[Expected]:
        """Initial weights and data: what was asked, rounded to the dtype, by way of float32 or directly."""
        asked = {
            f"initial {name}": (value, self.trajectory.params[name][0]) for name, value in self.material.params.items()
        }
        inputs = self.material.inputs
        asked |= {f"data {name}": (value, self.trajectory.inputs[name]) for name, value in inputs.items()}
        for quantity, (value, candidate) in asked.items():
            direct, by_float32 = self.dtype.round(value), self.dtype.round(FORMATS["float32"].round(value))
            narrow = self.dtype.digits < FORMATS["float32"].digits  # torch narrows a double by way of float32
            expected = np.where(narrow & (candidate == by_float32), by_float32, direct)
            equal = np.ones(expected.shape, bool)
            yield Expected(quantity, np.zeros(1, int), _long(candidate), expected, np.zeros(expected.shape), equal)

    def initial_state(self) -> Iterator[Expected]:
        """What the optimizer keeps before its first step."""
        for name, states in self.trajectory.state.items():
            asked = self.form.optimizers[name].init(self.trajectory.params[name][0])
            early = {key: values[0] for key, values in states.items() if len(values) == self.trajectory.steps + 1}
            for key in {**asked, **early}:
                nothing = np.full((1,), np.nan)  # where one side has no such state
                stored = self._stored(f"state {name}.{key}")
                candidate, expected = np.asarray(early.get(key, nothing)), stored.round(asked.get(key, nothing))
                difference = np.broadcast_shapes(candidate.shape, expected.shape)
                none = np.zeros(difference)
                both = np.broadcast_to(_long(candidate), difference), np.broadcast_to(_long(expected), difference)
                yield Expected(f"initial state {name}.{key}", np.zeros(1, int), *both, none, none == 0)

    # -- loss and gradient ----------------------------------------------------------------------------------------

    def loss_and_gradient(self, steps: Array) -> Iterator[Expected]:
        """At the candidate's weights, on the batches of ``steps``, which have the same number of rows."""
        wanted = {"loss": self.trajectory.loss, "objective": self.trajectory.objective}
        wanted |= {f"gradient {name}": values for name, values in self.trajectory.gradients.items()}
        candidates = {quantity: values[steps, 0] for quantity, values in wanted.items()}
        expected = self._loss_and_gradient(steps, self.loss_arithmetic)
        exact = self._loss_and_gradient(steps, self.rational) if self.rational else {}
        for quantity, candidate in candidates.items():
            result = expect(quantity, steps, candidate, expected[quantity], self.dtype)
            yield sharpen(result, exact[quantity], self._narrowest()) if exact else result
        if self.trajectory.gradients and isinstance(self.form.in_gradient.model, LinearModel):
            yield from self.off_span(steps)

    def _loss_and_gradient(self, steps: Array, arithmetic: Arithmetic) -> dict[str, Any]:
        problem = self._problem(arithmetic)
        if self.material.masks:
            problem = with_mask(problem, np.concatenate([self.material.masks[step] for step in steps]))
        params, X, y = self._at(steps, arithmetic)
        outputs = problem.model.forward(params, X)
        loss = problem.loss.value(outputs, y)
        data_gradient: Any = problem.model.backward(params, X, problem.loss.gradient(outputs, y))
        gradient = problem.penalised(data_gradient, params)
        found = {"loss": loss, "objective": problem.objective_from(loss, params)}
        return found | {f"gradient {name}": values for name, values in gradient.items()}

    def off_span(self, steps: Array) -> Iterator[Expected]:
        """The sharper look at the gradient of a linear model.

        Whatever errors the forward pass made, the data gradient is a combination ``Σ δᵢ[xᵢ, 1]`` of the batch's rows.
        In the orthogonal complement of their span, with orthonormal basis B, only the rounding errors ``e`` of forming
        that combination remain: ``|P⊥(g − g_ref)| ≤ e + |B||B|ᵀe``, far below the bound of the whole. With the upstream
        δ known only to ``e_δ``, ``e`` grows from its value at exact δ by at most (γₙ + u) of the whole bound.
        """
        model = self.form.in_gradient.model
        assert isinstance(model, LinearModel)
        _, X, _ = self._inputs(steps)
        rows = np.broadcast_to(model.rows(X), (len(steps), *model.rows(X).shape[1:]))
        n, q = rows.shape[1:]
        if n >= q:
            return  # the rows span everything: there is no complement
        problem = self._problem(self.loss_arithmetic)
        params, X_bounded, y = self._at(steps, self.loss_arithmetic)
        upstream: Any = problem.loss.gradient(problem.model.forward(params, X_bounded), y)
        profile = self.loss_arithmetic.profile
        known: Any = Bounded(upstream.value, 0, profile)
        whole: Any = problem.model.backward(params, X_bounded, upstream)
        combined: Any = problem.model.backward(params, X_bounded, known)
        second_order = gamma(n, profile) + profile.u(profile.compute)
        widened: Any = {
            name: Bounded(g.value, g.error + second_order * whole[name].error, profile) for name, g in combined.items()
        }
        reference: Any = problem.penalised(widened, params)
        difference, error = [], []
        for name, bounded in reference.items():
            candidate = self.trajectory.gradients[name][steps, 0]
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
        yield Expected("gradient off span", steps, outside, np.zeros_like(outside), allowance, none)

    # -- the optimizer's step -------------------------------------------------------------------------------------

    def update(self, steps: Array) -> Iterator[Expected]:
        """One step from the candidate's weights, gradient and state: the sharp check."""
        for name in self.form.optimizers:
            states = self.trajectory.state[name]
            for some in self._same_state(name, steps):
                bounded = self._recorded_step(name, some, self.update_arithmetic)
                exact = self._recorded_step(name, some, self.rational) if self.rational else {}
                for quantity, expected in bounded.items():
                    if not isinstance(expected, Bounded):  # a count
                        yield _equal(quantity, some, self._after(name, quantity, some), expected)
                        continue
                    result = expect(quantity, some, self._after(name, quantity, some), expected, self._stored(quantity))
                    yield sharpen(result, exact[quantity], self._narrowest()) if exact else result
                for key in states:
                    if f"state {name}.{key}" not in bounded:
                        yield _should_not_exist(f"state {name}.{key}", some, states[key][-1:, 0])

    def whole_steps(self) -> Iterator[Expected]:
        """No state was recorded, or no gradients: what is missing is replayed, which is looser."""
        states: dict[str, Any] = {name: {} for name in self.form.optimizers}
        for step in range(self.trajectory.steps):
            steps = np.array([step])
            gradient = self._uncertain_gradient(steps)
            for name, recorded in self.trajectory.gradients.items():
                gradient[name] = self.update_arithmetic.tensor(recorded[steps, 0])
            for name in self.form.optimizers:
                after, states[name] = self._step(name, steps, self.update_arithmetic, gradient[name], states[name])
                candidate = self.trajectory.params[name][steps + 1, 0]
                yield expect(f"whole step {name}", steps, candidate, after, self._stored(f"update {name}"))

    def whole_step_allowance(self, steps: Array) -> dict[str, Array]:
        """How far a correct step from the candidate's weights and state may lead, gradient included, by parameter."""
        gradient = self._uncertain_gradient(steps)
        found: dict[str, list[Array]] = {name: [] for name in self.form.optimizers}
        for name, allowances in found.items():
            for some in self._same_state(name, steps):
                state = self._lifted_state(name, some, self.update_arithmetic)
                uncertain = gradient[name][np.searchsorted(steps, some)]
                after, _ = self._step(name, some, self.update_arithmetic, uncertain, state)
                stored = self._stored(f"update {name}")
                allowances.append(expect("", some, np.zeros(after.shape), after, stored).allowance)
        return {name: np.concatenate(allowances) for name, allowances in found.items()}

    def _recorded_step(self, name: str, steps: Array, arithmetic: Arithmetic) -> dict[str, Any]:
        state = self._lifted_state(name, steps, arithmetic)
        gradient = arithmetic.tensor(self.trajectory.gradients[name][steps, 0])
        after, new_state = self._step(name, steps, arithmetic, gradient, state)
        return {f"update {name}": after} | {f"state {name}.{key}": values for key, values in new_state.items()}

    def _step(self, name: str, steps: Array, arithmetic: Arithmetic, gradient: Any, state: Any) -> tuple[Any, Any]:
        """The reference's step from the candidate's weights, with the hyper-parameters of ``steps``."""
        param = self.trajectory.params[name][steps, 0]
        epochs = np.array([self.batches[step][0] for step in steps])
        count = (epochs if self.form.schedule.per == "epoch" else steps).reshape(-1, *(1,) * (param.ndim - 1))
        plain = self.form.optimizers[name]
        if isinstance(arithmetic, Rounding):
            lifted = in_effect(plain, self.form.schedule, count, arithmetic)
        else:
            lifted = scheduled(arithmetic.hyper(plain), arithmetic.hyper(self.form.schedule), count)
        return lifted.step(arithmetic.tensor(param), gradient, state)

    def _uncertain_gradient(self, steps: Array) -> dict[str, Any]:
        """The gradient at the candidate's weights with its bound, as the optimizer's arithmetic sees it."""
        found = self._loss_and_gradient(steps, self.loss_arithmetic)
        gradients = {name: found[f"gradient {name}"] for name in self.form.optimizers}
        return {name: Bounded(g.value, g.error, self.update_arithmetic.profile) for name, g in gradients.items()}

    def _lifted_state(self, name: str, steps: Array, arithmetic: Arithmetic) -> dict[str, Any]:
        """State before ``steps`` in an arithmetic; counts of steps stay integers."""
        state = self._state(name, steps)
        return {key: whole(values) if key == COUNT else arithmetic.tensor(values) for key, values in state.items()}

    def _state(self, name: str, steps: Array) -> dict[str, Array]:
        """State before ``steps``, which all have the same keys."""
        missing = {key: self.trajectory.steps + 1 - len(v) for key, v in self.trajectory.state.get(name, {}).items()}
        states = self.trajectory.state.get(name, {})
        return {key: v[steps - missing[key], 0] for key, v in states.items() if steps[0] >= missing[key]}

    def _same_state(self, name: str, steps: Array) -> list[Array]:
        """``steps`` split where a key of the state comes into being."""
        births = {self.trajectory.steps + 1 - len(v) for v in self.trajectory.state.get(name, {}).values()}
        edges = np.searchsorted(steps, sorted(births))
        return [part for part in np.split(steps, edges) if len(part)]

    def _after(self, name: str, quantity: str, steps: Array) -> Array:
        """What the candidate has after ``steps``; nan where a state that must be there is not."""
        if quantity == f"update {name}":
            weights: Array = self.trajectory.params[name][steps + 1, 0]
            return weights
        values = self.trajectory.state[name].get(quantity.rpartition(".")[2])
        if values is None:
            return np.full(self.trajectory.params[name][steps, 0].shape, np.nan)
        index = steps + 1 - (self.trajectory.steps + 1 - len(values))
        found: Array = values[np.maximum(index, 0), 0]
        return np.where((index >= 0).reshape(-1, *(1,) * (found.ndim - 1)), found, np.nan)

    def _stored(self, quantity: str) -> Format:
        """The format of the candidate's own tensor."""
        kind, tensor = quantity.split(" ", 1)
        if kind == "state":
            tensor = "/".join(tensor.rsplit(".", 1))
        return FORMATS[self.trajectory.formats.get(tensor, self.dtype.name)]

    # -- norms and losses per epoch -------------------------------------------------------------------------------

    def norms(self) -> Iterator[Expected]:
        steps = np.arange(len(self.trajectory.norm))
        weights = self.form.objective.model.weights
        if all(len(self.trajectory.params[name]) == len(steps) for name in weights):
            arrays = [self.loss_arithmetic.tensor(self.trajectory.params[name][:, 0]) for name in weights]
            bounded: Any = norm(*arrays)
            yield expect("norm", steps, self.trajectory.norm[:, 0], bounded, self.dtype)

    def epochs(self) -> Iterator[Expected]:
        """Losses on all training and validation rows; ``steps`` is the step that the epoch starts with."""
        starts = np.cumsum([0, *(len(batches) for batches in self.material.order)])
        problem = self._problem(self.loss_arithmetic)
        for prefix, losses, X, y in (
            ("train", self.trajectory.train_loss, "X", "y"),
            ("validation", self.trajectory.validation_loss, "X_validation", "y_validation"),
        ):
            if losses is None:
                continue
            inputs = self.trajectory.inputs
            per_pass = max(1, CHUNK // inputs[X].size)
            for epochs in np.split(np.arange(len(starts)), range(per_pass, len(starts), per_pass)):
                params = self._params(starts[epochs], self.loss_arithmetic)
                tensors = [self.loss_arithmetic.tensor(inputs[key]) for key in (X, y)]
                bounded: Any = problem.data_loss(params, tensors[0], tensors[1])
                yield expect(f"{prefix} loss", starts[epochs], losses[epochs, 0], bounded, self.dtype)

    # -- common ---------------------------------------------------------------------------------------------------

    def _problem(self, arithmetic: Arithmetic) -> Problem:
        return arithmetic.hyper(self.form.in_gradient)

    def _params(self, steps: Array, arithmetic: Arithmetic) -> dict[str, Any]:
        return {name: arithmetic.tensor(values[steps, 0]) for name, values in self.trajectory.params.items()}

    def _inputs(self, steps: Array) -> tuple[Array, Array, Array]:
        rows = np.stack([self.batches[step][1] for step in steps])
        return rows, self.trajectory.inputs["X"][0, rows], self.trajectory.inputs["y"][0, rows]

    def _at(self, steps: Array, arithmetic: Arithmetic) -> tuple[dict[str, Any], Any, Any]:
        _, X, y = self._inputs(steps)
        return self._params(steps, arithmetic), arithmetic.tensor(X), arithmetic.tensor(y)

    def chunks(self) -> Sequence[Array]:
        """Steps in pieces of equal batch size that fit in memory."""
        sizes = np.array([len(rows) for _, rows in self.batches])
        features = self.trajectory.inputs["X"].shape[2]
        parameters = sum(values[0].size for values in self.trajectory.params.values())
        pieces = []
        for size in np.unique(sizes):
            steps = np.flatnonzero(sizes == size)
            per_pass = max(1, CHUNK // max(int(size) * features, parameters))
            pieces += np.split(steps, range(per_pass, len(steps), per_pass))
        return pieces

    def _narrowest(self) -> Format:
        """The format in which an exact probe must fit: of storage and of operands."""
        operands = self.loss_arithmetic.profile.operands
        return min((self.dtype, operands or self.dtype), key=lambda format: format.digits)


def _long(array: Array) -> Array:
    return np.asarray(array, np.longdouble)


def _equal(quantity: str, steps: Array, candidate: Array, expected: Array) -> Expected:
    """Held to equality."""
    none = np.zeros(candidate.shape)
    return Expected(quantity, steps, _long(candidate), _long(expected) + none, none, none == 0)


def _should_not_exist(quantity: str, steps: Array, candidate: Array) -> Expected:
    """A state that the reference does not keep: nothing is expected, and nothing is allowed."""
    nothing = np.full(candidate.shape, np.nan)
    return Expected(
        quantity, steps[:1], _long(candidate), nothing, np.zeros(candidate.shape), np.ones(candidate.shape, bool)
    )
