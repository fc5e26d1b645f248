"""The values of λ on the command line: ``0:10:1``, ``log:1e-3:1e2:200`` or ``0,1,3,10``."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Literal

import numpy as np

from parity.errors import InputError, Option, OptionError
from refimpl.types import Array

MOST = 10_000
RANGE = (1e-100, 1e100)
"""Of λ > 0: its products with weights and rates neither vanish nor overflow, and an axis can show it."""
GRAMMAR = "allowed: from:to:step (0:10:1), log:from:to:number (log:1e-3:1e2:200), or values (0,1,3,10)"


@dataclass(frozen=True, eq=False)
class Grid:
    """``values`` ``(k,)``: at least 2, finite, ≥ 0, increasing. ``scale``: of the axis that they are shown on."""

    text: str
    values: Array
    scale: Literal["linear", "log"]


def grid(text: str | Sequence[float]) -> Grid:
    """The values that a text stands for, or those of a list. Raises :class:`InputError`."""
    if not isinstance(text, str):
        try:
            text = ",".join(str(float(value)) for value in text)
        except (TypeError, ValueError):
            raise InputError(f"strength={text!r}: {GRAMMAR}, or a list of at least 2 numbers") from None
    words = text.split(":")
    if words[0] == "log" and len(words) == 4:
        return Grid(text, _checked(text, _spaced_by_factor(text, *words[1:])), "log")
    if len(words) == 3:
        return Grid(text, _checked(text, _spaced_by_step(text, *words)), "linear")
    if len(words) == 1 and "," in text:
        values = sorted({float(_number(text, word)) for word in text.split(",")})
        return Grid(text, _checked(text, np.array(values)), "log" if 0 < 100 * values[0] <= values[-1] else "linear")
    raise OptionError(Option("strength"), f" {text}: is no range; {GRAMMAR}")


def _spaced_by_factor(text: str, low: str, high: str, number: str) -> Array:
    first, last = float(_number(text, low)), float(_number(text, high))
    if not number.isdecimal() or not 2 <= int(number) <= MOST:
        raise OptionError(Option("strength"), f" {text}: {number!r} values; allowed: an integer from 2 to {MOST:,}")
    if not 0 < first < last:
        raise OptionError(
            Option("strength"), f" {text}: from {low} to {high}; allowed: 0 < from < to, since 0 has no logarithm"
        )
    _checked(text, np.array([first, last]))
    return np.geomspace(first, last, int(number))


def _spaced_by_step(text: str, low: str, high: str, step: str) -> Array:
    """Exact in decimal numbers: the fourth of 0:1:0.1 is 0.3, not 0.30000000000000004."""
    first, last, by = (_number(text, word) for word in (low, high, step))
    if not (by > 0 and first < last):
        raise OptionError(
            Option("strength"), f" {text}: from {low} to {high} by {step}; allowed: from < to and a step > 0"
        )
    if (last - first) / by >= MOST:
        raise OptionError(Option("strength"), f" {text}: more than {MOST:,} values; take a larger step")
    return np.array([float(first + i * by) for i in range(int((last - first) / by) + 1)])


def _number(text: str, word: str) -> Decimal:
    try:
        number = Decimal(word.strip())
    except InvalidOperation:
        raise OptionError(Option("strength"), f" {text}: {word!r} is no number; {GRAMMAR}") from None
    if not number.is_finite() or number < 0 or not np.isfinite(float(number)):  # 1e999 is no float64
        raise OptionError(Option("strength"), f" {text}: {word}; allowed: finite numbers ≥ 0")
    return number


def _checked(text: str, values: Array) -> Array:
    if not 2 <= len(values) <= MOST:
        raise OptionError(Option("strength"), f" {text}: {len(values):,} different values; allowed: from 2 to {MOST:,}")
    outside = values[(values > 0) & ((values < RANGE[0]) | (values > RANGE[1]))]
    if outside.size:
        raise OptionError(
            Option("strength"), f" {text}: {outside[0]:g}; allowed: 0, or from {RANGE[0]:g} to {RANGE[1]:g}"
        )
    return values
