"""The scores of a ridge strength against n refits, the explicit hat matrix, rotations, the evidence and drawn rows."""

import numpy as np
import pytest
from scipy.optimize import minimize_scalar

from refimpl.datasets.gaussian import Gaussian
from refimpl.errors import DataError, ParameterError
from refimpl.exact.ridge import alpha_for, ridge
from refimpl.exact.selection import expected_square, scores, strength_of_prior
from refimpl.losses.squared_error import SquaredError

HALF_MEAN = SquaredError(factor=0.5, reduction="mean")
SUM = SquaredError(factor=1.0, reduction="sum")
LOSSES = pytest.mark.parametrize("loss", [HALF_MEAN, SUM], ids=["half mean", "sum"])
SHAPES = pytest.mark.parametrize("shape", [(9, 30), (12, 4), (8, 7), (7, 7)], ids=str)
INTERCEPT = pytest.mark.parametrize("intercept", [True, False], ids=["intercept", "no intercept"])
STRENGTHS = np.array([0.0, 1e-6, 0.3, 5.0, 1e4])


def data(shape, seed=0):
    drawn = Gaussian(train_rows=shape[0], features=shape[1], noise=0.3).make(np.random.default_rng(seed))
    return drawn.X, drawn.y


def refits(X, y, alpha, intercept):
    """Mean of the squared errors on each row, by the ridge solution of the others at the same α."""
    errors = []
    for i in range(X.shape[1]):
        others = np.arange(X.shape[1]) != i
        fit = ridge(X[:, others], y[:, others], SUM, 2 * alpha, intercept=intercept).params  # Σr² + α‖w‖²
        bias = fit["bias"][0, 0] if intercept else 0.0
        errors.append(X[0, i] @ fit["weight"][0, 0] + bias - y[0, i, 0])
    return np.mean(np.square(errors))


@LOSSES
@SHAPES
@INTERCEPT
def test_leave_one_out_is_the_mean_over_n_refits_at_zero_too(loss, shape, intercept):
    X, y = data(shape)
    alphas = alpha_for(loss, STRENGTHS, shape[0])
    expected = [refits(X, y, alpha, intercept) for alpha in alphas]
    found = scores(X, y, loss, STRENGTHS, intercept=intercept).leave_one_out
    np.testing.assert_allclose(found, expected, rtol=1e-9)


def test_leave_one_out_holds_for_a_row_that_alone_has_a_feature():
    X, y = data((12, 4))
    X[0, :, 3] = 0
    X[0, 5, 3] = 2.0  # leverage 1 at λ = 0
    expected = [refits(X, y, alpha, intercept=True) for alpha in alpha_for(HALF_MEAN, STRENGTHS, 12)]
    np.testing.assert_allclose(scores(X, y, HALF_MEAN, STRENGTHS).leave_one_out, expected, rtol=1e-9)


@SHAPES
@INTERCEPT
def test_gcv_is_that_of_the_explicit_hat_matrix(shape, intercept):
    X, y = data(shape)
    n, p = shape
    strengths = STRENGTHS[1:]
    design = np.column_stack([X[0], np.ones(n)]) if intercept else X[0]
    penalised = np.diag([1.0] * p + [0.0] * intercept)
    found = scores(X, y, HALF_MEAN, strengths, intercept=intercept).gcv
    for alpha, one in list(zip(alpha_for(HALF_MEAN, strengths, n), found, strict=True))[1:]:
        hat = design @ np.linalg.solve(design.T @ design + alpha * penalised, design.T)
        rss = np.sum((y[0, :, 0] - hat @ y[0, :, 0]) ** 2)
        assert one == pytest.approx(n * rss / (n - np.trace(hat)) ** 2, rel=1e-9)


def test_gcv_counts_the_degrees_of_freedom_of_ridge_and_the_intercept():
    X, y = data((12, 4))
    solution = ridge(X, y, HALF_MEAN, STRENGTHS)
    fitted = solution.params["weight"][:, 0] @ X[0].T + solution.params["bias"]
    rss = np.sum((y[0, :, 0] - fitted) ** 2, axis=1)
    expected = 12 * rss / (12 - 1 - solution.degrees_of_freedom) ** 2
    np.testing.assert_allclose(scores(X, y, HALF_MEAN, STRENGTHS).gcv, expected, rtol=1e-11)


def test_gcv_does_not_change_when_the_rows_are_rotated_and_leave_one_out_does():
    X, y = data((12, 4))
    rotation, _ = np.linalg.qr(np.random.default_rng(1).standard_normal((12, 12)))
    before = scores(X, y, SUM, STRENGTHS, intercept=False)
    after = scores(rotation @ X, rotation @ y, SUM, STRENGTHS, intercept=False)
    np.testing.assert_allclose(after.gcv, before.gcv, rtol=1e-11)
    assert np.max(np.abs(after.leave_one_out / before.leave_one_out - 1)) > 0.01


@pytest.mark.parametrize("shape", [(20, 200), (12, 4)], ids=str)
def test_the_scores_at_zero_are_the_limit_of_those_before_it(shape):
    X, y = data(shape)
    at_zero, near = (scores(X, y, HALF_MEAN, strength) for strength in (0.0, 1e-11))
    np.testing.assert_allclose(at_zero.gcv, near.gcv, rtol=1e-9)
    np.testing.assert_allclose(at_zero.leave_one_out, near.leave_one_out, rtol=1e-9)


def test_scikit_learn_has_the_same_leave_one_out(linear_model):
    X, y = data((12, 4))
    alphas = np.array([0.1, 2.0, 30.0])
    peer = linear_model.RidgeCV(alphas=alphas, store_cv_results=True).fit(X[0], y[0, :, 0])
    strengths = alphas / alpha_for(HALF_MEAN, 1.0, 12)
    found = scores(X, y, HALF_MEAN, strengths).leave_one_out
    np.testing.assert_allclose(found, peer.cv_results_.mean(axis=0), rtol=1e-9)


@LOSSES
def test_the_strength_of_the_prior_is_where_the_evidence_of_many_draws_is_largest(loss):
    """y ~ N(0, τ²XXᵀ + σ²I): the marginal likelihood over α at the best σ, maximised numerically."""
    n, p, noise, width = 15, 6, 0.5, 0.2
    rng = np.random.default_rng(0)
    X = rng.standard_normal((n, p))
    values, vectors = np.linalg.eigh(X @ X.T)
    values = np.maximum(values, 0)
    ys = X @ (width * rng.standard_normal((p, 40_000))) + noise * rng.standard_normal((n, 40_000))
    power = np.mean((vectors.T @ ys) ** 2, axis=1)  # mean square along each direction

    def surprise(log_alpha):
        """−log P(y) but for constants, with the covariance v(1 + s²/α) and v at its own maximum."""
        spread = 1 + values / np.exp(log_alpha)
        return n * np.log(np.mean(power / spread)) + np.sum(np.log(spread))

    best = np.exp(minimize_scalar(surprise, bounds=(-5, 8), method="bounded").x)
    assert best == pytest.approx((noise / width) ** 2, rel=0.03)
    found = strength_of_prior(loss, n, noise=noise, width=width)
    assert alpha_for(loss, found, n) == pytest.approx((noise / width) ** 2, rel=1e-14)


def test_the_strength_of_the_prior_has_the_least_expected_error_over_draws_of_the_weights():
    """E‖w(α) − w*‖² = Σ((1 − f)²τ² + f²σ²/s²) over the directions of X, plus what it does not see."""
    noise, width = 0.5, 0.2
    X, y = data((15, 6))
    s2 = ridge(X, y, HALF_MEAN, 1.0).singular_values ** 2

    def error(log_strength):
        f = s2 / (s2 + alpha_for(HALF_MEAN, np.exp(log_strength), 15))
        return np.sum((1 - f) ** 2 * width**2 + f**2 * noise**2 / s2)

    best = np.exp(minimize_scalar(error, bounds=(-8, 8), method="bounded", options={"xatol": 1e-9}).x)
    assert best == pytest.approx(strength_of_prior(HALF_MEAN, 15, noise=noise, width=width), rel=1e-5)


def test_the_expected_square_is_the_mean_over_drawn_rows():
    rows = Gaussian(train_rows=400_000, features=3, scale=0.7, noise=0.4, weight=0.3, bias=0.2)
    drawn = rows.make(np.random.default_rng(0))
    params = {"weight": np.array([[[0.5, -1.0, 0.1]], [[0.0, 0.0, 0.0]]]), "bias": np.array([[0.6], [0.0]])}
    outputs = params["weight"][:, 0] @ drawn.X[0].T + params["bias"]
    measured = np.mean((outputs - drawn.y[0, :, 0]) ** 2, axis=1)
    found = expected_square(params, drawn.truth, noise=0.4, scale=0.7)
    np.testing.assert_allclose(found, measured, rtol=0.01)
    without = expected_square({"weight": params["weight"]}, drawn.truth, noise=0.4, scale=0.7)
    assert without[1] == found[1]


def test_one_row_bad_numbers_and_a_prior_of_width_zero_are_refused_in_one_line():
    X, y = data((9, 30))
    with pytest.raises(ParameterError, match="rows: given one row"):
        scores(X[:, :1], y[:, :1], HALF_MEAN, 1.0)
    with pytest.raises(ParameterError, match="strengths"):
        scores(X, y, HALF_MEAN, -1.0)
    with pytest.raises(DataError, match="nan"):
        scores(X * np.nan, y, HALF_MEAN, 1.0)
    with pytest.raises(ParameterError, match="width"):
        strength_of_prior(HALF_MEAN, 20, noise=1.0, width=0.0)
