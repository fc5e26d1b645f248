"""The binary floating-point formats that a framework stores and computes in.

A format with ``t`` significant bits rounds to nearest with relative error at most ``u = 2⁻ᵗ``; results below the
normal range have absolute error at most half the smallest subnormal, ``2^(emin − t)``.
Source: IEEE 754-2019, table 3.5; bfloat16 is float32 with 16 bits fewer; TF32 keeps 10 stored bits of float32.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from refimpl.types import Array

BLOCK = 2**15
"""How many numbers are rounded at a time."""


@dataclass(frozen=True)
class Format:
    """``digits`` t: bits of the significand, the hidden one included; ``emin``: exponent of the smallest normal."""

    name: str
    digits: int
    emin: int

    @cached_property
    def u(self) -> float:
        """Unit roundoff 2⁻ᵗ: half the distance from 1 to the next number."""
        return 2.0**-self.digits

    @cached_property
    def largest(self) -> Any:
        """The largest finite number, (2 − 2u)·2^emax with emax = 1 − emin."""
        return np.ldexp(np.longdouble(2 - 2 * np.longdouble(self.u)), 1 - self.emin)

    @cached_property
    def tiny(self) -> Any:
        """Half the smallest subnormal: the largest error of a rounding below the normal range."""
        half = np.ldexp(np.longdouble(1), self.emin - self.digits)
        return half if half > 0 else np.finfo(np.longdouble).smallest_subnormal

    @cached_property
    def smallest_normal(self) -> Any:
        """2^emin."""
        return np.ldexp(np.longdouble(1), self.emin)

    def half_ulp(self, x: Array) -> Any:
        """Half the distance between neighbouring numbers at ``|x|``: the largest error of rounding x to nearest.

        For 2ᵉ ≤ |x| < 2ᵉ⁺¹ the spacing is 2^(e − t + 1), so half of it is 2^(e − t); at 0 it is that of the subnormals.
        """
        _, exponent = np.frexp(np.abs(x))  # |x| = m·2^exponent with ½ ≤ m < 1, so e = exponent − 1; 0 = 0·2⁰
        half = np.ldexp(np.longdouble(1), exponent - 1 - self.digits)
        return np.where(x == 0, self.tiny, np.maximum(half, self.tiny))

    def round(self, x: Array) -> Any:
        """x rounded to the nearest number of this format, ties to even, in ``longdouble``; ±∞ beyond the largest."""
        x = np.asarray(x)
        if x.dtype == np.float64 and self.digits >= 53 and self.emin <= -1022:  # it is a number of this format
            return x.astype(np.longdouble)
        if x.size <= BLOCK:
            return self._round(x.astype(np.longdouble))
        rounded, flat = np.empty(x.size, np.longdouble), x.reshape(-1)
        for start in range(0, x.size, BLOCK):  # in blocks whose temporaries stay in the cache
            rounded[start : start + BLOCK] = self._round(flat[start : start + BLOCK].astype(np.longdouble))
        return rounded.reshape(x.shape)

    def _round(self, x: Array) -> Any:
        spacing = 2 * self.half_ulp(x)
        rounded = np.rint(x / spacing) * spacing
        return np.where(np.abs(rounded) > self.largest, np.copysign(np.inf, x), rounded)


FORMATS = {
    "float64": Format("float64", 53, -1022),
    "float32": Format("float32", 24, -126),
    "bfloat16": Format("bfloat16", 8, -126),
    "float16": Format("float16", 11, -14),
    "tf32": Format("tf32", 11, -126),
}
