"""Numbers of twice the precision, each the unevaluated sum of two float64: ``x = high + low``, ``|low| ≤ u·|high|``.

The error of a float64 sum or product is itself a float64, and a few operations give it (``∘`` is rounded)::

    s = a ⊕ b,  z = s ⊖ a:    a + b = s + e,  e = (a ⊖ (s ⊖ z)) ⊕ (b ⊖ z)                          Knuth's TwoSum
    p = a ⊗ b:                a · b = p + e,  e = a₂⊗b₂ ⊖ (((p ⊖ a₁⊗b₁) ⊖ a₂⊗b₁) ⊖ a₁⊗b₂)           Dekker's product

where ``a = a₁ + a₂`` splits a into two halves of 26 bits, whose products are exact. Carrying e along gives about 32
digits in every operation, on every machine (``longdouble`` has 19 digits on some and 16 on others), at some twenty
float64 operations each. Numbers above 2⁹⁹⁶ overflow in the split, products below 2⁻⁹⁶⁹ lose low bits.

Source: Dekker 1971, *A floating-point technique for extending the available precision*; Ogita, Rump & Oishi 2005,
*Accurate sum and dot product*; Hida, Li & Bailey 2001, *Algorithms for quad-double precision arithmetic*.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np

from refimpl.types import Array

SPLITTER = 2.0**27 + 1


@dataclass(frozen=True, eq=False)  # eq=False: arrays have no single truth value
class DoubleDouble:
    """An array ``high + low``: two float64 arrays of one shape, which broadcast as arrays do."""

    high: Array
    low: Array

    @classmethod
    def of(cls, values: Array) -> DoubleDouble:
        """float64 numbers, taken exactly; :class:`~fractions.Fraction` in an object array, rounded to 106 bits."""
        if values.dtype != object:
            return cls(values, np.zeros_like(values))
        high = values.astype(np.float64)
        return cls(high, (values - np.vectorize(Fraction, otypes=[object])(high)).astype(np.float64))

    def __getitem__(self, where: Any) -> DoubleDouble:
        return DoubleDouble(self.high[where], self.low[where])

    def __neg__(self) -> DoubleDouble:
        return DoubleDouble(-self.high, -self.low)

    def __add__(self, other: DoubleDouble) -> DoubleDouble:
        s, e = _two_sum(self.high, other.high)
        t, f = _two_sum(self.low, other.low)
        s, e = _fast_two_sum(s, e + t)
        return DoubleDouble(*_fast_two_sum(s, e + f))

    def __sub__(self, other: DoubleDouble) -> DoubleDouble:
        return self + -other

    def __mul__(self, other: DoubleDouble) -> DoubleDouble:
        p, e = _two_product(self.high, other.high)
        return DoubleDouble(*_fast_two_sum(p, e + (self.high * other.low + self.low * other.high)))

    def times_power_of_two(self, factor: Array) -> DoubleDouble:
        """Exact but for under- and overflow."""
        return DoubleDouble(self.high * factor, self.low * factor)

    def sum(self) -> DoubleDouble:
        """Over the first axis: with zeros up to a power of two, one half added to the other until one row is left."""
        count, *shape = self.high.shape
        half = 1 << max(count - 1, 0).bit_length()
        rows = self.joined(DoubleDouble.of(np.zeros((half - count, *shape))))
        while half > 1:
            half //= 2
            rows = rows[:half] + rows[half:]
        return rows[0]

    def joined(self, *others: DoubleDouble, axis: int = 0) -> DoubleDouble:
        """The arrays one after the other along ``axis``."""
        every = (self, *others)
        high, low = (np.concatenate([getattr(part, name) for part in every], axis=axis) for name in ("high", "low"))
        return DoubleDouble(high, low)

    def dot(self, other: DoubleDouble) -> DoubleDouble:
        """Mᵀv ``(q,)``, M ``(n, q)`` being ``self`` and v ``(n,)`` ``other``."""
        return (self * other[:, None]).sum()

    @property
    def T(self) -> DoubleDouble:
        return DoubleDouble(self.high.T, self.low.T)


def _two_sum(a: Array, b: Array) -> tuple[Array, Array]:
    """a + b = s + e exactly."""
    s = a + b
    z = s - a
    return s, (a - (s - z)) + (b - z)


def _fast_two_sum(a: Array, b: Array) -> tuple[Array, Array]:
    """The sum and its exact rounding error by three operations, which needs |a| ≥ |b|."""
    s = a + b
    return s, b - (s - a)


def _two_product(a: Array, b: Array) -> tuple[Array, Array]:
    """a · b = p + e exactly."""
    p = a * b
    (a1, a2), (b1, b2) = _split(a), _split(b)
    return p, a2 * b2 - (((p - a1 * b1) - a2 * b1) - a1 * b2)


def _split(a: Array) -> tuple[Array, Array]:
    """a = a₁ + a₂ with 26 bits in either."""
    c = SPLITTER * a
    a1 = c - (c - a)
    return a1, a - a1
