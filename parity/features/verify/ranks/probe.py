"""Rank-coded exact probes: which ranks and micro-batches a reduced gradient counts, and in which format it is made.

Rank r's micro-batch j has a *place* p of its own, and the gradient ``s·Bᵖ``. A reduction that counts each place
``nₚ`` times and divides by D gives::

    ĝ = s·Σₚ nₚ·Bᵖ / D

The base B is 16, or 4 where the format has too few bits. The numbers ``Bᵖ`` have one bit each: where D is a power of
two and all places together need no more bits than the narrowest format has, no sum, quotient or copy in any order is
rounded. Then a correct ĝ is equal to its exact value, with tolerance zero, and the ``nₚ < B`` are the digits of
``ĝ·D/s`` in base B. Where a format has too few bits for all places, several rounds have some of them each. A number may
have digits for several D; the reading is the one with the smallest sum of D and its largest digit.

The format is read from pairs of numbers that need t bits: ``1`` of one rank and ``2^(1−t)`` of another, whose *sum*
needs t bits, and ``1 + 2^(1−t)`` of one rank, an *operand* that needs them before anything is added.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import TypeAlias

import numpy as np

from parity.step.design import REDUCTION
from refimpl.arithmetic.formats import FORMATS
from refimpl.types import Array

ROOMY, NARROW = 4, 2
"""Bits of a place: B = 2⁴, or 2² in formats of few bits."""
SCALES = (1.0, -0.5, 2.0)
"""The factors s of the rounds, so that a gradient of another round is no multiple of this one's by a count."""
SMALL_DIVISORS = range(1, 17)
"""Divisors that are tried to read the digits; counts of a quarter and the like are read with them."""
BY_DIGITS = {8: "bfloat16", 11: "float16", 24: "float32", 53: "float64"}
"""The format of so many bits."""

Place: TypeAlias = tuple[int, int]
"""Rank and micro-batch."""
Counts: TypeAlias = Mapping[Place, Fraction]
"""How often each place is counted, the divisor included: mₚ/D."""


def rounds(places: Sequence[Place], ranks: int, digits: int) -> list[tuple[Place, ...]]:
    """The places in rounds: whole micro-batches with base 16 where so many ``digits`` allow, else with base 4."""
    roomy = digits // ROOMY
    size = roomy // ranks * ranks if roomy >= ranks else min(ranks, digits // NARROW)
    return [tuple(places[i : i + size]) for i in range(0, len(places), size)]


def coded(own: Sequence[Place], scale: float, digits: int) -> dict[Place, float]:
    """The gradient s·Bᵖ of each place of a round, the largest of which is ``scale``."""
    base = 2.0 ** (ROOMY if ROOMY * len(own) <= digits else NARROW)
    return {place: scale * base ** (p + 1 - len(own)) for p, place in enumerate(own)}


def exact_value(codes: Mapping[Place, float], counts: Counts) -> Fraction:
    """Σ counts·gradient."""
    return sum((counts[place] * Fraction(code) for place, code in codes.items()), Fraction(0))


def roundings(places: int, digits: int) -> float:
    """The largest relative error of a sum of so many places of one sign, its divisions and its copies."""
    return math.expm1((places + REDUCTION) * math.log1p(2.0**-digits))  # (1 + u)ⁿ − 1


def divisors(ranks: int) -> list[int]:
    """The divisors that are tried to read the digits: small ones, the number of ranks and its square."""
    return sorted({*SMALL_DIVISORS, ranks, ranks**2})


def read(
    value: float, codes: Mapping[Place, float], digits: int, divisors: Sequence[int] = SMALL_DIVISORS
) -> Counts | None:
    """What a reduced number counts; None where none of the divisors makes digits of it.

    ``digits`` of the format: a divisor that is no power of two leaves a quotient that was rounded.
    """
    if not np.isfinite(value):
        return None
    scale = next(iter(codes.values()))
    number, base = Fraction(value) / Fraction(scale), base_of(codes)
    readings: list[tuple[int, int, list[int]]] = []
    for divisor in divisors:
        whole = number * divisor
        nearest = round(whole)
        rounded = 0 if is_dyadic(Fraction(divisor)) else abs(whole) * Fraction(roundings(len(codes), digits))
        if nearest >= 0 and abs(whole - nearest) <= min(rounded, Fraction(1, 8)):
            figures = [nearest // base**p % base for p in range(len(codes))]
            if nearest < base ** len(codes):
                readings.append((max(figures) + divisor, divisor, figures))
    if not readings:
        return None
    _, divisor, figures = min(readings)
    return {place: Fraction(figure, divisor) for place, figure in zip(codes, figures, strict=True)}


def base_of(codes: Mapping[Place, float]) -> int:
    """The ratio of neighbouring places; of one place alone, the largest base."""
    first, *others = codes.values()
    return int(others[0] / first) if others else 2**ROOMY


@dataclass(frozen=True)
class Pair:
    """An element that needs ``digits`` bits: as a ``sum`` of two ranks, or as an operand of one."""

    digits: int
    sums: bool

    def of(self, first: bool) -> float:
        """The gradient of the first or the second of the two ranks."""
        small = 2.0 ** (1 - self.digits)
        return (1.0 if first else small) if self.sums else (1.0 + small if first else 0.0)

    @property
    def value(self) -> Fraction:
        """The exact sum of both."""
        return Fraction(1) + Fraction(2) ** (1 - self.digits)


def pairs(operands: str, sums: str) -> list[Pair]:
    """The pairs that formats of operands and sums must hold exactly, the most bits first."""
    some = [Pair(t, True) for t in BY_DIGITS if t <= FORMATS[sums].digits]
    some += [Pair(t, False) for t in BY_DIGITS if t <= FORMATS[operands].digits]
    return sorted(some, key=lambda pair: (-pair.digits, pair.sums))


def format_of(exact: Mapping[Pair, bool]) -> str:
    """The widest format that explains which pairs came out exactly."""
    for t in sorted(BY_DIGITS, reverse=True):
        if all(right for pair, right in exact.items() if pair.digits <= t) and any(p.digits <= t for p in exact):
            return BY_DIGITS[t]
    return "a format of fewer than 8 bits"


def is_dyadic(number: Fraction) -> bool:
    """Whether a number is a power of two: what is multiplied or divided by it is not rounded."""
    up, down = number.numerator, number.denominator
    return up > 0 and up & (up - 1) == 0 and down & (down - 1) == 0


def elements(shape: Sequence[int], values: Sequence[float]) -> Array:
    """Values in turn over all elements of a shape."""
    return np.resize(np.asarray(values, float), tuple(shape))
