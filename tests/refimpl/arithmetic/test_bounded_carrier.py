"""Bounds in a carrier of 53 bits hold, too, with what computing them rounds away."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from refimpl.arithmetic.bounded import Bounded
from tests.refimpl.arithmetic.roundings import Real, assert_within, numbers, profile_of


@pytest.mark.parametrize("name", ["float64", "float32"])
def test_bounds_in_a_carrier_of_53_bits_hold_and_are_at_most_twice_as_wide(name: str, high_precision: Any) -> None:
    rng, dtype = np.random.default_rng(0), Real(name)
    a, b = numbers(rng, name, 5, 40), numbers(rng, name, 40, 3)
    real = dtype.float64(dtype.apply("matmul", dtype.array(a), dtype.array(b)))
    errors = []
    for carrier in (np.longdouble, np.float64):
        profile = profile_of(name, carrier=carrier)
        bounded: Any = Bounded.tensor(a, profile) @ Bounded.tensor(b, profile)
        assert bounded.value.dtype == bounded.error.dtype == np.dtype(carrier)
        assert_within(real, high_precision.array(a) @ high_precision.array(b), bounded, high_precision)
        errors.append(bounded.error.astype(float))
    most = 2.01 if name == "float64" else 1.0001
    assert np.all(errors[1] >= errors[0] * (1 - 1e-15)) and np.all(errors[1] <= most * errors[0])


def test_a_bound_is_wider_than_what_computing_it_in_53_bits_rounds_away(high_precision: Any) -> None:
    """The largest error in a box of operands, and its rounding, are exactly inside of a bound that was rounded."""
    rng, profile = np.random.default_rng(0), profile_of("float64", carrier=np.float64)
    value, error = rng.uniform(1, 2, (2, 1000)), rng.uniform(20, 40, (2, 1000))
    x, y = (Bounded(value[i], error[i], profile) for i in (0, 1))
    (vx, vy), (ex, ey) = high_precision.array(value), high_precision.array(error)
    for result, reach, exact in ((x * y, vx * ey + vy * ex + ex * ey, vx * vy), (x + y, ex + ey, vx + vy)):
        away = np.abs(high_precision.array(result.value) - exact)
        rounding = high_precision.number(2) ** -53 * (np.abs(exact) + reach)
        assert np.all(away + reach + rounding <= high_precision.array(result.error))


@pytest.mark.parametrize("carrier", [np.longdouble, np.float64])
def test_the_bound_of_a_product_is_wider_than_what_computing_it_in_float64_rounds_away(
    carrier: Any, high_precision: Any
) -> None:
    rng, profile, n = np.random.default_rng(0), profile_of("float64", carrier=carrier), 3
    (va, ea), (vb, eb) = rng.uniform(1, 2, (2, 40, n)), rng.uniform(1, 2, (2, n, 40))
    a, b, error_a, error_b = map(high_precision.array, (va, vb, ea, eb))
    spread = a @ error_b + error_a @ (b + error_b)
    nu = n * high_precision.number(2) ** -53
    exact = spread + nu / (1 - nu) * (a @ b + spread)
    bounded: Any = Bounded(va, ea, profile) @ Bounded(vb, eb, profile)
    assert np.all(exact <= high_precision.array(bounded.error))


@pytest.mark.parametrize(
    ("left", "right"), [((1, 4), (4, 5)), ((3, 2, 4), (3, 4, 5)), ((2, 4), (4, 1)), ((4,), (4, 3))]
)
def test_a_large_product_made_in_columns_is_the_same(left: Any, right: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(0)
    a, b = (Bounded(rng.normal(size=n), rng.random(n) * 1e-9, profile_of("float32")) for n in (left, right))
    whole = a @ b
    monkeypatch.setattr("refimpl.arithmetic.operations.LARGE", 9)
    parts = a @ b
    assert np.array_equal(parts.value, whole.value)
    np.testing.assert_allclose(parts.error, whole.error, rtol=1e-14)  # which BLAS may add in another order


@pytest.mark.parametrize("large", [1e300, 2.0**1000, 1e100])
def test_the_bound_of_a_product_counts_errors_that_are_0_in_float64(large: float, high_precision: Any) -> None:
    """There, 1e-324 is 0, and 0 times a number of 1e300 no bound for what is left of the product."""
    profile = profile_of("float64")
    values, smallest = np.full((3, 4), large), np.full((4, 2), np.longdouble("1e-324"))
    known, unknown = Bounded.tensor(values, profile), Bounded(np.zeros((4, 2)), smallest, profile)
    exact = 4 * high_precision.number(large) * high_precision.number("1e-324")
    for bounded in (known @ unknown, unknown.T @ known.T):
        assert np.all(high_precision.array(bounded.error) >= exact)
