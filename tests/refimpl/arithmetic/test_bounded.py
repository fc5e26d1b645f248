"""The bound holds: whatever real arithmetic computes, in any order, is within the error of the exact value.

Real arithmetic is NumPy's float16, float32 and float64 and torch's bfloat16, each operation rounded. Exact is ``mpf``
with 50 digits from the same inputs.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from refimpl.arithmetic.bounded import Bounded, Profile
from refimpl.arithmetic.formats import FORMATS
from tests.refimpl.arithmetic.roundings import NAMES, Array, Real, assert_within, numbers, profile_of, uncertain

N = 6


# -- random expressions -----------------------------------------------------------------------------------------------

UNARY = ["negative", "absolute", "square", "sign", "root of absolute", "cube"]
BINARY = ["add", "subtract", "multiply", "divide", "maximum", "minimum", "where greater", "where equal"]


class Triple:
    """One array in three arithmetics, the operations applied to all of them; ``lost`` where a result is undefined."""

    def __init__(self, real: Any, exact: Array, bounded: Bounded, lost: Array, dtype: Real) -> None:
        self.real, self.exact, self.bounded, self.lost, self.dtype = real, exact, bounded, lost, dtype

    @classmethod
    def of(cls, x: Array, dtype: Real, profile: Profile, high_precision: Any) -> Triple:
        real = dtype.array(x)
        assert np.array_equal(dtype.float64(real), x)
        return cls(real, high_precision.array(x), Bounded.tensor(x, profile), np.zeros(x.shape, bool), dtype)

    def map(self, *operations: str) -> Triple:
        found = self
        for operation in operations:
            exact = getattr(np, operation)(found.exact) + 0 * found.exact  # the sign of an mpf is an int
            bounded = getattr(np, operation)(found.bounded)
            found = Triple(self.dtype.apply(operation, found.real), exact, bounded, found.lost, self.dtype)
        return found

    def combine(self, operation: str, other: Triple) -> Triple:
        lost = self.lost | other.lost
        left, right = self.exact, other.exact
        if operation == "divide":
            undefined = right == 0
            right = np.where(undefined, right + 1, right)
            bounded = self.bounded / other.bounded
            assert np.all(np.isinf(bounded.error[undefined & ~lost]))
            lost = lost | undefined
        elif operation.startswith("where"):
            comparison = operation.split()[1]
            exact = np.where(getattr(np, comparison)(left, right), left, right)
            chosen = self.dtype.apply(
                "where",
                self.dtype.apply(
                    "greater" if comparison == "greater" else "eq" if self.dtype.torch else "equal",
                    self.real,
                    other.real,
                ),
                self.real,
                other.real,
            )
            bounded = np.where(getattr(np, comparison)(self.bounded, other.bounded), self.bounded, other.bounded)
            return Triple(chosen, exact, bounded, lost, self.dtype)
        else:
            bounded = getattr(np, operation)(self.bounded, other.bounded)
        exact = getattr(np, operation)(left, right)
        return Triple(self.dtype.apply(operation, self.real, other.real), exact, bounded, lost, self.dtype)

    def check(self, high_precision: Any) -> None:
        here = ~self.lost
        bounded = Bounded(self.bounded.value[here], self.bounded.error[here], self.bounded.profile)
        assert_within(self.dtype.float64(self.real)[here], self.exact[here], bounded, high_precision)


@pytest.mark.parametrize("name", NAMES)
@given(seed=st.integers(0, 2**32), operations=st.lists(st.sampled_from(UNARY + BINARY), min_size=1, max_size=8))
@settings(max_examples=75)
def test_the_bound_holds_for_any_expression(name: str, high_precision: Any, seed: int, operations: list[str]) -> None:
    rng, dtype, profile = np.random.default_rng(seed), Real(name), profile_of(name)
    known = [Triple.of(numbers(rng, name, N), dtype, profile, high_precision) for _ in range(3)]
    with np.errstate(all="ignore"):
        for operation in operations:
            x, y = (known[i] for i in rng.integers(0, len(known), 2))
            if operation == "root of absolute":
                found = x.map("absolute", "sqrt")
            elif operation == "cube":
                cubed = dtype.apply("multiply", dtype.apply("multiply", x.real, x.real), x.real)
                found = Triple(cubed, x.exact**3, x.bounded**3, x.lost, dtype)
            elif operation in UNARY:
                found = x.map(operation)
            else:
                found = x.combine(operation, y)
            found.check(high_precision)
            known.append(found)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("operation", ["add", "subtract", "multiply", "divide", "sqrt", "square"])
def test_the_bound_of_one_operation_is_reached_within_a_factor_of_two(
    name: str, operation: str, high_precision: Any
) -> None:
    """It holds for every one of 4,000 random operands and for some the error is more than half of it."""
    rng, dtype, profile = np.random.default_rng(0), Real(name), profile_of(name)
    unary = operation in ("sqrt", "square")
    operands = [np.abs(numbers(rng, name, 4_000, exponents=(-3, 3))) for _ in range(1 if unary else 2)]
    operands = [np.where(x == 0, 1, x) for x in operands]
    real = dtype.float64(dtype.apply(operation, *(dtype.array(x) for x in operands)))
    exact = getattr(np, operation)(*(high_precision.array(x) for x in operands))
    bounded = getattr(np, operation)(*(Bounded.tensor(x, profile) for x in operands))
    assert_within(real, exact, bounded, high_precision)
    error, allowed = np.abs(high_precision.array(real) - exact), high_precision.array(bounded.error)
    assert np.any(error > 0.5 * allowed)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("k", [0, 1, 2, 3, 7])
def test_the_bound_of_an_integer_power_holds_for_repeated_multiplication(
    name: str, k: int, high_precision: Any
) -> None:
    rng, dtype, profile = np.random.default_rng(k), Real(name), profile_of(name)
    x = numbers(rng, name, 500, exponents=(-2, 2))
    real = dtype.array(np.ones(500))
    with np.errstate(over="ignore"):
        for _ in range(k):
            real = dtype.apply("multiply", real, dtype.array(x))
    for exponent in (k, np.full(500, k)):
        bounded = Bounded.tensor(x, profile) ** exponent
        assert_within(dtype.float64(real), high_precision.array(x) ** k, bounded, high_precision)
    if k < 2:
        assert np.all(bounded.error == 0)


def test_an_array_of_exponents_is_each_exponent_by_itself() -> None:
    profile = profile_of("float32")
    base = Bounded.hyper(0.9, profile)
    together = base ** np.arange(5)
    for k in range(5):
        single = base**k
        assert (together.value[k], together.error[k]) == (single.value, single.error)
    assert together.scalar


@pytest.mark.parametrize("error", [2.0**-70, 2.0**-64, 1e-30])
def test_a_power_keeps_an_error_too_small_for_the_carrier_to_add(error: float) -> None:
    x = Bounded(np.ones(1), error, profile_of("float64"))
    assert error <= (x**1).error <= error * (1 + 1e-15)
    assert (x**3).error >= 3 * error


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_a_real_power_of_an_uncertain_number_is_within_the_bound_and_the_bound_is_near(
    dtype: str, high_precision: Any
) -> None:
    profile = profile_of(dtype)
    rng = np.random.default_rng(0)
    x, y, e = rng.uniform(0.1, 3, 300), rng.uniform(-2, 2, 300), 2.0**-20
    found: Any = Bounded(x, e, profile) ** Bounded(y, e, profile)
    X, Y = high_precision.array(x), high_precision.array(y)
    shares = []
    for dx, dy in ((-e, -e), (-e, e), (e, -e), (e, e), (0, 0)):
        truth = np.array([(a + dx) ** (b + dy) for a, b in zip(X, Y, strict=True)])
        shares.append(np.abs(truth - high_precision.array(found.value)) / high_precision.array(found.error))
    assert 0.5 < np.max(shares) <= 1
    rounded: Any = Bounded(x, 0, profile) ** 0.5
    assert np.all(np.abs(np.sqrt(x.astype(np.longdouble)) - rounded.value) <= rounded.error)
    assert np.all(rounded.error <= 3 * profile.u(profile.compute) * rounded.value)
    unbounded: Any = Bounded(np.array([1e-30]), e, profile) ** 0.5
    assert np.isinf(unbounded.error)


@pytest.mark.parametrize("k", [-1, np.array([1, -1]), np.array([0.5])])
def test_an_exponent_that_is_no_integer_from_0_nor_one_real_number_is_refused(k: Any) -> None:
    with pytest.raises(TypeError, match="only integer exponents ≥ 0"):
        Bounded.tensor(np.ones(2), profile_of("float32")) ** k


# -- NumPy's side -----------------------------------------------------------------------------------------------------


def test_shapes_are_those_of_numpy() -> None:
    x = Bounded(np.arange(12.0).reshape(2, 1, 6), np.arange(12.0).reshape(2, 1, 6) / 128, profile_of("float32"))
    for moved in (x[:, 0], x[..., None], x[0], x.T, x.reshape(2, -1), x.swapaxes(1, 2), x[:, :, np.array([1, 0])]):
        assert moved.shape == moved.value.shape == moved.error.shape and moved.size == moved.value.size
        assert moved.ndim == len(moved.shape) and len(moved) == moved.shape[0]
        assert np.all(moved.error == moved.value / 128)
    assert x.sum(axis=2).shape == (2, 1) and (x @ x.swapaxes(1, 2)).shape == (2, 1, 1)


@pytest.mark.parametrize("function", [np.expm1, np.arctan, np.sin, np.floor, np.sum, np.stack])
def test_a_function_without_a_bound_is_refused(function: Any) -> None:
    with pytest.raises(TypeError):
        function(Bounded.tensor(np.ones((2, 2)), profile_of("float32")))


def test_arrays_joined_keep_their_errors() -> None:
    x, y = (Bounded(np.full((2, n), float(n)), n / 8, profile_of("float32")) for n in (1, 3))
    joined: Any = np.concatenate([x, y], axis=1)
    assert joined.value.tolist() == [[1, 3, 3, 3]] * 2
    assert joined.error.tolist() == [[1 / 8, 3 / 8, 3 / 8, 3 / 8]] * 2


def test_the_largest_of_several_has_no_more_error_than_any() -> None:
    x = Bounded(np.array([[1.0, 1.1], [3.0, 0.0]]), np.array([[0.25, 0.5], [0.125, 0.0]]), profile_of("float32"))
    assert x.max(axis=1).value.tolist() == [float(np.longdouble(1.1)), 3.0]
    assert x.max(axis=1).error.tolist() == [0.5, 0.125]


def test_an_operation_never_changes_its_operands() -> None:
    profile = profile_of("float32")
    x, y = Bounded(np.ones(3), 0.125, profile), Bounded.hyper(0.1, profile)
    _ = (x + y, x * y, x / 2, x**2, x > y, np.where(x > 0, x, 0.0), np.sqrt(x), x @ x)
    assert np.all(x.value == 1) and np.all(x.error == 0.125)
    assert y.value == 0.1 and y.error == 0 and y.scalar


# -- exponential and logarithm ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("carrier", [np.longdouble, np.float64])
@pytest.mark.parametrize("name", ["float64", "float32"])
@pytest.mark.parametrize("function", ["exp", "log"])
def test_the_bound_of_an_exponential_or_logarithm_holds_within_its_error_and_is_near(
    function: str, name: str, carrier: Any, high_precision: Any
) -> None:
    rng, profile = np.random.default_rng(0), profile_of(name, carrier=carrier)
    x = FORMATS[name].round(rng.uniform(0.1, 30, 300) * (-1 if function == "exp" else 1)).astype(float)
    true = np.frompyfunc(getattr(high_precision.number.context, function), 1, 1)
    for error in (0.0, 2.0**-20, 0.05):
        found: Any = getattr(np, function)(Bounded(x, error, profile))
        shares = []
        for shift in (-error, 0.0, error, error / 2):
            away = np.abs(true(high_precision.array(x) + shift) - high_precision.array(found.value))
            shares.append(np.max(away / high_precision.array(found.error)))
        assert max(shares) <= 1
        if error:
            assert max(shares) > 0.75
    for computed in (getattr(np, function)(x.astype(name)), getattr(torch, function)(torch.tensor(x.astype(name)))):
        away = np.abs(high_precision.array(np.asarray(computed, float)) - true(high_precision.array(x)))
        used = away / high_precision.array(getattr(np, function)(Bounded(x, 0, profile)).error)
        assert 0.1 < np.max(used) <= 1


def test_a_logarithm_of_what_may_be_zero_and_an_exponential_that_may_overflow_have_no_bound() -> None:
    for x, function in ((uncertain(1.0, 1.0), np.log), (uncertain(-1.0, 0.0), np.log), (uncertain(89.0, 0.0), np.exp)):
        assert np.isinf(function(x).error)  # type: ignore[call-overload]
    lost: Any = np.exp(uncertain(0.0, np.inf))
    assert np.isinf(lost.error)
