"""Sweeps over λ: each run is that of its own experiment, each mark the choice of its rule."""

from __future__ import annotations

import csv
from dataclasses import replace

import numpy as np
import pytest

import parity
from parity.backends.reference import run_reference
from parity.cli import main
from parity.errors import InputError
from parity.features.stability.stability import stable_strengths
from parity.features.sweep.beside import beside
from parity.features.sweep.document import to_csv
from parity.features.sweep.grid import grid
from parity.features.sweep.marks import first_rise, marks
from parity.features.sweep.penalty import experiment_with
from parity.features.sweep.picture import picture
from parity.features.sweep.run import sweep
from parity.features.sweep.words import sentences
from refimpl.batches import Batches
from refimpl.datasets import Gaussian, Integers
from refimpl.exact.ridge import ridge
from refimpl.initial_weights import Constant
from refimpl.losses import SquaredError
from refimpl.optimizers import SGD, Adam, ProximalSGD
from refimpl.penalties import L1, L2, ElasticNet

S0 = "s0-scratch-lam3"

GRIDS = {
    "0:10:1": [*range(11)],
    "0:1:0.1": [0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0],
    "1:2:0.4": [1.0, 1.4, 1.8],
    "log:1e-3:1e2:6": [1e-3, 1e-2, 1e-1, 1.0, 10.0, 100.0],
    "3,0,1,1": [0.0, 1.0, 3.0],
}
BAD_GRIDS = {
    "5": "is no range",
    "1:2": "is no range",
    "lin:1:2:3": "is no range",
    "log:1:2": "'log' is no number",
    "a:2:1": "'a' is no number",
    "0:inf:1": "finite numbers",
    "-1:2:1": "finite numbers ≥ 0",
    "2:1:1": "from < to",
    "0:1:0": "a step > 0",
    "0:1:1e-9": "take a larger step",
    "log:0:1:5": "0 has no logarithm",
    "log:2:1:5": "from < to",
    "log:1:2:1": "an integer from 2",
    "log:1:2:2.5": "an integer from 2",
    "0:1:5": "1 different values",
    "1,1": "1 different values",
    "sNaN,1": "finite numbers",
    "0,1e999": "finite numbers",
    "log:1e-320:1e308:3": "allowed: 0, or from 1e-100 to 1e+100",
    "0,1e101": "allowed: 0, or from 1e-100 to 1e+100",
}


@pytest.mark.parametrize("text", GRIDS)
def test_a_grid_has_the_values_that_it_says_in_decimal_numbers(text):
    found = grid(text)
    assert found.values.tolist() == pytest.approx(GRIDS[text], rel=1e-14, abs=0)
    assert found.scale == ("log" if text.startswith("log") else "linear")


@pytest.mark.parametrize("text", BAD_GRIDS)
def test_a_bad_grid_is_refused_in_one_line(text, capsys):
    assert main(["sweep", S0, f"--strength={text}"]) == 2
    said = capsys.readouterr().err
    assert BAD_GRIDS[text] in said and said.count("\n") == 1


MIX = (L1(strength=0.1), L2(strength=3.0))
CASES = {
    "ridge": ({}, None, "l2"),
    "l1": ({"penalties": (L1(strength=0.1),)}, None, "l1"),
    "l1 of two": ({"penalties": MIX}, "l1", "l1"),
    "l2 of an elastic net": ({"penalties": (ElasticNet(l1=0.1, l2=1.0),)}, "l2", "l2"),
    "proximal": ({"penalties": (L1(strength=0.1),), "optimizer": ProximalSGD(lr=0.01)}, None, "l1"),
    "adam, sum, bias too": (
        {
            "penalties": (L2(strength=1.0, parameters=("weight", "bias")),),
            "optimizer": Adam(lr=0.01),
            "loss": SquaredError(factor=1.0, reduction="sum"),
        },
        None,
        "l2",
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_every_run_of_the_batch_is_the_run_of_its_own_experiment(bench, case):
    changes, asked, kind = CASES[case]
    experiment = bench.experiment(**changes)
    found = sweep(experiment, grid("0,0.5,2"), seeds=2, penalty=asked)
    assert found.kind == kind and found.seeds == (0, 1)
    for i, j in np.ndindex(2, 3):
        alone = run_reference(experiment_with(experiment, kind, float(found.grid.values[j]), found.seeds[i]), "loss")
        assert found.curves.train_loss[i, j] == pytest.approx(alone.train_loss[-1, 0], rel=1e-11)
        assert found.curves.validation_loss[i, j] == pytest.approx(alone.validation_loss[-1, 0], rel=1e-11)
        assert found.curves.norm[i, j] == pytest.approx(alone.norm[-1, 0], rel=1e-11)


def test_the_curves_of_ridge_are_there_for_ridge_only(bench):
    assert sweep(bench.experiment(), grid("0,1")).curves.gcv is not None
    for case in ("l1", "l2 of an elastic net", "adam, sum, bias too"):
        found = sweep(bench.experiment(**CASES[case][0]), grid("0,1"), penalty=CASES[case][1])
        assert found.curves.gcv is None and found.prior is None
        assert [mark.rule for mark in marks(found)] == ["first", "validation", "truth"]
    decayed = bench.experiment(optimizer=SGD(lr=0.01, weight_decay=0.1))
    assert sweep(decayed, grid("0,1")).curves.ridge_distance is None


def test_training_that_has_converged_is_no_distance_from_ridge(bench):
    experiment = bench.experiment(
        batches=replace(bench.experiment().batches, size=0), epochs=3000, optimizer=SGD(lr=0.05)
    )
    found = sweep(experiment, grid("1,2,5")).curves
    assert np.all(found.ridge_distance < 1e-12)
    np.testing.assert_allclose(found.ridge_norm, found.norm, rtol=1e-10)
    np.testing.assert_allclose(found.ridge_validation_loss, found.validation_loss, rtol=1e-10)
    np.testing.assert_allclose(found.ridge_expected_loss, found.expected_loss, rtol=1e-10)


@pytest.mark.parametrize("reduction", ["mean", "sum"])
def test_the_expected_loss_is_that_of_many_validation_rows(bench, reduction):
    data = Gaussian(train_rows=12, validation_rows=50_000, features=6, noise=0.3, scale=0.8)
    loss = SquaredError(factor=0.5, reduction=reduction)
    found = sweep(bench.experiment(data=data, loss=loss, optimizer=SGD(lr=0.001)), grid("0,10")).curves
    np.testing.assert_allclose(found.expected_loss, found.validation_loss, rtol=0.02)
    np.testing.assert_allclose(found.ridge_expected_loss, found.ridge_validation_loss, rtol=0.02)


def test_the_first_rise_is_where_the_loss_is_no_smaller_next():
    losses = np.array([[3.0, 2.0, 2.5, 1.0], [3.0, 2.0, 1.0, 0.5], [1.0, 1.0, 0.5, 0.2], [3.0, 2.0, np.nan, 1.0]])
    assert first_rise(losses).tolist() == [1, 3, 0, 1]


def test_each_mark_is_the_best_of_what_its_rule_looks_at(bench):
    found = sweep(bench.experiment(), grid("log:0.01:100:30"), seeds=3)
    chosen = {mark.rule: mark for mark in marks(found)}
    for rule, curve in (("validation", "validation_loss"), ("gcv", "gcv"), ("truth", "expected_loss")):
        least = found.grid.values[np.argmin(getattr(found.curves, curve), axis=1)]
        assert chosen[rule].strengths.tolist() == least.tolist()
    assert chosen["leave_one_out"].strengths.shape == (3,)
    assert np.all(chosen["truth"].excess == 0) and np.all(chosen["gcv"].excess >= 0)
    assert np.all(chosen["first"].validation_loss >= chosen["validation"].validation_loss)


def test_the_prior_of_the_textbook_is_0_05_and_its_ridge_solution_the_best_on_average():
    found = sweep(parity.load(S0), grid("log:1e-3:1e1:25"), seeds=30)
    assert found.prior == pytest.approx(1e-4 / 1e-4 / 20)  # α = σ²/τ² = 1, λ = α/n
    assert found.at_prior.ridge_expected_loss.mean() <= found.curves.ridge_expected_loss.mean(axis=0).min() * 1.001


def test_values_that_diverge_are_said_shaded_and_never_chosen(bench):
    found = sweep(bench.experiment(epochs=30), grid("0:400:20"), seeds=2)  # 2/η = 200, less what the batches bend
    edge = found.grid.values[found.diverges].min()
    assert 100 < edge < 220 and np.all(found.diverges[found.grid.values >= 220])
    chosen = marks(found)
    assert all(mark.strengths.max() < edge for mark in chosen)
    assert sentences(found, chosen)[0].startswith(f"Training diverges from λ = {edge:g} on; at λ = 400 in 2 of 2 seeds")
    drawn = picture(found, chosen)
    assert "diverges" in [text.get_text() for text in drawn.legends[0].get_texts()]
    losses = next(axis for axis in drawn.axes if axis.get_title(loc="left") == "loss without the penalty")
    assert max(losses.lines[0].get_xdata()) < edge


def test_a_value_at_which_training_diverges_is_not_chosen_though_ridge_would_be_best_there(bench):
    only_noise = Gaussian(train_rows=12, validation_rows=6, features=24, weight=0.0, noise=0.1)
    found = sweep(bench.experiment(data=only_noise, epochs=30), grid("0:400:20"), seeds=4)
    best = np.argmin(found.curves.gcv, axis=1)
    assert np.any(found.diverges[best])
    for mark in marks(found):
        index = np.searchsorted(found.grid.values, mark.strengths)
        assert not np.any(found.curves.rose[np.arange(4), index]), mark.rule


def test_runs_from_a_perfect_start_end_above_it_and_diverge_only_from_the_limit_on():
    """The limit is that of the linear recursion of the errors, which knows no start."""
    start = {"weight": Constant(value=0.0), "bias": Constant(value=0.05)}
    experiment = replace(parity.load(S0), init=start, epochs=60)
    low, limit = stable_strengths(experiment)
    found = sweep(experiment, grid(",".join(f"{share * limit:g}" for share in (0.3, 0.9, 0.98, 1.04, 1.2))), seeds=3)
    assert low == 0 and found.curves.rose.tolist() == 3 * [[False, False, False, True, True]]
    assert all(np.isfinite(mark.excess).all() and mark.strengths.max() < limit for mark in marks(found))


def test_the_first_rise_is_looked_for_among_runs_that_do_not_diverge(bench):
    found = sweep(bench.experiment(), grid("0,1,2,3"), seeds=2)
    losses = np.array([[3.0, 2.0, np.nan, np.inf], [np.nan, 2.0, 1.0, 1.5]])
    rose = np.array([[False, False, True, True], [True, False, False, False]])
    found = replace(found, curves=replace(found.curves, rose=rose, validation_loss=losses))
    first = marks(found)[0]
    assert first.rule == "first" and first.strengths.tolist() == [1.0, 2.0]
    assert first.validation_loss.tolist() == [2.0, 1.0]
    assert not any("nan" in line for line in sentences(found, marks(found)))


def test_no_choice_costs_less_than_nothing_where_the_prior_is_better_than_the_range():
    experiment = parity.load(S0)
    noisy = replace(experiment, data=replace(experiment.data, noise=0.1))
    found = sweep(noisy, grid("0,0.01"), seeds=3)
    assert found.prior == pytest.approx(5)
    chosen = {mark.rule: mark for mark in marks(found)}
    assert np.all(chosen["truth"].strengths == found.prior) and np.all(chosen["prior"].excess == 0)
    assert all(np.all(mark.excess >= 0) for mark in chosen.values())


@pytest.mark.parametrize("reduction", [pytest.param("mean", marks=pytest.mark.slow), "sum"])
def test_the_closed_forms_are_of_the_objective_that_minibatches_descend(bench, reduction):
    """Four batches of three rows: with their sums the penalty counts four times. What is left is of the order of η."""
    loss = SquaredError(factor=0.5, reduction=reduction)
    rates = (0.004, 0.002) if reduction == "sum" else (0.006, 0.003)
    ends = []
    for lr in rates:
        experiment = bench.experiment(loss=loss, batches=Batches(size=3, order="fixed"), epochs=1500)
        ends.append(sweep(replace(experiment, optimizer=SGD(lr=lr)), grid("2,5")).curves)
    assert np.all(ends[1].ridge_distance < 0.04 * ends[1].norm)
    np.testing.assert_allclose(ends[0].ridge_distance / ends[1].ridge_distance, 2, rtol=0.15)
    whole = sweep(bench.experiment(loss=loss, batches=Batches(size=0)), grid("2,5")).prior
    times = {"mean": 1, "sum": 4}[reduction]
    assert sweep(replace(experiment, epochs=1), grid("2,5")).prior == pytest.approx(whole / times)


def test_data_without_validation_or_truth_are_swept_without_marks(bench):
    found = sweep(bench.experiment(data=Integers(rows=12, features=4), optimizer=SGD(lr=0.001)), grid("0,1"))
    assert found.curves.validation_loss is None and found.curves.expected_loss is None and marks(found) == ()
    assert found.curves.ridge_distance is not None
    assert len(picture(found, ()).axes) == 4


def test_what_cannot_be_swept_is_said_in_one_line(bench):
    for experiment, asked, said in (
        (bench.experiment(penalties=()), None, "has no penalty"),
        (bench.experiment(penalties=MIX), None, "has l1 and l2; choose which to sweep with penalty"),
        (bench.experiment(), "l1", "penalty l1: small has none; allowed: l2"),
    ):
        with pytest.raises(InputError, match=said):
            sweep(experiment, grid("0,1"), penalty=asked)


def test_torch_agrees_in_every_run_and_a_table_of_every_run_is_written(bench):
    found = sweep(bench.experiment(), grid("0,1,300"), seeds=2)
    in_torch = beside(found)
    assert in_torch.counts == {"agree": 6} and in_torch.difference.max() < 1e-12
    rows = list(csv.DictReader(to_csv(found, in_torch).splitlines()))
    assert len(rows) == 6 and rows[4]["seed"] == "1" and rows[4]["strength"] == "1.0"
    assert float(rows[4]["norm"]) == found.curves.norm[1, 1] == pytest.approx(float(rows[4]["torch_norm"]), rel=1e-12)


def test_torch_that_does_something_else_is_seen(bench, monkeypatch):
    from parity.backends.torch_backend import TorchBackend

    right = TorchBackend.run

    def twice(self, experiment, setting):
        doubled = tuple(replace(penalty, strength=2 * penalty.strength) for penalty in experiment.penalties)
        return right(self, replace(experiment, penalties=doubled), setting)

    monkeypatch.setattr(TorchBackend, "run", twice)
    in_torch = beside(sweep(bench.experiment(), grid("0,1")))
    assert in_torch.verdicts.tolist() == [["agree", "disagree"]]
    assert in_torch.difference[0, 1] > 1e-3 and in_torch.texts[0].startswith("λ = 1, seed 0: ")


def test_ridge_at_the_chosen_value_is_the_ridge_of_the_experiment(bench):
    """The strength of the sweep is the experiment's own λ, not scikit-learn's α."""
    experiment = bench.experiment()
    found = sweep(experiment, grid("1,3"))
    data = experiment.draw().dataset
    direct = ridge(data.X, data.y, experiment.loss, 3.0)
    assert found.curves.degrees_of_freedom[0, 1] == direct.degrees_of_freedom[0]
