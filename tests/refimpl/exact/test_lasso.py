"""Lasso and elastic net: solved and proven, by closed forms and other solvers too, and what is refused."""

from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest

from refimpl.errors import DataError, ParameterError, ShapeError
from refimpl.exact.lasso import lasso
from refimpl.exact.lasso_path import lasso_path
from refimpl.exact.ridge import ridge
from refimpl.models.linear import Linear
from refimpl.penalties.elastic_net import ElasticNet
from refimpl.penalties.l1 import L1
from refimpl.problem import Problem
from tests.refimpl.exact.lasso_problems import HALF_MEAN, HALF_SUM, LOSSES, NASTY, drawn, exact_gap, largest_strength


def strengths_for(X, y, loss, intercept):
    """Above, at and below λ_max, at corners of the path, and tiny."""
    corners = lasso_path(X, y, loss, intercept=intercept).strengths
    largest = corners[0] or 1.0
    return np.concatenate([largest * np.array([1.5, 0.3, 1e-2, 1e-5, 1e-9]), corners[corners > 0][:4]])


def check(X, y, loss, strengths, l2, intercept):
    """The solution's own certificate, the exact one, and the KKT conditions in the terms of the problem."""
    solution = lasso(X, y, loss, strengths, l2=l2, intercept=intercept)
    assert np.max(solution.gap) <= 1e-12
    assert np.max(solution.kkt) <= 1e-12
    n = X.shape[1]
    unit = Fraction(n if loss.reduction == "mean" else 1) / Fraction(2 * loss.factor)  # N/(2c)
    for run, strength in enumerate(solution.l1):
        w, theta = solution.params["weight"][run, 0], solution.dual[run, :, 0]
        b = solution.params["bias"][run, 0] if intercept else None
        l1 = unit * Fraction(strength)
        assert exact_gap(X[0], y[0, :, 0], w, b, theta, l1, unit * Fraction(solution.l2[run])) <= 1e-12
    return solution


@pytest.mark.parametrize("seed", range(50))
def test_random_problems_are_solved_and_proven(seed):
    X, y, loss, intercept = drawn(seed)
    strength = largest_strength(X, y, loss, intercept) * np.array([0.6, 10.0 ** -(seed % 6)])
    solution = check(X, y, loss, strength, (0.0, 0.3 * strength[0])[seed % 2], intercept)
    penalty = ElasticNet(l1=solution.l1[:, None, None], l2=solution.l2[:, None, None])
    problem = Problem(model=Linear(bias=intercept), loss=loss)
    gradient = problem.gradient(solution.params, X, y)
    nothing = problem.gradient({name: 0 * value for name, value in solution.params.items()}, X, y)
    size = np.max(np.abs(nothing["weight"]))
    assert np.max(penalty.distance(solution.params["weight"], gradient["weight"])) <= 1e-12 * size
    if intercept:
        assert np.max(np.abs(gradient["bias"])) <= 1e-12 * size
    value = problem.loss.value(problem.model.forward(solution.params, X), y) + replace(
        penalty, l1=solution.l1, l2=solution.l2
    ).value(solution.params["weight"])
    np.testing.assert_allclose(solution.objective, value, rtol=1e-12)


@pytest.mark.parametrize("name", NASTY)
@pytest.mark.parametrize("l2", [0.0, 1e-3])
def test_nasty_problems_are_solved_and_proven(name, l2):
    X, y = NASTY[name]
    X, y, intercept = X[None], y[None, :, None], name != "every correlation tied"
    strengths = strengths_for(X, y, HALF_SUM, intercept)
    solution = check(X, y, HALF_SUM, strengths, l2 * strengths[1], intercept)
    assert not np.any(solution.params["weight"][0])  # λ₁ above λ_max
    assert solution.message == "every minimiser is unique" or l2 == 0


def test_orthonormal_columns_give_the_soft_threshold():
    H = np.array([[1.0]])
    for _ in range(3):
        H = np.block([[H, H], [H, -H]])
    X, y = H[:, 1:] / np.sqrt(8), np.random.default_rng(1).standard_normal(8) + 3
    z = X.T @ y
    for strength, l2 in ((0.2, 0.0), (0.5, 0.7), (np.max(np.abs(z)) * 1.001, 0.0)):
        found = lasso(X[None], y[None, :, None], HALF_SUM, strength, l2=l2).params
        expected = np.sign(z) * np.maximum(np.abs(z) - strength, 0) / (1 + l2)
        np.testing.assert_allclose(found["weight"][0, 0], expected, rtol=1e-14, atol=1e-15)
        assert found["bias"][0, 0] == pytest.approx(np.mean(y), rel=1e-15)


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("shape", [(60, 8), (20, 30)])
def test_scikit_learn_finds_the_same_by_the_conversion_of_the_docstring(loss, shape, linear_model):
    rng = np.random.default_rng(7)
    X = rng.standard_normal(shape)
    y, n = X[:, :3] @ [1.0, -2.0, 3.0] + 0.1 * rng.standard_normal(len(X)) + 5, len(X)
    to_alpha = {"0.5 mean": 1, "1.0 mean": 1 / 2, "0.5 sum": 1 / n, "1.0 sum": 1 / (2 * n)}[loss]
    l1, l2 = 0.3 / to_alpha, 0.2 / to_alpha
    for first, second in ((l1, 0.0), (l1, l2)):
        ours = lasso(X[None], y[None, :, None], LOSSES[loss], first, l2=second)
        a1, a2 = first * to_alpha, second * to_alpha
        theirs = linear_model.ElasticNet(alpha=a1 + a2, l1_ratio=a1 / (a1 + a2), tol=1e-14, max_iter=100_000).fit(X, y)
        np.testing.assert_allclose(ours.params["weight"][0, 0], theirs.coef_, atol=1e-7)
        assert np.array_equal(ours.params["weight"][0, 0] != 0, theirs.coef_ != 0)
        np.testing.assert_allclose(ours.params["bias"][0, 0], theirs.intercept_, rtol=1e-7)


def test_proximal_gradient_descent_ends_there():
    X, y, _, _ = drawn(0)
    strength = 0.2 * largest_strength(X, y, HALF_MEAN, intercept=False)
    problem, penalty = Problem(model=Linear(bias=False), loss=HALF_MEAN), L1(strength=strength)
    w = np.zeros((1, 1, X.shape[2]))
    step = X.shape[1] / np.linalg.norm(X[0], 2) ** 2
    for _ in range(2000):
        w = penalty.prox(w - step * problem.gradient({"weight": w}, X, y)["weight"], step)
    found = lasso(X, y, HALF_MEAN, strength, intercept=False).params["weight"]
    np.testing.assert_allclose(w, found, atol=1e-13)
    assert np.array_equal(w == 0, found == 0)
    assert np.any(w == 0)


def test_the_elastic_net_is_a_lasso_on_data_with_the_l2_penalty_as_further_rows():
    X, y, _, _ = drawn(1)
    p = X.shape[2]
    taller = (
        np.concatenate([X, np.sqrt(0.7) * np.eye(p)[None]], axis=1),
        np.concatenate([y, np.zeros((1, p, 1))], axis=1),
    )
    net = lasso(X, y, HALF_SUM, 0.5, l2=0.7, intercept=False)
    stacked = lasso(*taller, HALF_SUM, 0.5, intercept=False)
    np.testing.assert_allclose(net.params["weight"], stacked.params["weight"], rtol=1e-13)


def test_many_strengths_at_once_in_any_order_give_what_each_gives_alone():
    X, y, loss, _ = drawn(3)
    strengths = largest_strength(X, y, loss) * np.array([1e-3, 0.5, 1e-6, 2.0, 0.05])
    l2 = np.array([0.0, 0.1, 0.0, 0.0, 1.0])
    path = lasso(X, y, loss, strengths, l2=l2)
    for run in range(5):
        alone = lasso(X, y, loss, float(strengths[run]), l2=float(l2[run]))
        np.testing.assert_allclose(path.params["weight"][run], alone.params["weight"][0], rtol=1e-14)
        np.testing.assert_allclose(path.params["bias"][run], alone.params["bias"][0], rtol=1e-14)
        assert path.objective[run] == pytest.approx(alone.objective[0], rel=1e-14)


@pytest.mark.parametrize(
    "strengths", [0.0, -1.0, np.nan, np.inf, np.array([]), np.ones((2, 1)), np.array([1.0, 0.0]), "a", 1j]
)
def test_impossible_strengths_are_refused(strengths):
    X, y, loss, _ = drawn(0)
    with pytest.raises(ParameterError, match="strengths"):
        lasso(X, y, loss, strengths)


@pytest.mark.parametrize("l2", [-1.0, np.nan, np.ones(3), "a"])
def test_impossible_l2_strengths_are_refused(l2):
    X, y, loss, _ = drawn(0)
    with pytest.raises(ParameterError, match="l2"):
        lasso(X, y, loss, np.ones(2), l2=l2)


def test_impossible_data_are_refused():
    X, y, loss, _ = drawn(0)
    for solve in (lambda X, y: lasso(X, y, loss, 1.0), lambda X, y: lasso_path(X, y, loss)):
        with pytest.raises(ShapeError):
            solve(X[:, :-1], y)
        with pytest.raises(DataError, match="nan"):
            solve(np.where(np.arange(X.shape[2]) == 1, np.nan, X), y)


@pytest.mark.parametrize("scale", [1e-160, 1e-61, 1e61, 1e155, 1e300])
def test_numbers_whose_squares_do_not_fit_float64_are_refused(scale):
    X, y, loss, _ = drawn(0)
    solvers = (
        lambda X, y: lasso(X, y, loss, 1.0),
        lambda X, y: lasso_path(X, y, loss),
        lambda X, y: ridge(X, y, loss, 1.0, refine=True),
    )
    for solve in solvers:
        with pytest.raises(DataError, match=r"X\[0, :, 2\]: given numbers up to .* fit float64; use other units"):
            solve(X * np.where(np.arange(X.shape[2]) == 2, scale, 1), y)
        with pytest.raises(DataError, match="y: given numbers up to"):
            solve(X, y * scale)


@pytest.mark.parametrize("of_x", [-59, 59])
@pytest.mark.parametrize("of_y", [-59, 59])
def test_numbers_at_the_ends_of_the_range_are_solved_and_proven(of_x, of_y):
    X, y, loss, _ = drawn(0)
    unit, (of_x, of_y) = largest_strength(X, y, loss), (10.0**of_x, 10.0**of_y)
    expected = lasso(X, y, loss, 0.1 * unit, l2=1e-3).params["weight"]
    found = lasso(X * of_x, y * of_y, loss, 0.1 * unit * of_x * of_y, l2=1e-3 * of_x**2)
    assert found.message == "every minimiser is unique"
    np.testing.assert_allclose(found.params["weight"] * (of_x / of_y), expected, rtol=1e-12)
    ridge(X * of_x, y * of_y, loss, 1e-3 * of_x**2, refine=True)


def test_a_search_that_does_not_end_is_refused(monkeypatch):
    X, y, loss, _ = drawn(0)
    monkeypatch.setattr("refimpl.exact.active_set.ROUNDS", 0)
    with pytest.raises(ParameterError, match="support is not found in 0 rounds"):
        lasso(X, y, loss, 0.1)


def test_inputs_are_not_changed():
    X, y, loss, _ = drawn(0)
    before = X.copy(), y.copy()
    lasso(X, y, loss, 0.1)
    assert np.array_equal(X, before[0])
    assert np.array_equal(y, before[1])
