"""Regressions whose coefficients are certified to 15 digits: NIST's Statistical Reference Datasets, linear regression.

``norris``, ``filip`` and ``longley`` are measured data, with certified values, in ``nist_data/``. The others are
made, with integers x = 0, 1, …, 20, and follow from their formulas (Wampler 1970)::

    wampler1    y = Σₖ xᵏ                k = 0, …, 5      all coefficients 1
    wampler2    y = Σₖ (x/10)ᵏ                            coefficients 10⁻ᵏ
    wampler3    y = Σₖ xᵏ + δ                             all coefficients 1, since δ is orthogonal to 1, x, …, x⁵
    wampler4    y = Σₖ xᵏ + 100·δ                         the same
    wampler5    y = Σₖ xᵏ + 10000·δ                       the same

The model of ``filip`` has the powers of x up to x¹⁰, those of ``wampler`` up to x⁵. Decimals and powers are held as
rational numbers, which is what the certified values belong to. Rounding them to float64 moves the answer: that of
``filip`` in the eighth digit, if x¹⁰ is rounded, however well the equations are solved. So every set is given in two
ways: ``X``, ``y`` are the nearest float64, for a program that takes these; ``matrix``, ``targets`` have twice the
precision.

Source: https://www.itl.nist.gov/div898/strd/lls/lls.shtml
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from importlib.resources import files

import numpy as np

from refimpl.arithmetic.double_double import DoubleDouble
from refimpl.errors import ParameterError
from refimpl.types import Array

MEASURED = ("norris", "longley", "filip")
WAMPLER = {"wampler1": 0, "wampler2": 0, "wampler3": 1, "wampler4": 100, "wampler5": 10_000}
"""How many times δ is added."""
DELTA = (759, -2048, 2048, -2048, 2523, -2048, 2048, -2048, 1838, -2048, 2048)
"""δ for x = 0, …, 10; it is symmetric about 10."""
NAMES = (*MEASURED, *WAMPLER)
CERTIFIED_DIGITS = 15


@dataclass(frozen=True, kw_only=True)
class Certified:
    """``features``: n rows of p rational numbers, without the intercept; ``response``: n; ``coefficients``: p + 1
    certified values as NIST prints them, the intercept first."""

    name: str
    features: tuple[tuple[Fraction, ...], ...]
    response: tuple[Fraction, ...]
    coefficients: tuple[Fraction, ...]

    @property
    def X(self) -> Array:
        """``(1, n, p)``: the float64 nearest to each feature."""
        return _array(self.features).astype(np.float64)[None]

    @property
    def y(self) -> Array:
        """``(1, n, 1)``: the float64 nearest to each response."""
        return _array(self.response).astype(np.float64)[None, :, None]

    @property
    def matrix(self) -> DoubleDouble:
        """``[1 X]`` ``(n, p + 1)`` in twice the precision."""
        return DoubleDouble.of(_array([(Fraction(1), *row) for row in self.features]))

    @property
    def targets(self) -> DoubleDouble:
        """y ``(n,)`` in twice the precision."""
        return DoubleDouble.of(_array(self.response))

    def digits(self, estimates: Array) -> float:
        """−log₁₀ of the largest relative error of ``estimates`` ``(p + 1,)``, intercept first: from 0 to 15."""
        errors = [
            abs(Fraction(value) / certified - 1) if np.isfinite(value) else Fraction(1)
            for value, certified in zip(map(float, estimates), self.coefficients, strict=True)
        ]
        worst = max(max(errors), Fraction(1, 10**CERTIFIED_DIGITS))
        return max(0.0, -float(np.log10(float(worst))))


def certified(name: str) -> Certified:
    """One of :data:`NAMES`. Raises :class:`ParameterError` for another."""
    if name in WAMPLER:
        return _wampler(name)
    if name not in MEASURED:
        raise ParameterError("name", given=repr(name), allowed=", ".join(NAMES), remedy="choose one of them")
    text = (files("refimpl.datasets") / "nist_data" / f"{name}.txt").read_text(encoding="utf-8")
    first, *lines = [line for line in text.splitlines() if not line.startswith("#")]
    rows = [tuple(map(Fraction, line.split())) for line in lines]
    features = tuple(row[1:] for row in rows)
    if name == "filip":
        features = tuple(_powers(x, 10) for (x,) in features)
    return Certified(
        name=name,
        features=features,
        response=tuple(row[0] for row in rows),
        coefficients=tuple(map(Fraction, first.split()[1:])),
    )


def _wampler(name: str) -> Certified:
    coefficients = tuple(Fraction(1, 10 if name == "wampler2" else 1) ** k for k in range(6))
    features = tuple(_powers(Fraction(x), 5) for x in range(21))
    delta = (*DELTA, *DELTA[-2::-1])
    response = tuple(
        coefficients[0] + sum(c * power for c, power in zip(coefficients[1:], row, strict=True)) + WAMPLER[name] * each
        for row, each in zip(features, delta, strict=True)
    )
    return Certified(name=name, features=features, response=response, coefficients=coefficients)


def _powers(x: Fraction, degree: int) -> tuple[Fraction, ...]:
    """x, x², …, up to ``degree``."""
    return tuple(x**k for k in range(1, degree + 1))


def _array(values: object) -> Array:
    return np.array(values, dtype=object)
