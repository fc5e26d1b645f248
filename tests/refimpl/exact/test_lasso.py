"""Lasso and elastic net: certificates in exact rationals, closed forms, other solvers, and the corners of the path."""

from dataclasses import replace
from fractions import Fraction
from itertools import pairwise

import numpy as np
import pytest

from refimpl.arithmetic.double_double import DoubleDouble
from refimpl.errors import DataError, ParameterError, ShapeError
from refimpl.exact.certificate import certify
from refimpl.exact.lasso import lasso
from refimpl.exact.lasso_path import lasso_path
from refimpl.exact.ridge import ridge
from refimpl.losses.squared_error import SquaredError
from refimpl.models.linear import Linear
from refimpl.penalties.elastic_net import ElasticNet
from refimpl.penalties.l1 import L1
from refimpl.problem import Problem

HALF_MEAN = SquaredError(factor=0.5, reduction="mean")
HALF_SUM = SquaredError(factor=0.5, reduction="sum")
LOSSES = {f"{c} {how}": SquaredError(factor=c, reduction=how) for c in (0.5, 1.0) for how in ("mean", "sum")}
SHAPES = [(30, 6), (12, 20), (9, 9), (6, 25), (40, 3)]


def drawn(seed):
    """A problem with a sparse truth, and how it is to be solved."""
    rng = np.random.default_rng(seed)
    n, p = SHAPES[seed % len(SHAPES)]
    X = rng.standard_normal((n, p)) + rng.integers(0, 2) * rng.standard_normal(p)
    y = X @ (rng.standard_normal(p) * (rng.random(p) < 0.4)) + rng.standard_normal(n) + rng.integers(0, 3)
    loss = list(LOSSES.values())[seed % 4]
    return X[None], y[None, :, None], loss, bool(seed % 3)


def nasty():
    rng = np.random.default_rng(0)
    X, y = rng.standard_normal((20, 6)), rng.standard_normal(20)
    constant = X.copy()
    constant[:, [1, 4]] = 0.1, 1e6
    whole = rng.integers(-3, 4, (15, 5)).astype(float)
    return {
        "duplicate columns": (np.hstack([X, X[:, :4], X[:, :1]]), y),
        "opposite columns": (np.hstack([X, -X]), y),
        "many more features than rows": (rng.standard_normal((6, 60)), rng.standard_normal(6)),
        "constant columns": (constant, y),
        "badly scaled columns": (X * 10.0 ** np.linspace(-9, 9, 6), y),
        "one row": (X[:1], y[:1]),
        "exactly collinear columns": (np.column_stack([whole, whole[:, 0] + whole[:, 1], whole.sum(axis=1)]), y[:15]),
        "sums of columns, rounded": (np.column_stack([X, X[:, 0] + X[:, 1], X.sum(axis=1)]), y),
        "zero targets": (X, np.zeros(20)),
        "constant targets": (X, np.full(20, 0.1)),
        "every correlation tied": (np.eye(8), np.full(8, 2.0)),
        "signs": (np.sign(rng.standard_normal((8, 20))), np.sign(rng.standard_normal(8))),
        "an exact fit": (X, 2 * X[:, 0] + 1),
        "far from zero": (X + 2.0**20, y + 1e6),
    }


NASTY = nasty()


def largest_strength(X, y, loss, intercept=True):
    """λ_max = h·max |xⱼᵀy|, centred."""
    if intercept:
        X, y = X - X.mean(axis=1), y - y.mean()
    return np.max(np.abs(X[0].T @ y[0])) * 2 * loss.factor / (X.shape[1] if loss.reduction == "mean" else 1)


def strengths_for(X, y, loss, intercept):
    """Above, at and below λ_max, at corners of the path, and tiny."""
    corners = lasso_path(X, y, loss, intercept=intercept).strengths
    largest = corners[0] or 1.0
    return np.concatenate([largest * np.array([1.5, 0.3, 1e-2, 1e-5, 1e-9]), corners[corners > 0][:4]])


def rational(values):
    """Of an array, or of numbers in twice the precision."""
    if isinstance(values, DoubleDouble):
        return rational(values.high) + rational(values.low)
    return np.vectorize(Fraction, otypes=[object])(values)


def exact_gap(X, y, w, b, theta, l1, l2):
    """P(w, b) − D(θ) relative to P(w, b), all in rationals, θ made feasible first; b None: no intercept."""
    X, y, w, theta = map(rational, (X, y, w, theta))
    r = y - X @ w
    if b is not None:
        r, theta = r - Fraction(b), theta - sum(theta) / len(theta)
    z = X.T @ theta
    if l2 == 0:
        shrink = min([Fraction(1), *(l1 / abs(value) for value in z if value)])
        theta, z = shrink * theta, shrink * z
    primal = r @ r / 2 + l1 * sum(abs(w)) + l2 * (w @ w) / 2
    dual = theta @ y - theta @ theta / 2
    if l2:
        dual -= sum(max(abs(value) - l1, 0) ** 2 for value in z) / (2 * l2)
    assert primal >= dual
    return float((primal - dual) / primal) if primal else 0.0


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


# -- uniqueness ---------------------------------------------------------------------------------------------------


def test_a_minimiser_that_is_not_unique_is_said_to_be_one_of_many():
    X, y = (part[None] for part in (NASTY["duplicate columns"][0], NASTY["duplicate columns"][1][:, None]))
    largest = largest_strength(X, y, HALF_SUM)
    solution = lasso(X, y, HALF_SUM, np.array([2 * largest, 0.1 * largest]))
    assert solution.unique.tolist() == [True, False]
    assert solution.message.startswith("run 1: the minimiser is not unique")
    w = solution.params["weight"][1, 0].copy()
    one = int(np.flatnonzero(w[:4])[0])
    w[one], w[6 + one] = w[one] / 3, 2 * w[one] / 3 + w[6 + one]
    b = float(solution.params["bias"][1, 0])
    other = certify(X[0], y[0, :, 0], w, b, solution.dual[1, :, 0], 0.1 * largest, 0.0)
    assert other.gap <= 1e-12 * other.objective
    assert np.all(lasso(X, y, HALF_SUM, 0.1 * largest, l2=1e-6).unique)


def test_at_a_corner_a_tie_of_independent_columns_leaves_the_minimiser_unique():
    X, y, loss, intercept = drawn(5)
    corners = lasso_path(X, y, loss, intercept=intercept).strengths
    assert np.all(lasso(X, y, loss, corners[:-1], intercept=intercept).unique)


def test_opposite_columns_that_are_about_to_be_used_leave_zero_the_only_minimiser():
    X, y = NASTY["opposite columns"]
    X, y = X[None], y[None, :, None]
    solution = lasso(X, y, HALF_SUM, lasso_path(X, y, HALF_SUM).strengths[0] * np.array([1.0, 0.999]))
    assert solution.unique.tolist() == [True, False]


def test_a_tie_that_signs_forbid_to_share_leaves_the_minimiser_unique():
    # x₃ = x₁ + x₂ has the correlation 2α₁ were it unused, so it takes over: x₁ and x₂ can only replace it at a cost.
    X = np.column_stack([np.eye(4)[:2].T, np.eye(4)[:2].sum(axis=0)])
    solution = lasso(X[None], np.array([3.0, 3.0, 0.0, 0.0])[None, :, None], HALF_SUM, 1.0, intercept=False)
    assert solution.unique.tolist() == [True]
    np.testing.assert_allclose(solution.params["weight"][0, 0], [0, 0, 2.5], atol=1e-15)


def test_a_column_that_others_sum_to_at_the_same_price_can_share():
    # x₃ = (x₁ + x₂)/2: half of each for one of x₃ costs the same.
    X = np.column_stack([np.eye(4)[:2].T, np.eye(4)[:2].sum(axis=0) / 2])
    solution = lasso(X[None], np.array([3.0, 3.0, 0.0, 0.0])[None, :, None], HALF_SUM, 1.0, intercept=False)
    assert solution.unique.tolist() == [False]


def test_where_rounded_weights_cannot_reach_the_minimum_the_gap_says_so():
    X = 1 / (np.arange(15)[:, None] + np.arange(12) + 1.0)  # condition number 10¹⁶
    y = np.cos(np.arange(15.0))
    solution = lasso(X[None], y[None, :, None], HALF_SUM, np.array([1e-6, 1e-15]))
    assert solution.gap[0] <= 1e-12 < solution.gap[1]
    assert "run 1: the minimum is proven to a relative" in solution.message


# -- the certificate ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("l2", [0.0, 0.4])
@pytest.mark.parametrize("intercept", [True, False])
def test_the_certificate_of_any_weight_by_any_dual_point_is_the_exact_gap_and_bounds_what_is_lost(l2, intercept):
    rng = np.random.default_rng(2)
    X, y = rng.standard_normal((7, 4)), rng.standard_normal(7)
    best = lasso(X[None], y[None, :, None], HALF_SUM, 0.5, l2=l2, intercept=intercept).objective[0]
    for _ in range(10):
        w, theta = rng.standard_normal(4) * (rng.random(4) < 0.7), rng.standard_normal(7)
        b = float(rng.standard_normal()) if intercept else None
        found = certify(X, y, w, b, DoubleDouble.of(theta), 0.5, l2)
        truth = exact_gap(X, y, w, b, theta, Fraction(1, 2), Fraction(l2))
        assert found.gap / found.objective == pytest.approx(truth, rel=1e-13)
        assert found.gap >= found.objective - best
        assert found.kkt > 1e-3


@pytest.mark.parametrize(("far", "spread"), [(1e8, 1e-6), (-3e5, 1e-9), (1e8, 1.0)])
def test_the_rounding_of_an_intercept_far_from_zero_is_in_the_gap(far, spread):
    rng = np.random.default_rng(4)
    X, y = rng.standard_normal((12, 3)), far + spread * rng.standard_normal(12)
    found = lasso(X[None], y[None, :, None], HALF_MEAN, 0.1 * spread)
    w, b, theta = found.params["weight"][0, 0], found.params["bias"][0, 0], found.dual[0, :, 0]
    truth = exact_gap(X, y, w, b, theta, 12 * Fraction(0.1 * spread), Fraction(0))
    assert found.gap[0] == pytest.approx(truth, rel=1e-6, abs=1e-28)
    assert (truth > 1e-12) == (spread < 1) == ("less their means" in found.message)


def test_features_far_from_zero_cost_their_optimality_conditions_no_digits():
    rng = np.random.default_rng(5)
    X, y = rng.standard_normal((20, 6)) + 1e10, rng.standard_normal(20)
    found = lasso(X[None], y[None, :, None], HALF_SUM, np.array([1.0, 1e-3]))
    assert np.max(found.kkt) <= 1e-15
    for run, strength in enumerate(found.l1):
        w, b, theta = found.params["weight"][run, 0], found.params["bias"][run, 0], found.dual[run, :, 0]
        truth = exact_gap(X, y, w, b, theta, Fraction(strength), Fraction(0))
        assert found.gap[run] == pytest.approx(truth, rel=1e-6, abs=0)
        columns, targets = rational(X) - sum(rational(X)) / 20, rational(y) - sum(rational(y)) / 20
        off = 1.001 * w
        gradient = columns.T @ (columns @ rational(off) - targets)
        distance = ElasticNet(l1=Fraction(strength), l2=0).distance(rational(off), gradient)
        largest = np.linalg.norm(columns.astype(float), axis=0) * np.linalg.norm(targets.astype(float))
        kkt = certify(X, y, off, b, found.dual[run, :, 0], strength, 0.0).kkt
        assert kkt == pytest.approx(np.max(distance.astype(float) / largest), rel=1e-10, abs=0)


@pytest.mark.parametrize(("field", "said"), [("gap", "minimum is proven to"), ("kkt", "optimality conditions hold to")])
@pytest.mark.parametrize("value", [2e-12, np.nan])
def test_what_is_not_proven_is_said(field, said, value):
    X, y, loss, _ = drawn(0)
    found = lasso(X, y, loss, np.array([0.1, 1.0]))
    assert found.message == "every minimiser is unique"
    assert replace(found, **{field: np.array([0.0, value])}).message.startswith(f"run 1: the {said}")


# -- the path -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("l2", [0.0, 0.5])
def test_between_corners_the_minimiser_is_on_the_line_between_them(seed, l2):
    X, y, loss, intercept = drawn(seed)
    path = lasso_path(X, y, loss, l2=l2, intercept=intercept)
    weight, size = path.params["weight"], np.max(np.abs(path.params["weight"]))
    assert np.all(np.diff(path.strengths) < 0)
    assert not np.any(weight[0])
    middle = (path.strengths[1:] + path.strengths[:-1]) / 2
    found = lasso(X, y, loss, middle, l2=l2, intercept=intercept).params
    for name, corners in path.params.items():
        np.testing.assert_allclose(found[name], (corners[1:] + corners[:-1]) / 2, atol=1e-12 * size)
    support = [np.flatnonzero(w).tolist() for w in found["weight"][:, 0]]
    assert all(one != other for one, other in pairwise(support))  # each corner is one


@pytest.mark.parametrize("seed", [0, 4, 5])
def test_the_path_ends_in_least_squares(seed):
    X, y, loss, intercept = drawn(seed)
    path = lasso_path(X, y, loss, intercept=intercept)
    assert path.strengths[-1] == 0
    expected = ridge(X, y, loss, 0.0, intercept=intercept).params["weight"][0]
    np.testing.assert_allclose(path.params["weight"][-1], expected, atol=1e-12)


def test_the_corners_are_those_of_least_angle_regression(linear_model):
    X, y, _, _ = drawn(10)
    path = lasso_path(X, y, HALF_MEAN)
    strengths, _, weight = linear_model.lars_path(X[0] - X[0].mean(axis=0), y[0, :, 0] - y.mean(), method="lasso")
    np.testing.assert_allclose(path.strengths, strengths, atol=1e-12)
    np.testing.assert_allclose(path.params["weight"][:, 0], weight.T, atol=1e-12)


@pytest.mark.parametrize("name", [name for name in NASTY if name != "every correlation tied"])
def test_the_path_of_nasty_problems_is_that_of_their_solutions(name):
    X, y = NASTY[name][0][None], NASTY[name][1][None, :, None]
    path = lasso_path(X, y, HALF_SUM)
    if len(path.strengths) == 1:
        assert (path.strengths[0], np.any(path.params["weight"])) == (0, False)
        return
    middle = (path.strengths[1:] + path.strengths[:-1]) / 2
    solution = lasso(X, y, HALF_SUM, middle)
    between = (path.params["weight"][1:] + path.params["weight"][:-1]) / 2
    for run, strength in enumerate(middle):
        b = float(solution.params["bias"][run, 0])
        found = certify(X[0], y[0, :, 0], between[run, 0], b, solution.dual[run, :, 0], strength, 0.0)
        assert found.gap <= 1e-12 * found.objective


# -- what is refused ----------------------------------------------------------------------------------------------


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
