"""Predicted divergence against runs, against the epoch map, and against the recursion of one quadratic."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from refimpl.batches import Batches
from refimpl.datasets.gaussian import Gaussian
from refimpl.errors import ParameterError
from refimpl.exact.epoch_map import epoch_map
from refimpl.exact.gradient_descent import stability_limit
from refimpl.exact.stability import crossing, growth, limits, reach
from refimpl.losses import SquaredError
from refimpl.models import Linear
from refimpl.optimizers import SGD
from refimpl.penalties import L1, L2
from refimpl.problem import Problem
from refimpl.training import Group, train

MSE = SquaredError(factor=1.0, reduction="mean")
DESCENTS = [
    SGD(lr=0.1),
    SGD(lr=0.1, momentum=0.9),
    SGD(lr=0.1, momentum=0.6, dampening=0.5),
    SGD(lr=0.1, momentum=0.9, nesterov=True),
]


def problem(strength: float, *parameters: str, loss: SquaredError = MSE) -> Problem:
    penalties = (L2(strength=strength, parameters=parameters or ("weight",)),) if np.any(strength) else ()
    return Problem(model=Linear(), loss=loss, penalties=penalties)


def data(rows: int = 12, features: int = 30) -> Any:
    return Gaussian(train_rows=rows, features=features).make(np.random.default_rng(0))


def epochs(number: int, rows: int = 12, size: int = 5, order: Any = "shuffled") -> Any:
    return Batches(size=size, order=order).draw(rows, number, np.random.default_rng(1))


def difference(of: Problem, drawn: Any, order: Any, optimizer: SGD) -> Any:
    """Logarithm of the distance between two runs on the same batches, after every epoch, from far apart."""
    starts = np.random.default_rng(2).standard_normal((2, 1, drawn.X.shape[2]))
    params = {"weight": 1e3 * starts, "bias": np.ones((2, 1))}
    run = train(of, [Group(parameters=("weight", "bias"), optimizer=optimizer)], params, drawn.X, drawn.y, order)
    every = np.cumsum([0, *(len(batches) for batches in order)])
    gaps = [np.diff(run.params[name][every], axis=1).reshape(len(every), -1) for name in params]
    return np.log(np.linalg.norm(np.concatenate(gaps, axis=1), axis=1))


@pytest.mark.parametrize("optimizer", DESCENTS, ids=["plain", "heavy ball", "dampened", "nesterov"])
@pytest.mark.parametrize(("share", "grows"), [(0.99, False), (1.01, True)])
def test_the_reach_is_where_the_recursion_of_one_quadratic_turns(optimizer: SGD, share: float, grows: bool) -> None:
    """The optimizer itself on κw²/2."""
    kappa = 3.0
    optimizer = replace(optimizer, lr=share * reach(optimizer) / kappa)
    w, state = np.ones((1, 1, 1)), {}
    for _ in range(1500):
        w, state = optimizer.step(w, kappa * w, state)
    assert (np.abs(w).item() > 1) == grows


@pytest.mark.parametrize("loss", [MSE, SquaredError(factor=0.5, reduction="sum")], ids=["mean", "sum"])
@pytest.mark.parametrize("strength", [0.0, 3.0])
def test_the_limit_of_a_batch_is_that_of_gradient_descent_on_it_alone(loss: SquaredError, strength: float) -> None:
    drawn, order = data(), epochs(2)
    found = limits(problem(strength, loss=loss), drawn.X, order, SGD(lr=0.1))
    alone = [stability_limit(problem(strength, loss=loss), drawn.X[:, rows])[0] for b in order for rows in b]
    np.testing.assert_allclose(found, alone, rtol=1e-12)


def test_weight_decay_is_l2_on_every_parameter() -> None:
    drawn, order = data(), epochs(2)
    inside = limits(problem(3.0, "weight", "bias"), drawn.X, order, SGD(lr=0.1))
    np.testing.assert_allclose(limits(problem(0), drawn.X, order, SGD(lr=0.1, weight_decay=3.0)), inside, rtol=1e-12)


@pytest.mark.parametrize("lr", [0.001, 0.05, 0.1])
@pytest.mark.parametrize("features", [30, 4])
def test_in_a_fixed_order_the_growth_is_the_spectral_radius_of_the_epoch_map(lr: float, features: int) -> None:
    drawn, order = data(features=features), epochs(1, order="fixed")
    A = epoch_map(problem(3.0), drawn.X, drawn.y, order[0], lr).A[0].astype(float)
    found = growth(problem(3.0), drawn.X, order, SGD(lr=lr))
    assert found.largest == pytest.approx(np.abs(np.linalg.eigvals(A)).max(), rel=1e-9)
    assert (found.unseen is None) == (features == 4)


@pytest.mark.parametrize("optimizer", DESCENTS, ids=["plain", "heavy ball", "dampened", "nesterov"])
@pytest.mark.parametrize("order", ["shuffled", "fixed"])
def test_two_runs_drift_apart_or_together_by_the_growth_predicted(optimizer: SGD, order: Any) -> None:
    """On a grid of η around the limit, the slope of the logarithm of their distance."""
    drawn, of, run_on = data(), problem(3.0), epochs(150, order=order)
    predicted_on = run_on if order == "shuffled" else run_on[:1]

    def at(lr: float) -> Any:
        return growth(of, drawn.X, predicted_on, replace(optimizer, lr=lr))

    low = limits(of, drawn.X, predicted_on, optimizer).min() / 10
    limit = crossing(at, low, 60 * low)
    for share in (0.9, 0.95, 1.05, 1.1, 1.5):
        apart = difference(of, drawn, run_on, replace(optimizer, lr=share * limit))
        slope, found = (apart[150] - apart[75]) / 75, at(share * limit)
        assert found.diverges == (share > 1) == (slope > 0)
        assert slope == pytest.approx(np.log(found.largest), abs=0.03)  # turning pairs of roots wobble


def test_the_products_with_few_rows_are_those_with_the_hessian_itself() -> None:
    """With and without an unpenalised bias; batches smaller and larger than the space that they are looked at in."""
    optimizer = SGD(lr=0.1, momentum=0.6, dampening=0.5)
    for features, of in ((30, problem(3.0)), (4, problem(3.0)), (4, problem(3.0, "weight", "bias")), (30, problem(0))):
        drawn, order = data(features=features), epochs(1, order="fixed")
        q, A = features + 1, np.eye(2 * features + 2)
        d = np.full(q, 3.0 * bool(of.penalties))
        d[-1] *= len(of.penalties[0].parameters) - 1 if of.penalties else 0
        largest = []
        for rows in order[0]:
            M = np.hstack([drawn.X[0, rows], np.ones((len(rows), 1))])
            H = 2 / len(rows) * M.T @ M + np.diag(d)
            largest.append(reach(optimizer) / np.linalg.eigvalsh(H)[-1])
            buffer = np.hstack([0.5 * H, 0.6 * np.eye(q)])
            A = np.vstack([np.hstack([np.eye(q), 0 * H]) - 0.1 * buffer, buffer]) @ A
        np.testing.assert_allclose(limits(of, drawn.X, order, optimizer), largest, rtol=1e-9)
        if of.penalties:  # else what no row sees has the eigenvalue 1
            radius = np.abs(np.linalg.eigvals(A)).max()
            assert growth(of, drawn.X, order, optimizer).largest == pytest.approx(radius, rel=1e-6)


def test_below_the_smallest_limit_of_a_batch_nothing_diverges_and_above_it_something_may_converge() -> None:
    drawn, order = data(), epochs(200)
    smallest = float(limits(problem(3.0), drawn.X, order, SGD(lr=0.1)).min())
    shares = [0.3, 0.9, 0.999, 1.1]
    assert not any(growth(problem(3.0), drawn.X, order, SGD(lr=share * smallest)).diverges for share in shares)


def test_what_no_row_sees_changes_by_1_minus_eta_lambda_at_each_step() -> None:
    drawn, order = data(), epochs(10)
    for lam in (3.0, 50.0):
        found = growth(problem(lam), drawn.X, order, SGD(lr=0.1))
        assert found.unseen == pytest.approx(abs(1 - 0.1 * lam) ** 3, rel=1e-12)  # 5, 5 and 2 rows: three steps
        assert found.diverges == (lam > 2 / 0.1)
    assert growth(problem(0), drawn.X, order, SGD(lr=0.01)).unseen is None  # it stays: counted as nothing


def test_an_unpenalised_bias_and_no_penalty_leave_no_direction_that_stays_in_the_growth() -> None:
    drawn, order = data(), epochs(100)
    for strength in (0.0, 3.0):
        assert growth(problem(strength), drawn.X, order, SGD(lr=0.01)).largest < 0.9999


def test_a_rate_without_sense_grows_without_bound_and_the_perfect_one_ends_at_once() -> None:
    one = np.ones((1, 1, 1))
    alone = Problem(model=Linear(bias=False), loss=SquaredError(factor=0.5, reduction="mean"))
    for order in (epochs(1, rows=1, size=1), epochs(4, rows=1, size=1)):
        assert growth(alone, one, order, SGD(lr=1.0)).largest == 0
        assert growth(alone, one, order, SGD(lr=1e300)).diverges
        assert growth(alone, one, order, SGD(lr=1e300, momentum=0.9)).diverges


@pytest.mark.parametrize(
    ("of", "optimizer", "words"),
    [
        (problem(3.0), SGD(lr=0.1, maximize=True), "SGD that descends"),
        (problem(3.0), SGD(lr=0.1, momentum=1.0), "momentum < 1"),
        (
            Problem(model=Linear(), loss=MSE, penalties=(L1(strength=1.0),)),
            SGD(lr=0.1),
            "closed forms need a quadratic",
        ),
        (problem(np.array([1.0, 2.0])), SGD(lr=0.1), "ask for each alone"),  # type: ignore[arg-type]
    ],
    ids=["maximize", "momentum", "l1", "several"],
)
def test_what_has_no_closed_form_is_refused(of: Problem, optimizer: SGD, words: str) -> None:
    with pytest.raises(ParameterError, match=words):
        growth(of, data().X, epochs(2), optimizer)
