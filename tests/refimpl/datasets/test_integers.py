"""Integer data are integers in their range, and the truth leaves exactly the stated residual."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from refimpl.datasets import Dataset, Integers
from refimpl.errors import ParameterError


def residuals(data: Dataset) -> list[Fraction]:
    """y − Xw* − b* in rational arithmetic."""
    assert data.truth is not None
    w, b = [Fraction(w_j) for w_j in data.truth["weight"].ravel()], Fraction(data.truth["bias"].item())
    return [
        Fraction(y) - sum(Fraction(x) * w_j for x, w_j in zip(row, w, strict=True)) - b
        for row, y in zip(data.X[0].tolist(), data.y[0, :, 0].tolist(), strict=True)
    ]


@given(
    rows=st.integers(1, 8),
    features=st.integers(1, 6),
    ends=st.tuples(st.integers(-(2**24), 2**24), st.integers(-(2**24), 2**24)).map(sorted),
    residual=st.integers(0, 2**20),
    seed=st.integers(0, 2**32),
)
def test_all_numbers_are_integers_in_range_and_the_residual_is_exact(
    rows: int, features: int, ends: list[int], residual: int, seed: int
) -> None:
    low, high = ends
    source = Integers(rows=rows, features=features, low=low, high=high, residual=residual)
    data = source.make(np.random.default_rng(seed))
    assert data.truth is not None
    assert data.X.shape == (1, rows, features) and data.truth["weight"].shape == (1, 1, features)
    for values in (data.X, data.truth["weight"], data.truth["bias"]):
        assert np.array_equal(values, np.round(values))
        assert values.min() >= low and values.max() <= high
    assert all(r.denominator == 1 and abs(r) <= residual for r in residuals(data))


def test_without_residual_the_truth_fits_exactly() -> None:
    assert set(residuals(Integers(rows=50, features=7).make(np.random.default_rng(0)))) == {0}


def test_every_value_of_the_range_occurs_both_ends_included() -> None:
    data = Integers(rows=200, features=5, low=-2, high=4, residual=1).make(np.random.default_rng(0))
    assert set(data.X.ravel()) == set(range(-2, 5))
    assert set(residuals(data)) == {-1, 0, 1}


def test_a_residual_changes_the_targets_alone() -> None:
    plain, offset = (Integers(rows=9, features=2, residual=r).make(np.random.default_rng(3)) for r in (0, 5))
    assert plain.truth is not None and offset.truth is not None
    assert np.array_equal(plain.X, offset.X) and np.array_equal(plain.truth["weight"], offset.truth["weight"])
    assert np.array_equal(plain.truth["bias"], offset.truth["bias"])
    assert not np.array_equal(plain.y, offset.y)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *[("rows", v) for v in (0, 1.0, True)],
        *[("features", v) for v in (0, None)],
        *[(name, v) for name in ("low", "high") for v in (0.5, "1", True, None)],
        *[("residual", v) for v in (-1, 0.0)],
        ("low", 4),
    ],
)
def test_an_option_outside_its_range_is_named(name: str, value: Any) -> None:
    with pytest.raises(ParameterError, match=f"^{name}: given "):
        Integers(**{"rows": 3, "features": 2, name: value})


@pytest.mark.parametrize("integer", [int, np.int8, np.int32, np.int64])
def test_a_range_whose_sums_could_be_inexact_is_refused_and_the_largest_exact_one_accepted(integer: type) -> None:
    # p·m² + m + residual = 2·100² + 100 + residual
    largest = 2**53 - 2 * 100**2 - 100
    Integers(rows=1, features=integer(2), low=integer(-100), high=integer(100), residual=largest)
    with pytest.raises(ParameterError, match=f"as large as {2**53 + 1}"):
        Integers(rows=1, features=integer(2), low=integer(-100), high=integer(100), residual=largest + 1)


def test_the_largest_range_is_exact_where_it_is_hardest() -> None:
    m = 2**26 - 1
    data = Integers(rows=3, features=2, low=m, high=m, residual=1).make(np.random.default_rng(0))
    assert all(abs(r) <= 1 and r.denominator == 1 for r in residuals(data))
