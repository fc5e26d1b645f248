"""NIST's data sets: an exact solve in rationals gives every certified digit, so neither data nor values have a slip."""

from decimal import Decimal
from fractions import Fraction

import numpy as np
import pytest

from refimpl.datasets.dataset import Dataset
from refimpl.datasets.nist import NAMES, WAMPLER, certified
from refimpl.errors import ParameterError

SIZES = {"norris": (36, 1), "longley": (16, 6), "filip": (82, 10)}


def least_squares(data):
    """MᵀMθ = Mᵀy for M = [1 X], by elimination in rationals."""
    columns = list(zip(*((Fraction(1), *row) for row in data.features), strict=True))
    rows = [[sum(a * b for a, b in zip(u, v, strict=True)) for v in (*columns, data.response)] for u in columns]
    for i in range(len(rows)):
        rows[i] = [value / rows[i][i] for value in rows[i]]
        for j, row in enumerate(rows):
            if j != i:
                rows[j] = [a - row[i] * b for a, b in zip(row, rows[i], strict=True)]
    return [row[-1] for row in rows]


def printed(value):
    """To 15 digits."""
    return f"{Decimal(value.numerator) / value.denominator:.14e}"


@pytest.mark.parametrize("name", NAMES)
def test_the_exact_solution_has_all_certified_digits(name):
    data = certified(name)
    for found, expected in zip(least_squares(data), data.coefficients, strict=True):
        assert printed(found) == printed(expected)


@pytest.mark.parametrize("name", WAMPLER)
def test_what_is_added_to_wampler_is_orthogonal_to_every_power(name):
    data = certified(name)
    fitted = [
        data.coefficients[0] + sum(c * x for c, x in zip(data.coefficients[1:], row, strict=True))
        for row in data.features
    ]
    rest = [y - f for y, f in zip(data.response, fitted, strict=True)]
    assert sum(rest) == 0
    assert all(
        sum(r * x for r, x in zip(rest, column, strict=True)) == 0 for column in zip(*data.features, strict=True)
    )
    assert any(rest) == (name in ("wampler3", "wampler4", "wampler5"))


@pytest.mark.parametrize("name", NAMES)
def test_arrays_are_those_of_every_dataset_and_the_nearest_to_the_decimals(name):
    data = certified(name)
    rows, features = SIZES.get(name, (21, 5))
    Dataset(X=data.X, y=data.y)  # checks dtype and that all is finite
    assert data.X.shape == (1, rows, features)
    assert data.matrix.high.shape == (rows, features + 1)
    assert np.array_equal(data.matrix.high[:, 1:], data.X[0])
    assert np.array_equal(data.targets.high, data.y.ravel())
    for row, high, low in zip(data.features, data.X[0], data.matrix.low[:, 1:], strict=True):
        for x, near, rest in zip(row, high, low, strict=True):
            assert near == float(x)
            assert abs(Fraction(near) + Fraction(rest) - x) <= abs(x) * Fraction(1, 2**106)


def test_digits_count_the_worst_coefficient_up_to_those_certified():
    data = certified("wampler2")
    exact = np.array([float(c) for c in data.coefficients])
    assert data.digits(exact) == 15
    assert data.digits(exact * [1, 1, 1 + 1e-7, 1, 1, 1 - 1e-9]) == pytest.approx(7, abs=1e-6)
    assert data.digits(exact * [1, 1, 1, 30, 1, 1]) == 0
    assert data.digits(exact * [1, 1, 1, np.nan, 1, 1]) == 0


def test_an_unknown_name_is_refused_with_those_that_exist():
    with pytest.raises(ParameterError, match="norris, longley, filip, wampler1"):
        certified("pontius")
