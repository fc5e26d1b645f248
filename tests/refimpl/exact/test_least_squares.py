"""Iterative refinement against exact rationals, on matrices that cost float64 most of its digits."""

from fractions import Fraction

import numpy as np
import pytest

from refimpl.arithmetic.double_double import DoubleDouble
from refimpl.errors import ParameterError
from refimpl.exact.least_squares import Equations, least_squares
from refimpl.exact.ridge import ridge
from refimpl.losses.squared_error import SquaredError

HALF_SUM = SquaredError(factor=0.5, reduction="sum")
HILBERT = 1 / (np.arange(12)[:, None] + np.arange(8) + 1.0)  # condition number 5·10⁹
Y = np.cos(np.arange(12.0))


def solve(matrix, right):
    """Gauss–Jordan in exact rationals."""
    rows = [[*row, b] for row, b in zip(matrix, right, strict=True)]
    for i in range(len(rows)):
        pivot = next(j for j in range(i, len(rows)) if rows[j][i] != 0)
        rows[i], rows[pivot] = rows[pivot], rows[i]
        rows[i] = [value / rows[i][i] for value in rows[i]]
        for j, row in enumerate(rows):
            if j != i:
                rows[j] = [a - row[i] * b for a, b in zip(row, rows[i], strict=True)]
    return [row[-1] for row in rows]


def exact(M, y, d, g):
    """(MᵀM + D)θ = Mᵀy − g, in rationals."""
    M, y, d, g = (
        [*map(Fraction, v)] if np.ndim(v) == 1 else [[*map(Fraction, row)] for row in v] for v in (M, y, d, g)
    )
    columns = list(zip(*M, strict=True))
    normal = [[sum(a * b for a, b in zip(u, v, strict=True)) for v in columns] for u in columns]
    for j, row in enumerate(normal):
        row[j] += d[j]
    return solve(normal, [sum(a * b for a, b in zip(u, y, strict=True)) - g[j] for j, u in enumerate(columns)])


def error(found, truth):
    """The largest relative error of a coefficient in twice the precision."""
    both = zip(found.high, found.low, truth, strict=True)
    return max(abs(float((Fraction(high) + Fraction(low)) / value - 1)) for high, low, value in both)


@pytest.mark.parametrize("decay", [0.0, 1e-12, 1.0])
@pytest.mark.parametrize("pull", [0.0, 0.3])
def test_all_digits_of_twice_the_precision_but_those_of_the_condition_number(decay, pull):
    d, g = np.full(8, decay), pull * (-1.0) ** np.arange(8)
    found = Equations(DoubleDouble.of(HILBERT), d).solve(DoubleDouble.of(Y), g)
    assert error(found.theta, exact(HILBERT, Y, d, g)) <= 1e-20
    assert found.correction <= 1e-20


def test_the_residual_is_that_of_the_coefficients():
    found = least_squares(DoubleDouble.of(HILBERT), DoubleDouble.of(Y))
    theta = exact(HILBERT, Y, np.zeros(8), np.zeros(8))
    fitted = [sum(Fraction(a) * t for a, t in zip(row, theta, strict=True)) for row in HILBERT]
    for r, y, f in zip(found.residual.high, Y, fitted, strict=True):
        assert r == pytest.approx(float(Fraction(y) - f), rel=1e-15)


def test_columns_of_other_units_change_nothing_but_the_units():
    units = 2.0 ** np.linspace(-300, 300, 8).round()
    plain, scaled = (least_squares(DoubleDouble.of(M), DoubleDouble.of(Y)) for M in (HILBERT, HILBERT * units))
    assert np.array_equal(scaled.theta.high * units, plain.theta.high)


@pytest.mark.parametrize("strength", [0.0, 1e-10, 0.5])
@pytest.mark.parametrize("intercept", [True, False])
def test_refined_ridge_has_all_digits_where_ridge_loses_most(strength, intercept):
    ones = np.ones((12, int(intercept)))
    d = np.concatenate([np.zeros(int(intercept)), np.full(8, strength)])
    M = np.hstack([ones, HILBERT])
    truth = np.array(list(map(float, exact(M, Y, d, np.zeros(len(d))))))
    errors = []
    for refine in (False, True):
        solution = ridge(HILBERT[None], Y[None, :, None], HALF_SUM, strength, intercept=intercept, refine=refine)
        found = np.concatenate([solution.params.get("bias", np.zeros((1, 0)))[0], solution.params["weight"][0, 0]])
        errors.append(np.max(np.abs(found / truth - 1)))
    assert errors[1] <= 1e-15
    assert errors[0] >= 1e-15


def test_refined_ridge_of_many_strengths_and_more_features_than_rows():
    X, y = HILBERT.T[None], Y[None, :8, None]
    strengths = np.array([1e-3, 2.0])
    found = ridge(X, y, HALF_SUM, strengths, refine=True).params
    assert (found["weight"].shape, found["bias"].shape) == ((2, 1, 12), (2, 1))
    M = np.hstack([np.ones((8, 1)), X[0]])
    for run, strength in enumerate(strengths):
        truth = exact(M, y[0, :, 0], np.append(0.0, np.full(12, strength)), np.zeros(13))
        both = np.append(found["bias"][run], found["weight"][run])
        np.testing.assert_allclose(both, np.array(truth, float), rtol=1e-15)


@pytest.mark.parametrize(
    "M",
    [np.ones((4, 2)), np.ones((2, 3)), np.column_stack([Y, Y * (1 + 1e-16), np.ones(12)])],
    ids=["equal columns", "more columns than rows", "columns that differ by rounding"],
)
def test_dependent_columns_are_refused_with_what_to_do(M):
    with pytest.raises(ParameterError, match="allowed: independent columns; leave some out, or use a larger strength"):
        least_squares(DoubleDouble.of(M), DoubleDouble.of(np.arange(float(len(M)))))


def test_refined_ridge_refuses_a_minimiser_that_is_not_unique():
    with pytest.raises(ParameterError, match="independent columns"):
        ridge(np.ones((1, 4, 2)), np.ones((1, 4, 1)), HALF_SUM, 0.0, refine=True)


def test_columns_beyond_refinement_are_refused():
    powers = np.linspace(1, 2, 20)[:, None] ** np.arange(14)
    with pytest.raises(ParameterError, match=r"nearly dependent|working precision"):
        least_squares(DoubleDouble.of(powers), DoubleDouble.of(np.arange(20.0)))
