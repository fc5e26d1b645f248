"""Numbers of twice the precision against exact rationals."""

from fractions import Fraction

import numpy as np
import pytest

from refimpl.arithmetic.double_double import DoubleDouble

RNG = np.random.default_rng(4)


def drawn(*shape):
    """Of all sizes from 10⁻⁸ to 10⁸, with digits below float64."""
    high = RNG.standard_normal(shape) * 10.0 ** RNG.integers(-8, 9, shape)
    return DoubleDouble(high, high * 2.0**-53 * RNG.uniform(-1, 1, shape))


def rational(x):
    return np.vectorize(lambda high, low: Fraction(high) + Fraction(low), otypes=[object])(x.high, x.low)


def largest(values):
    return float(np.max(np.abs(values)))


A, B = drawn(200), drawn(200)


@pytest.mark.parametrize(
    ("found", "exact", "size"),
    [
        (A + B, rational(A) + rational(B), rational(A) + rational(B)),
        (A - B, rational(A) - rational(B), rational(A) - rational(B)),
        (A * B, rational(A) * rational(B), rational(A) * rational(B)),
        (A.sum(), np.sum(rational(A)), np.sum(np.abs(rational(A)))),
    ],
    ids=["sum", "difference", "product", "sum of all"],
)
def test_operations_have_104_bits(found, exact, size):
    assert largest((rational(found) - exact) / size) <= 2.0**-102


def test_what_cancels_in_float64_is_kept():
    one, tiny = DoubleDouble.of(np.ones(1)), DoubleDouble.of(np.full(1, 2.0**-90))
    assert ((one + tiny) - one).high[0] == 2.0**-90
    third = DoubleDouble.of(np.array([1 / 3]))
    assert (third * third).low[0] == float(Fraction(1 / 3) ** 2 - Fraction((1 / 3) ** 2))


@pytest.mark.parametrize("rows", [0, 1, 2, 3, 7, 8, 31])
def test_products_with_a_vector_are_exact_to_the_bits_of_their_terms(rows):
    M, v = drawn(rows, 3), drawn(rows)
    terms = rational(M) * rational(v)[:, None] if rows else np.zeros((0, 3), object)
    assert M.dot(v).high.shape == (3,)
    for found, column in zip(rational(M.dot(v)), terms.T, strict=True):
        assert abs(found - sum(column)) <= 2.0**-100 * sum(map(abs, column))


def test_rationals_are_rounded_to_106_bits():
    values = np.array([Fraction(1, 3), Fraction(-1, 10), Fraction(7), Fraction(10**30 + 1)], dtype=object)
    assert largest((rational(DoubleDouble.of(values)) - values) / values) <= 2.0**-106
