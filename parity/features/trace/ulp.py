"""Distances in units in the last place: how many numbers of a format lie from one to the other.

A format with ``t`` digits and smallest exponent ``emin`` has, in order from 0, the subnormal numbers and then
2^(t−1) numbers for each exponent ``e ≥ emin``. So x = m·2^(e−t+1), with the whole number m, has the place::

    place(x) = m + (e − emin)·2^(t−1)        e = emin for subnormal numbers and 0;  place(−x) = −place(x)

and neighbours differ by exactly 1, at powers of two and at 0 as well.
"""

from __future__ import annotations

import math
from typing import Any

from refimpl.arithmetic.formats import Format


def ulps(value: float, reference: Any, format: Format) -> int | None:
    """From ``reference``, rounded to the format, to ``value``; None where one of them is no finite number of it."""
    rounded = float(format.round(reference))
    if not (math.isfinite(value) and math.isfinite(rounded)):
        return None
    return place(value, format) - place(rounded, format)


def place(x: float, format: Format) -> int:
    """The place of a number of the format, counted from 0."""
    exponent = max(math.frexp(x)[1] - 1, format.emin) if x else format.emin  # e
    whole = int(math.ldexp(abs(x), format.digits - 1 - exponent))  # |x| / 2^(e − t + 1)
    position = whole + (exponent - format.emin) * (1 << (format.digits - 1))
    return -position if x < 0 else position
