"""Exact numbers are the rationals, and know when a float format could have rounded on the way."""

from __future__ import annotations

import operator
from collections.abc import Callable
from fractions import Fraction
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from refimpl.arithmetic.exact import Exact, exact, fits
from refimpl.arithmetic.formats import FORMATS, Format

Array = npt.NDArray[Any]
NUMBERS = st.one_of(
    st.floats(-1e6, 1e6, allow_subnormal=False), st.integers(-9, 9), st.sampled_from([0.1, 0.5, 2.0**-30])
)
BINARY: list[Callable[[Any, Any], Any]] = [operator.add, operator.sub, operator.mul, operator.truediv]
COMPARISONS: list[Callable[[Any, Any], Any]] = [
    operator.lt,
    operator.le,
    operator.gt,
    operator.ge,
    operator.eq,
    operator.ne,
]
FLOAT32, FLOAT64 = FORMATS["float32"], FORMATS["float64"]


# -- the rationals ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("operation", BINARY)
@given(x=NUMBERS, y=NUMBERS)
def test_arithmetic_is_that_of_the_rationals(operation: Callable[[Any, Any], Any], x: float, y: float) -> None:
    if operation is operator.truediv and y == 0:
        with pytest.raises(ZeroDivisionError):
            operation(Exact.of(x), Exact.of(y))
        return
    expected = operation(Fraction(x), Fraction(y))
    assert operation(Exact.of(x), Exact.of(y)).value == expected
    if isinstance(y, int):
        assert operation(Exact.of(x), y).value == expected  # an integer is exact in every arithmetic
    if isinstance(x, int):
        assert operation(x, Exact.of(y)).value == expected
    arrays = operation(exact(np.array([x, x])), exact(np.array([[y], [y]])))
    assert arrays.shape == (2, 2) and all(number.value == expected for number in arrays.ravel())


@given(x=NUMBERS, k=st.integers(0, 5))
def test_powers_absolute_value_and_negative_are_those_of_the_rationals(x: float, k: int) -> None:
    assert (Exact.of(x) ** k).value == Fraction(x) ** k
    assert all((Exact.of(x) ** np.array([k, 1]))[i].value == Fraction(x) ** power for i, power in enumerate((k, 1)))
    assert abs(Exact.of(x)).value == abs(Fraction(x))
    assert (-Exact.of(x)).value == -Fraction(x)
    assert float(Exact.of(x)) == x


@pytest.mark.parametrize("comparison", COMPARISONS)
@given(x=NUMBERS, y=NUMBERS)
def test_comparisons_are_those_of_the_rationals(comparison: Callable[[Any, Any], Any], x: float, y: float) -> None:
    assert comparison(Exact.of(x), Exact.of(y)) == comparison(Fraction(x), Fraction(y))
    assert comparison(Exact.of(x), Exact.of(x)) == comparison(0, 0)
    assert comparison(Exact.of(x), 0) == comparison(Fraction(x), 0)


@given(x=NUMBERS, y=NUMBERS)
def test_equal_numbers_have_equal_hashes_however_they_were_made(x: float, y: float) -> None:
    first, second = Exact.of(x) + Exact.of(y) - Exact.of(y), Exact.of(x)
    assert first == second and hash(first) == hash(second) == hash(Fraction(x))
    assert len({first, second}) == 1


@given(x=st.lists(NUMBERS, min_size=6, max_size=6))
def test_sums_and_products_of_arrays_are_those_of_the_rationals(x: list[float]) -> None:
    a, b = exact(np.array(x)[:3]), exact(np.array(x)[3:])
    expected = sum(Fraction(p) * Fraction(q) for p, q in zip(x[:3], x[3:], strict=True))
    assert np.vecdot(a, b).value == (a[None] @ b[:, None])[0, 0].value == (a * b).sum().value == expected
    assert np.max(np.abs(a)).value == max(abs(Fraction(number)) for number in x[:3])
    assert np.sign(a).tolist() == np.sign(np.array(x)[:3]).tolist()


# -- floats stay out --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("other", [0.5, np.float64(0.5), np.float32(0.5), 1j, "1", None], ids=repr)
@pytest.mark.parametrize("operation", BINARY + COMPARISONS)
def test_a_number_that_was_not_lifted_is_refused(operation: Callable[[Any, Any], Any], other: Any) -> None:
    with pytest.raises(TypeError):
        operation(Exact.of(1.0), other)
    with pytest.raises(TypeError):
        operation(other, Exact.of(1.0))


@pytest.mark.parametrize("operation", BINARY)
def test_an_array_of_floats_is_refused(operation: Callable[[Any, Any], Any]) -> None:
    for x, y in ((exact(np.ones(2)), np.ones(2)), (Exact.of(1.0), np.ones(2))):
        with pytest.raises(TypeError, match="meets exact arithmetic: lift it first"):
            operation(x, y)
        with pytest.raises(TypeError, match="meets exact arithmetic: lift it first"):
            operation(y, x)


@pytest.mark.parametrize("k", [0.5, 2.0, -1, Fraction(1, 2), "2"])
def test_an_exponent_that_is_no_integer_from_0_is_refused(k: Any) -> None:
    with pytest.raises(TypeError):
        Exact.of(4.0) ** k


@pytest.mark.parametrize("function", [np.sqrt, np.exp, np.log, np.sin])
def test_roots_and_exponentials_are_refused(function: Any) -> None:
    with pytest.raises(TypeError):
        function(exact(np.array([4.0])))


# -- whether a format fits --------------------------------------------------------------------------------------------


def rounded(x: Fraction, format: Format) -> Fraction:
    """To the nearest number of a format, ties to even, with subnormals; the definition, in rationals."""
    if x == 0:
        return x
    exponent = max(_exponent(abs(x)), format.emin)
    spacing = Fraction(2) ** (exponent - format.digits + 1)
    return round(x / spacing) * spacing


def _exponent(x: Fraction) -> int:
    """e with 2ᵉ ≤ x < 2ᵉ⁺¹."""
    e = x.numerator.bit_length() - x.denominator.bit_length()
    return e if Fraction(2) ** e <= x else e - 1


class Rounded:
    """A number of a small format, in which every operation rounds."""

    def __init__(self, value: Fraction, format: Format) -> None:
        self.value, self.format = rounded(value, format), format

    def __add__(self, other: Rounded) -> Rounded:
        return Rounded(self.value + other.value, self.format)

    def __sub__(self, other: Rounded) -> Rounded:
        return Rounded(self.value - other.value, self.format)

    def __mul__(self, other: Rounded) -> Rounded:
        return Rounded(self.value * other.value, self.format)


SMALL = Format("small", 6, -14)


def random_sum(rng: np.random.Generator, digits: int) -> tuple[Array, Array]:
    """Integers on a random grid, as factors of a sum of products."""
    n = rng.integers(1, 6)
    scale = 2.0 ** rng.integers(-4, 4, 2)
    low, high = (2 ** rng.integers(digits // 3, digits // 2 + 2, 2)).tolist()
    return rng.integers(-low, low + 1, n) * scale[0], rng.integers(-high, high + 1, n) * scale[1]


@pytest.mark.parametrize("format", [SMALL, FORMATS["bfloat16"], FORMATS["float16"]], ids=lambda format: format.name)
def test_a_sum_of_products_that_fits_is_exact_in_every_order_fused_or_not(format: Format) -> None:
    rng = np.random.default_rng(0)
    fitting = rounding = 0
    for _ in range(800):
        a, b = random_sum(rng, format.digits)
        truth = np.vecdot(exact(a), exact(b))
        fit = truth.fits(format)
        fitting += fit
        for _ in range(3):
            order = rng.permutation(len(a))
            products = [Rounded(Fraction(a[i]), format) * Rounded(Fraction(b[i]), format) for i in order]
            total = products[0]
            for product in products[1:]:
                total = total + product if rng.random() < 0.5 else product + total
            fused = Rounded(Fraction(0), format)
            for i in order:  # one rounding of a·b + c
                fused = Rounded(Fraction(a[i]) * Fraction(b[i]) + fused.value, format)
            if fit:
                assert total.value == fused.value == truth.value
            else:
                rounding += total.value != truth.value
    assert fitting > 200 and rounding > 50  # the test meets both sides


def test_a_sum_of_products_that_fits_float32_is_what_numpy_makes_of_it() -> None:
    rng = np.random.default_rng(0)
    fitting = rounding = 0
    for _ in range(1_000):
        a, b = random_sum(rng, 26)
        a32, b32 = a.astype(np.float32), b.astype(np.float32)
        truth = np.vecdot(exact(a), exact(b))
        order = rng.permutation(len(a))
        computed = [
            (a32[order] * b32[order]).sum(),
            np.cumsum(a32[order] * b32[order])[-1],
            np.dot(a32[order], b32[order]),
        ]
        assert all(number.dtype == np.float32 for number in computed)
        if truth.fits(FLOAT32):
            fitting += 1
            assert all(Fraction(float(number)) == truth.value for number in computed)
        else:
            rounding += any(Fraction(float(number)) != truth.value for number in computed)
    assert fitting > 200 and rounding > 50


@given(seed=st.integers(0, 2**32))
def test_any_expression_that_fits_is_exact(seed: int) -> None:
    """Factored-out forms too: a tree of sums, differences and products, in a format of 6 digits."""
    rng = np.random.default_rng(seed)

    def tree(depth: int) -> tuple[Exact, Rounded]:
        if depth == 0 or rng.random() < 0.2:
            number = float(rng.integers(-3, 4)) * 2.0 ** rng.integers(-1, 2)
            return Exact.of(number), Rounded(Fraction(number), SMALL)
        (x, rounded_x), (y, rounded_y) = tree(depth - 1), tree(depth - 1)
        operation = BINARY[rng.integers(0, 3)]
        return operation(x, y), operation(rounded_x, rounded_y)

    for _ in range(5):
        truth, computed = tree(3)
        if truth.fits(SMALL):
            assert computed.value == truth.value


@pytest.mark.parametrize(
    ("number", "fit"),
    [
        (Exact.of(2.0**24 - 1), True),
        (Exact.of(2.0**24 + 1), False),
        (Exact.of(2.0**24) + 1, False),
        (Exact.of(2.0**23) + 1, True),
        (Exact.of(2.0**22) + 1 - Exact.of(2.0**22), True),
        (Exact.of(2.0**24) + 1 - Exact.of(2.0**24), False),  # the value is 1, but the way there rounds
        (Exact.of(2.0**-126), True),
        (Exact.of(2.0**-127), False),  # where subnormals are flushed it is lost
        (Exact.of(2.0**127), True),
        (Exact.of(2.0**128), False),
        (Exact.of(0.1), False),
        (Exact.of(float(np.float32(0.1))), True),
        (Exact.of(1.0) / 4, True),
        (Exact.of(1.0) / 3, False),
        (Exact.of(3.0) / 3, False),  # through 1/3
        (Exact.of(0.0), True),
        (Exact.of(1.0) - 1, True),
        (Exact.of(2.0**-100) * Exact.of(2.0**-100) * Exact.of(2.0**150), False),  # underflows on the way
        (Exact.of(2.0**-60) * Exact.of(2.0**-60) * Exact.of(2.0**100), True),
        (Exact.of(4097.0) ** 2, False),
        (Exact.of(4095.0) ** 2, True),
        (Exact.of(2.0) ** 3 / 8, True),
    ],
    ids=repr,
)
def test_what_fits_float32(number: Exact, fit: bool) -> None:
    assert number.fits(FLOAT32) is fit
    assert fits(np.array([number, number], object), FLOAT32).tolist() == [fit, fit]


@given(x=st.floats(allow_nan=False, allow_infinity=False, width=32))
def test_every_normal_float32_fits_itself_and_every_wider_format(x: float) -> None:
    if x == 0 or abs(x) >= 2.0**-102:  # 2⁻¹²⁶ is then a unit of its last place or less
        assert Exact.of(x).fits(FLOAT32)
    assert Exact.of(x).fits(FLOAT64)


@pytest.mark.parametrize("number", [np.inf, -np.inf, np.nan])
def test_nothing_is_concluded_from_inf_or_nan(number: float) -> None:
    lost, one, zero = Exact.of(number), Exact.of(1.0), Exact.of(0.0)
    results = (
        lost,
        lost + one,
        one - lost,
        lost * one,
        one * lost,
        lost * zero,
        zero * lost,
        lost - lost,
        abs(lost),
        -lost,
    )
    for result in (*results, lost**2, lost / 2):
        assert not result.fits(FLOAT64)


def test_a_third_fits_no_format_but_zero_thirds_fit_all() -> None:
    assert not (Exact.of(1.0) / 3).fits(FLOAT64)
    assert (Exact.of(0.0) / 3).fits(FLOAT32) and (Exact.of(0.0) / 3).value == 0


def test_exact_takes_a_number_and_an_array_of_any_shape() -> None:
    assert isinstance(exact(0.1), Exact) and exact(0.1).value == Fraction(0.1)
    for shape in ((), (1,), (2, 0), (2, 1, 3)):
        assert exact(np.ones(shape)).shape == shape and exact(np.ones(shape)).dtype == object
    assert all(number.value == 3 for number in exact(np.full(2, 3)))
    assert all(number.value == Fraction(0.5) for number in exact(np.full(2, 0.5, np.float32)))
