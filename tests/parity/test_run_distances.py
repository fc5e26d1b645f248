"""What a run is compared with besides its tolerance: the ridge solution, and a free run of the reference."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

import parity
from parity.features.run.run import ridge_distance, ridge_weight
from parity.formulation import realise
from parity.judge.free_run import free_run
from parity.judge.steps import Checks
from refimpl.batches import Batches
from refimpl.datasets import Gaussian
from refimpl.initial_weights import Normal
from refimpl.losses import SquaredError
from refimpl.optimizers import SGD
from refimpl.penalties import L1, L2, ElasticNet

# -- the distance to ridge --------------------------------------------------------------------------------------------

TALL = {
    "data": Gaussian(train_rows=20, features=5, noise=0.1),
    "batches": Batches(),
    "init": {"weight": Normal(std=1.0)},
}


@pytest.mark.slow
def test_long_full_batch_training_ends_at_the_ridge_solution(bench: Any) -> None:
    experiment = bench.experiment(**TALL, penalties=(L2(strength=0.5),), optimizer=SGD(lr=0.2), epochs=400)
    report = parity.run(experiment, devices=["cpu"], dtypes=["float64", "float32"])
    assert report.references[0].ridge_distance is not None and report.references[0].ridge_distance < 1e-14
    for one in report.runs:
        limit = {"float64": 1e-14, "float32": 1e-5}[one.setting.dtype]
        assert one.ridge_distance is not None and 0 <= one.ridge_distance < limit


@pytest.mark.parametrize("loss", [SquaredError(factor=f, reduction=r) for f in (0.5, 1.0) for r in ("mean", "sum")])  # type: ignore[arg-type]
def test_the_ridge_solution_is_that_of_the_loss(loss: SquaredError, bench: Any) -> None:
    rate = 0.1 if loss.reduction == "mean" else 0.005
    experiment = bench.experiment(**TALL, loss=loss, penalties=(L2(strength=0.5),), optimizer=SGD(lr=rate), epochs=4000)
    assert ridge_distance(bench.numpy(experiment), ridge_weight(experiment, experiment.draw().dataset)) < 1e-13


def test_several_strengths_on_the_weight_add_up(bench: Any) -> None:
    penalties = (L2(strength=0.2), L2(strength=0.3))
    experiment = bench.experiment(**TALL, penalties=penalties, optimizer=SGD(lr=0.1), epochs=800)
    assert ridge_distance(bench.numpy(experiment), ridge_weight(experiment, experiment.draw().dataset)) < 1e-13


def test_short_training_is_far_from_it(bench: Any) -> None:
    experiment = bench.experiment(**TALL, penalties=(L2(strength=0.5),), optimizer=SGD(lr=0.1), epochs=2)
    trajectory = bench.numpy(experiment)
    assert ridge_distance(trajectory, ridge_weight(experiment, experiment.draw().dataset)) > 0.1
    still = replace(experiment, optimizer=SGD(lr=0.0))
    assert ridge_distance(bench.numpy(still), ridge_weight(still, still.draw().dataset)) > ridge_distance(
        trajectory, ridge_weight(experiment, experiment.draw().dataset)
    )


NO_RIDGE: dict[str, dict[str, Any]] = {
    "L1": {"penalties": (L1(strength=0.5),)},
    "elastic net": {"penalties": (ElasticNet(l1=0.5, l2=0.5),)},
    "a penalised bias": {"penalties": (L2(strength=0.5, parameters=("weight", "bias")),)},
    "decay of the optimizer's own": {"optimizer": SGD(lr=0.1, weight_decay=0.1)},
    "ascending": {"optimizer": SGD(lr=0.1, maximize=True)},
    "a minimiser that is not unique": {"penalties": (), "data": Gaussian(train_rows=5, features=20)},
}


@pytest.mark.parametrize("what", NO_RIDGE)
def test_where_there_is_no_ridge_solution_there_is_no_distance(what: str, bench: Any) -> None:
    experiment = bench.experiment(**{**TALL, "penalties": (L2(strength=0.5),), **NO_RIDGE[what]})
    assert ridge_distance(bench.torch(experiment), ridge_weight(experiment, experiment.draw().dataset)) is None


# -- free runs --------------------------------------------------------------------------------------------------------


def test_the_digits_of_agreement_are_those_of_the_dtype(bench: Any) -> None:
    experiment = bench.experiment(optimizer=SGD(lr=0.01, momentum=0.9))
    dtypes = ["float64", "float32", "float16", "bfloat16"]
    report = parity.run(experiment, devices=["cpu"], dtypes=dtypes, formulations=["weight_decay"])
    low = {"float64": 14, "float32": 5.5, "float16": 1.5, "bfloat16": 1}
    for one in report.runs:
        assert one.digits is not None and low[one.setting.dtype] < one.digits < low[one.setting.dtype] + 3


def test_the_digits_are_those_of_the_largest_relative_difference(bench: Any) -> None:
    experiment = bench.experiment()
    trajectory = bench.numpy(experiment)
    checks = Checks(realise(experiment, "weight_decay"), experiment.draw(), trajectory)
    equal = free_run(checks, trajectory)
    assert equal.digits > 15  # the order of sums in a batch of runs is another
    assert equal.band[0] == 0 and (equal.band[1:] > 0).all() and (equal.band < 1e-13).all()
    moved = {name: values.copy() for name, values in trajectory.params.items()}
    for values in moved.values():
        values[4] *= 1 + 1e-5
        values[6] *= 1 - 1e-3
    drifted = free_run(checks, replace(trajectory, params=moved))
    assert drifted.difference[4] == pytest.approx(1e-5, rel=1e-6)
    assert drifted.digits == pytest.approx(3, abs=1e-6)


def test_weights_that_start_at_zero_have_digits(bench: Any) -> None:
    report = parity.run(bench.experiment(init={}), devices=["cpu"], dtypes=["float64"])
    assert all(one.digits is not None and one.digits > 14 for one in report.runs)


def test_correct_runs_stay_within_the_band_of_correct_runs(bench: Any) -> None:
    """Not by necessity, but here, with room."""
    for one in parity.run(bench.experiment(), devices=["cpu"], dtypes=["float64", "float32"]).runs:
        assert one.free_run is not None
        assert (one.free_run.difference <= 10 * one.free_run.band).all()
