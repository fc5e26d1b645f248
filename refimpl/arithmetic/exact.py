"""Exact rational arithmetic that also knows whether a float format could have made a rounding error.

A number is a :class:`fractions.Fraction` together with the sum it came from: written out as a sum of products, all its
terms are multiples of ``2⁻ᵍ`` and their absolute values add up to ``bulk``::

    x ± y : g = max(gₓ, g_y)    bulk = bulkₓ + bulk_y
    x · y : g = gₓ + g_y        bulk = bulkₓ · bulk_y
    x / 2ᵏ: g = gₓ + k          bulk = bulkₓ / 2ᵏ         (another divisor has no such grid: g = ∞)

Every partial sum of such terms is a multiple of ``2⁻ᵍ`` no larger than ``bulk``. So where ``bulk ≤ 2^(t − g)``, a
format with t significant bits holds each of them exactly: every order of summation, every factoring-out and every fused
multiply-add gives the same, exact result, and the tolerance is zero.

Python would turn ``0.01 * Fraction(1, 3)`` into a float; here a float operand raises ``TypeError``.
"""

from __future__ import annotations

import math
from fractions import Fraction
from numbers import Integral
from typing import Any

import numpy as np

from refimpl.arithmetic.formats import Format
from refimpl.types import Array

ANY_GRID = -(10**9)  # zero is a multiple of everything


class Exact:
    """``value``, with the ``bulk`` Σ|terms| and the ``grid`` exponent g of the sum that made it.

    ``finest``: the largest g on the way here, because a product with a large number hides an underflow before it.
    """

    __slots__ = ("bulk", "finest", "grid", "value")

    def __init__(self, value: Fraction, bulk: Fraction | float, grid: float, *made_of: Exact) -> None:
        self.value, self.bulk, self.grid = value, bulk, grid
        self.finest: float = max((grid, *(part.finest for part in made_of)))

    @classmethod
    def of(cls, number: float) -> Exact:
        """A float or an integer, taken exactly; inf and nan fit no format, so nothing is ever concluded from them."""
        if not math.isfinite(number):
            return cls(Fraction(0), math.inf, math.inf)  # bulk ∞, so that 0 times it does not fit either
        value = Fraction(number)
        return cls(value, abs(value), _grid(value))

    def fits(self, format: Format) -> bool:
        """True where no correct implementation in this format can have rounded, or underflowed, on the way here.

        Whether it can have overflowed on the way is not asked here: running-error arithmetic knows.
        """
        return self.finest <= -format.emin and (
            self.bulk == 0
            or (
                self.bulk <= Fraction(2) ** (format.digits - int(self.grid))
                and self.bulk <= Fraction(int(format.largest))
            )
        )

    def __add__(self, other: Any) -> Exact:
        if isinstance(other, np.ndarray):
            return NotImplemented
        y = _operand(other)
        return Exact(self.value + y.value, self.bulk + y.bulk, max(self.grid, y.grid), self, y)

    __radd__ = __add__

    def __neg__(self) -> Exact:
        return Exact(-self.value, self.bulk, self.grid, self)

    def __sub__(self, other: Any) -> Exact:
        if isinstance(other, np.ndarray):
            return NotImplemented
        return self + -_operand(other)

    def __rsub__(self, other: Any) -> Exact:
        return _operand(other) - self

    def __mul__(self, other: Any) -> Exact:
        if isinstance(other, np.ndarray):
            return NotImplemented
        y = _operand(other)
        return Exact(self.value * y.value, self.bulk * y.bulk, self.grid + y.grid, self, y)

    __rmul__ = __mul__

    def __truediv__(self, other: Any) -> Exact:
        if isinstance(other, np.ndarray):
            return NotImplemented
        inverse = 1 / _operand(other).value
        if self.bulk == 0:  # 0/3 is 0 in every format
            return self
        return self * Exact(inverse, abs(inverse), _grid(inverse))

    def __rtruediv__(self, other: Any) -> Exact:
        return _operand(other) / self

    def __pow__(self, k: Any) -> Exact:
        if isinstance(k, np.ndarray):
            return NotImplemented
        if not isinstance(k, Integral) or k < 0:
            raise TypeError(f"{self!r} ** {k!r}: only integer exponents ≥ 0 are exact")
        return Exact(self.value ** int(k), self.bulk ** int(k), self.grid * int(k), self)

    def __abs__(self) -> Exact:
        return Exact(abs(self.value), self.bulk, self.grid, self)

    def conjugate(self) -> Exact:
        """Itself; NumPy's ``vecdot`` asks for it."""
        return self

    def __eq__(self, other: object) -> bool:
        return self.value == _operand(other).value

    def __lt__(self, other: Any) -> bool:
        return self.value < _operand(other).value

    def __le__(self, other: Any) -> bool:
        return self.value <= _operand(other).value

    def __gt__(self, other: Any) -> bool:
        return self.value > _operand(other).value

    def __ge__(self, other: Any) -> bool:
        return self.value >= _operand(other).value

    def __hash__(self) -> int:
        return hash(self.value)

    def __float__(self) -> float:
        return float(self.value)

    def __repr__(self) -> str:
        return f"Exact({self.value})"


def _grid(value: Fraction) -> float:
    """The smallest g for which ``value`` is an integer times 2⁻ᵍ; ∞ where there is none."""
    if value == 0:
        return ANY_GRID
    if value.denominator > 1:
        power_of_two = value.denominator & (value.denominator - 1) == 0
        return value.denominator.bit_length() - 1 if power_of_two else math.inf
    trailing_zeros = (value.numerator & -value.numerator).bit_length() - 1
    return -trailing_zeros


def _operand(x: Any) -> Exact:
    if isinstance(x, Exact):
        return x
    if isinstance(x, Integral | Fraction):
        value = Fraction(int(x)) if isinstance(x, Integral) else x
        return Exact(value, abs(value), _grid(value))
    raise TypeError(f"{x!r} meets exact arithmetic: lift it first, as a float it has lost its exactness")


def exact(x: Any) -> Any:
    """A float, or every element of an array, as :class:`Exact`."""
    if not isinstance(x, np.ndarray):
        return Exact.of(x)
    objects = np.empty(x.shape, object)
    objects[...] = np.frompyfunc(Exact.of, 1, 1)(x)
    return objects


def fits(x: Array, format: Format) -> Array:
    """:meth:`Exact.fits` of each element."""
    fitting: Array = np.frompyfunc(lambda number: _operand(number).fits(format), 1, 1)(x).astype(bool)
    return fitting
