"""The certificate of a lasso is the gap in exact rationals; whether the minimiser is the only one is said."""

from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest

from refimpl.arithmetic.double_double import DoubleDouble
from refimpl.exact.certificate import certify
from refimpl.exact.lasso import lasso
from refimpl.exact.lasso_path import lasso_path
from refimpl.penalties.elastic_net import ElasticNet
from tests.refimpl.exact.lasso_problems import HALF_MEAN, HALF_SUM, NASTY, drawn, exact_gap, largest_strength, rational

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
