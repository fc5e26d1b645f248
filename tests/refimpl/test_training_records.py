"""What a training records: every step, every run by itself, and nothing that it is given changes."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from refimpl.models import Linear
from refimpl.optimizers import SGD
from refimpl.penalties import L2
from refimpl.problem import Problem
from refimpl.schedules import Constant, Exponential
from refimpl.training import train
from refimpl.trajectory import Trajectory
from tests.refimpl.trainings import BOTH, HALF_MEAN, material, order, together

Array = npt.NDArray[Any]


# -- what is recorded -------------------------------------------------------------------------------------------------


def recorded(**options: Any) -> tuple[Problem, Any, Array, Array, Any, Trajectory]:
    params, X, y = material(runs=2)
    problem = Problem(model=Linear(), loss=HALF_MEAN, penalties=(L2(strength=0.3),))
    optimizer = SGD(lr=0.1, momentum=0.9, dampening=0.2)
    batches = order(7, 3, size=3)
    return problem, optimizer, X, y, batches, train(problem, together(optimizer), params, X, y, batches, **options)


def test_every_recorded_step_is_one_step_from_what_was_recorded_before_it() -> None:
    problem, optimizer, X, y, batches, found = recorded()
    rows_of_step = [rows for epoch in batches for rows in epoch]
    assert found.steps == len(rows_of_step) == 9
    for step, rows in enumerate(rows_of_step):
        params = {name: values[step] for name, values in found.params.items()}
        before, after = found.state_before(step), found.state_before(step + 1)
        gradient = problem.gradient(params, X[:, rows], y[:, rows])
        np.testing.assert_allclose(found.loss[step], problem.data_loss(params, X[:, rows], y[:, rows]), rtol=1e-14)
        np.testing.assert_allclose(found.objective[step], problem.objective(params, X[:, rows], y[:, rows]), rtol=1e-14)
        for name in BOTH:
            np.testing.assert_allclose(found.gradients[name][step], gradient[name], rtol=1e-13)
            stepped, state = optimizer.step(params[name], found.gradients[name][step], before[name])
            assert np.array_equal(found.params[name][step + 1], stepped)
            assert set(after[name]) == set(state) and all(np.array_equal(after[name][key], state[key]) for key in state)
    assert found.state_before(0) == {"weight": {}, "bias": {}}


def test_the_norm_is_that_of_the_weights_without_the_bias() -> None:
    *_, found = recorded()
    assert found.norm.shape == (10, 2)
    np.testing.assert_allclose(found.norm, np.linalg.norm(found.params["weight"][:, :, 0], axis=2), rtol=1e-14)


def test_losses_of_an_epoch_are_those_of_all_rows_before_it_and_at_the_end() -> None:
    validation = material(rows=5, seed=9)[1:]
    problem, _, X, y, _, found = recorded(validation=validation)
    assert found.validation_loss is not None and found.train_loss.shape == found.validation_loss.shape == (4, 2)
    for epoch, step in enumerate((0, 3, 6, 9)):
        params = {name: values[step] for name, values in found.params.items()}
        np.testing.assert_allclose(found.train_loss[epoch], problem.data_loss(params, X, y), rtol=1e-14)
        np.testing.assert_allclose(found.validation_loss[epoch], problem.data_loss(params, *validation), rtol=1e-14)
    assert recorded()[-1].validation_loss is None


def test_validation_does_not_touch_the_training() -> None:
    plain, validated = recorded()[-1], recorded(validation=material(rows=5, seed=9)[1:])[-1]
    for name in BOTH:
        assert np.array_equal(plain.params[name], validated.params[name])


def test_recording_losses_only_gives_the_same_losses_and_the_final_parameters() -> None:
    whole, losses = recorded()[-1], recorded(record="losses")[-1]
    for key in ("loss", "objective", "norm", "train_loss"):
        assert np.array_equal(getattr(whole, key), getattr(losses, key))
    for name in BOTH:
        assert losses.params[name].shape == (1, *whole.params[name].shape[1:])
        assert np.array_equal(losses.params[name][0], whole.params[name][-1])
    assert losses.gradients == {} and losses.state == {} and losses.steps == whole.steps


def test_the_inputs_stay_as_they_are_and_are_not_kept() -> None:
    params, X, y = material(runs=2)
    before = {name: values.copy() for name, values in params.items()}, X.copy(), y.copy()
    problem = Problem(model=Linear(), loss=HALF_MEAN)
    found = train(problem, together(SGD(lr=0.1, momentum=0.9)), params, X, y, order(7, 3, size=3))
    assert all(np.array_equal(params[name], before[0][name]) for name in BOTH)
    assert np.array_equal(X, before[1]) and np.array_equal(y, before[2])
    params["weight"][:] = np.nan
    assert np.array_equal(found.params["weight"][0], before[0]["weight"])


def test_a_run_of_no_epochs_is_its_start() -> None:
    params, X, y = material()
    found = train(Problem(model=Linear(), loss=HALF_MEAN), together(SGD(lr=0.1)), params, X, y, ())
    assert found.steps == 0 and found.train_loss.shape == (1, 1)
    assert np.array_equal(found.params["weight"][0], params["weight"])


# -- independent runs -------------------------------------------------------------------------------------------------


def test_a_sweep_over_64_strengths_is_64_runs() -> None:
    strengths = np.geomspace(1e-3, 10, 64)
    params, X, y = material(rows=12, features=5)
    many = {name: np.repeat(values, 64, axis=0) for name, values in params.items()}
    batches = order(12, 5, size=5)
    problem = Problem(model=Linear(), loss=HALF_MEAN, penalties=(L2(strength=strengths),))
    groups = together(SGD(lr=0.05, momentum=0.9))
    sweep = train(problem, groups, many, X, y, batches)
    assert sweep.loss.shape == (15, 64)
    for run, strength in enumerate(strengths):
        single = replace(problem, penalties=(L2(strength=float(strength)),))
        alone = train(single, groups, params, X, y, batches)
        np.testing.assert_allclose(sweep.params["weight"][:, run], alone.params["weight"][:, 0], rtol=0, atol=1e-14)
        np.testing.assert_allclose(sweep.objective[:, run], alone.objective[:, 0], rtol=1e-13)


def test_runs_may_have_data_learning_rates_and_momentum_of_their_own() -> None:
    rates, momenta = np.array([0.01, 0.1, 0.2]), np.array([0.0, 0.5, 0.9])
    params, X, y = material(runs=3)
    X, y = np.concatenate([X, 2 * X, -X]), np.concatenate([y, y + 1, 3 * y])
    batches = order(7, 4, size=3)
    problem = Problem(model=Linear(), loss=HALF_MEAN)
    schedule = Exponential(gamma=0.9)
    batch = train(problem, together(SGD(lr=rates, momentum=momenta)), params, X, y, batches, schedule=schedule)
    for run in range(3):
        one = slice(run, run + 1)
        single = {name: values[one] for name, values in params.items()}
        groups = together(SGD(lr=float(rates[run]), momentum=float(momenta[run])))
        alone = train(problem, groups, single, X[one], y[one], batches, schedule=schedule)
        for name in BOTH:
            np.testing.assert_allclose(batch.params[name][:, one], alone.params[name], rtol=1e-13, atol=1e-15)


def test_a_constant_schedule_is_no_schedule() -> None:
    assert np.array_equal(recorded(schedule=Constant())[-1].params["weight"], recorded()[-1].params["weight"])
