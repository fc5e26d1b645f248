"""Closed-form ridge against exact rationals, stacked least squares, scikit-learn and the gradient of the objective."""

from fractions import Fraction

import numpy as np
import pytest

from refimpl.datasets.gaussian import Gaussian
from refimpl.errors import DataError, ParameterError, ShapeError
from refimpl.exact.ridge import ROWS, alpha_for, ridge
from refimpl.losses.squared_error import SquaredError
from refimpl.models.linear import Linear
from refimpl.penalties.l2 import L2
from refimpl.problem import Problem

HALF_MEAN = SquaredError(factor=0.5, reduction="mean")
SUM = SquaredError(factor=1.0, reduction="sum")
WIDE, TALL, SQUARE = (20, 200), (60, 7), (9, 9)

# factor and reduction, the strength here as a multiple of the source's λ, and what to multiply λ (and n) with for alpha
CONVENTIONS = {
    "half mean + half penalty": (0.5, "mean", 1, 1),
    "mean + half penalty": (1.0, "mean", 1, 0.5),
    "mean + penalty": (1.0, "mean", 2, 1),
    "half mean + penalty": (0.5, "mean", 2, 2),
    "half sum + half penalty": (0.5, "sum", 1, 1),
    "sum + half penalty": (1.0, "sum", 1, 0.5),
    "sum + penalty": (1.0, "sum", 2, 1),
}


def data(shape, seed=0, offset=0.0):
    drawn = Gaussian(train_rows=shape[0], features=shape[1]).make(np.random.default_rng(seed))
    return drawn.X + offset, drawn.y


def vector(params, run=0):
    return np.concatenate([params[name][run].ravel() for name in params])


def digits(result, truth):
    return -np.log10(np.linalg.norm(result - truth) / np.linalg.norm(truth) + 1e-30)


def eliminate(matrix, right):
    """Gauss–Jordan in exact rationals."""
    rows = [[*row, b] for row, b in zip(matrix, right, strict=True)]
    for i in range(len(rows)):
        pivot = next(j for j in range(i, len(rows)) if rows[j][i] != 0)
        rows[i], rows[pivot] = rows[pivot], rows[i]
        rows[i] = [value / rows[i][i] for value in rows[i]]
        for j, row in enumerate(rows):
            if j != i and row[i] != 0:
                rows[j] = [a - row[i] * b for a, b in zip(row, rows[i], strict=True)]
    return [row[-1] for row in rows]


def exact_ridge(X, y, alpha):
    """(w, b) with Xᵀa = w, (XXᵀ + αI)a + 1b = y, 1ᵀa = 0: the optimality conditions in the dual, in rationals."""
    X = [[Fraction(value) for value in row] for row in X[0]]
    kernel = [[sum(u * v for u, v in zip(row, other, strict=True)) for other in X] for row in X]
    for i, row in enumerate(kernel):
        row[i] += Fraction(alpha)
        row.append(Fraction(1))
    border = [Fraction(1)] * len(X) + [Fraction(0)]
    *a, b = eliminate([*kernel, border], [*(Fraction(value) for value in y.ravel()), Fraction(0)])
    w = [sum(ai * row[j] for ai, row in zip(a, X, strict=True)) for j in range(len(X[0]))]
    return np.array([float(value) for value in [*w, b]])


@pytest.mark.parametrize("strength", [3.0, 2.0**-27])  # 2⁻²⁷ ≈ 7e-9
def test_ridge_agrees_with_the_exact_rational_solution_of_s0(strength):
    X, y = data(WIDE)
    solution = ridge(X, y, HALF_MEAN, strength)
    assert digits(vector(solution.params), exact_ridge(X, y, 20 * strength)) >= 14.5


@pytest.mark.parametrize("shape", [(12, 4), (6, 6), (5, 9)])
def test_ridge_agrees_with_the_exact_rational_solution_in_every_shape(shape):
    X, y = data(shape, seed=1)
    assert digits(vector(ridge(X, y, SUM, 0.5).params), exact_ridge(X, y, 0.25)) >= 14.5


def test_features_far_from_zero_cost_no_digits_and_add_no_rank():
    X, y = data((8, 20), offset=2.0**20)
    solution = ridge(X, y, SUM, np.array([0.0, 1.0]))
    assert solution.rank == 7
    for run, alpha in enumerate([0, 0.5]):
        truth = exact_ridge(X, y, alpha)
        assert digits(solution.params["weight"][run, 0], truth[:-1]) >= 14.3
        assert digits(solution.params["bias"][run], truth[-1:]) >= 14.3


@pytest.mark.parametrize("shape", [WIDE, TALL, SQUARE])
def test_ridge_is_least_squares_on_data_with_the_penalty_as_further_rows(shape):
    (X, y), alpha, (n, p) = data(shape), 0.7, shape
    stacked = np.block([[X[0], np.ones((n, 1))], [np.sqrt(alpha) * np.eye(p), np.zeros((p, 1))]])
    truth = np.linalg.lstsq(stacked, np.append(y.ravel(), np.zeros(p)), rcond=None)[0]
    assert digits(vector(ridge(X, y, SUM, 2 * alpha).params), truth) >= 13.7


@pytest.mark.parametrize("rows", [2 * ROWS, 3 * ROWS + 17])
@pytest.mark.every_case
def test_every_row_counts_where_rows_are_factorised_in_blocks(rows):
    X, y = data((rows, 5), offset=1.0)
    solution = ridge(X, y, SUM, np.array([6.0]))
    M, decay = np.hstack([np.ones((rows, 1)), X[0]]), np.diag([0.0, *[3.0] * 5])  # α = λ/2 of a plain sum
    truth = np.linalg.solve(M.T @ M + decay, M.T @ y[0])[:, 0]  # the normal equations
    assert digits(np.concatenate([solution.params["bias"][0], solution.params["weight"][0, 0]]), truth) > 12


@pytest.mark.parametrize("convention", CONVENTIONS)
@pytest.mark.parametrize("shape", [WIDE, TALL])
def test_alpha_makes_scikit_learn_find_the_same_minimiser(convention, shape, linear_model):
    factor, reduction, multiple, ratio = CONVENTIONS[convention]
    (X, y), lam, loss = data(shape), 0.3, SquaredError(factor=factor, reduction=reduction)
    alpha = lam * ratio * (shape[0] if reduction == "mean" else 1)
    assert alpha_for(loss, multiple * lam, shape[0]) == pytest.approx(alpha, rel=1e-15)
    peer = linear_model.Ridge(alpha=alpha, solver="svd").fit(X[0], y.ravel())
    assert digits(vector(ridge(X, y, loss, multiple * lam).params), np.append(peer.coef_, peer.intercept_)) >= 13


@pytest.mark.parametrize("factor", [0.5, 1.0])
@pytest.mark.parametrize("reduction", ["mean", "sum"])
@pytest.mark.parametrize("shape", [WIDE, TALL])
@pytest.mark.parametrize("intercept", [True, False])
def test_the_gradient_of_the_objective_vanishes_at_the_solution(factor, reduction, shape, intercept):
    (X, y), strengths = data(shape), np.array([0.01, 3.0])
    loss = SquaredError(factor=factor, reduction=reduction)
    problem = Problem(model=Linear(bias=intercept), loss=loss, penalties=(L2(strength=strengths),))
    params = ridge(X, y, loss, strengths, intercept=intercept).params
    scale = problem.gradient({name: 0 * value for name, value in params.items()}, X, y)
    for run in range(2):
        residual = vector(problem.gradient(params, X, y), run)
        assert np.linalg.norm(residual) <= 5e-15 * np.linalg.norm(vector(scale, run))


@pytest.mark.parametrize("shape", [WIDE, SQUARE])
def test_without_penalty_a_wide_problem_gets_the_minimum_norm_solution_and_says_so(shape):
    X, y = data(shape)
    centred, targets = X[0] - X[0].mean(axis=0), y[0, :, 0] - y.mean()
    solution = ridge(X, y, HALF_MEAN, np.array([1.0, 0.0]))
    truth = np.linalg.lstsq(centred, targets, rcond=1e-12)[0]
    assert digits(solution.params["weight"][1, 0], truth) >= 13
    assert solution.minimum_norm.tolist() == [False, True]
    assert "run 1: λ = 0 and X has rank" in solution.message


def test_without_penalty_a_duplicated_feature_shares_its_weight_and_the_message_says_so():
    X, y = data(TALL)
    solution = ridge(np.concatenate([X, X[:, :, :1]], axis=2), y, HALF_MEAN, 0.0)
    alone = ridge(X, y, HALF_MEAN, 0.0)
    assert (solution.rank, bool(solution.minimum_norm[0])) == (7, True)
    assert "minimum norm" in solution.message
    weight, whole = solution.params["weight"][0, 0], alone.params["weight"][0, 0]
    assert digits(weight[[0, -1]], np.full(2, whole[0] / 2)) >= 13
    assert digits(weight[1:-1], whole[1:]) >= 13
    assert not alone.minimum_norm[0]
    assert alone.message == "every minimiser is unique"


def test_a_feature_that_differs_from_another_in_the_ninth_digit_still_counts():
    X, y = data(TALL)
    almost = X[:, :, :1] + 1e-9 * np.random.default_rng(5).standard_normal((1, 60, 1))
    solution = ridge(np.concatenate([X, almost], axis=2), y, HALF_MEAN, 0.0)
    assert (solution.rank, bool(solution.minimum_norm[0])) == (8, False)


def test_the_minimum_norm_solution_is_the_limit_of_a_vanishing_penalty():
    X, y = data(WIDE)
    solution = ridge(X, y, HALF_MEAN, np.array([0.0, 1e-18]))
    assert digits(vector(solution.params, 1), vector(solution.params, 0)) >= 14


def test_constant_features_get_weight_zero_and_the_bias_is_the_mean():
    solution = ridge(np.ones((1, 4, 3)), np.array([[[1.0], [2.0], [3.0], [6.0]]]), SUM, np.array([0.0, 1.0]))
    assert solution.rank == 0
    assert not np.any(solution.params["weight"])
    assert solution.params["bias"].tolist() == [[3.0], [3.0]]


@pytest.mark.parametrize("shape", [WIDE, TALL])
def test_many_strengths_at_once_give_what_each_gives_alone(shape):
    (X, y), strengths = data(shape), np.logspace(-6, 3, 7)
    path = ridge(X, y, HALF_MEAN, strengths)
    assert path.params["weight"].shape == (7, 1, shape[1])
    assert path.params["bias"].shape == (7, 1)
    for run, strength in enumerate(strengths):
        alone = ridge(X, y, HALF_MEAN, float(strength))
        assert digits(vector(path.params, run), vector(alone.params)) >= 14.5
        assert path.degrees_of_freedom[run] == pytest.approx(alone.degrees_of_freedom[0], rel=1e-14)


def test_rows_of_zeros_that_make_a_wide_problem_tall_change_nothing():
    X, y = data((5, 9))
    tall_X, tall_y = np.zeros((1, 15, 9)), np.zeros((1, 15, 1))
    tall_X[:, ::3], tall_y[:, ::3] = X, y
    wide, tall = (ridge(*pair, SUM, np.array([0.0, 2.0]), intercept=False) for pair in ((X, y), (tall_X, tall_y)))
    assert wide.params.keys() == tall.params.keys() == {"weight"}
    assert wide.rank == tall.rank == 5
    np.testing.assert_allclose(tall.singular_values[:5], wide.singular_values, rtol=1e-14)
    for run in range(2):
        assert digits(vector(tall.params, run), vector(wide.params, run)) >= 14


@pytest.mark.parametrize("shape", [(6, 4), (5, 9)])
def test_degrees_of_freedom_are_the_sum_of_each_fit_s_response_to_its_own_target(shape):
    (X, _), (n, _) = data(shape), shape
    response = 0.0
    for i in range(n):
        unit = np.eye(n)[None, :, i : i + 1]
        response += Linear().forward(ridge(X, unit, SUM, 2.0).params, X)[0, i, 0]  # ∂ŷᵢ/∂yᵢ
    expected = response - 1  # the intercept's own
    assert ridge(X, np.ones((1, n, 1)), SUM, 2.0).degrees_of_freedom[0] == pytest.approx(expected, rel=1e-13)


def test_inputs_are_not_changed():
    X, y = data(TALL)
    before = X.copy(), y.copy()
    ridge(X, y, SUM, 1.0)
    assert np.array_equal(X, before[0])
    assert np.array_equal(y, before[1])


@pytest.mark.parametrize("strengths", [-1.0, np.nan, np.inf, np.array([]), np.ones((2, 1)), "a", 1j])
def test_impossible_strengths_are_refused(strengths):
    with pytest.raises(ParameterError, match="strengths"):
        ridge(*data(TALL), SUM, strengths)


def test_impossible_data_are_refused():
    X, y = data(TALL)
    for bad_X, bad_y in ((X[0], y), (X, y[0]), (X[:, :-1], y), (X[:, :0], y[:, :0]), (X[:, :, :0], y)):
        with pytest.raises(ShapeError):
            ridge(bad_X, bad_y, SUM, 1.0)
    with pytest.raises(DataError, match="nan"):
        ridge(np.where(np.arange(7) == 3, np.nan, X), y, SUM, 1.0)
    with pytest.raises(ParameterError, match="factor"):
        ridge(X, y, SquaredError(factor=0.0, reduction="sum"), 1.0)
