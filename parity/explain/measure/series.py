"""A number for each step, with its error bar, described by the shortest pattern that holds within the bars."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

import numpy as np

from refimpl.types import Array

DIGITS = 10
"""Significant digits that are shown at most; three at least, where the error bar has them."""


def number(value: float, error: float) -> str:
    """The number with as many digits as its error bar supports, and with the bar where that is fewer than three."""
    if not (value and np.isfinite(value) and np.isfinite(error)):
        return f"({value:.3g} ± {error:.3g})"
    size, bar = (np.floor(np.log10(x)) for x in (abs(value), max(error, 1e-300)))
    digits = int(min(size - bar, DIGITS))
    if digits < 3:
        places = max(int(-bar), 0) + 1
        return f"({value:.{places}f} ± {error:.1g})".replace("-", "−")
    rounded = Decimal(f"{value:.{digits - 1}e}").normalize()
    sign, digit, exponent = rounded.as_tuple()
    padded = Decimal((sign, (*digit, *(0,) * (3 - len(digit))), int(exponent) - max(3 - len(digit), 0)))
    return (f"{padded:f}" if 1e-5 <= abs(value) < 1e7 else f"{padded:e}").replace("-", "−")


FEW = 6
"""Numbers that are printed one by one."""


@dataclass(frozen=True)
class Series:
    """``value`` ± ``error`` ``(K,)``."""

    value: Array
    error: Array

    def is_(self, other: Array | float) -> bool:
        """Whether every number is the other one, as far as the bars tell."""
        return bool(np.all(np.abs(self.value - other) <= self.error))

    @property
    def constant(self) -> float | None:
        """The number that lies within every bar, None where there is none: the middle of all that do."""
        low, high = np.max(self.value - self.error), np.min(self.value + self.error)
        if low > high:
            return None
        best = float(self.value[np.argmin(self.error)])
        return min(max(best, float(low)), float(high))

    def over(self, other: Array) -> Series:
        """Divided by known numbers; where these are 0, nothing is known."""
        with np.errstate(all="ignore"):
            value, error = self.value / other, self.error / np.abs(other)
        known = other != 0
        return Series(np.where(known, value, 1.0), np.where(known, error, np.inf))

    def text(self) -> str:
        """Its numbers, as far as the bars tell them, those of many steps shortened."""
        if self.is_(0.0):
            return "0"
        if self.constant is not None:
            return number(self.constant, float(np.min(self.error)))
        shown = [number(float(v), float(e)) if abs(v) > e else "0" for v, e in zip(self.value, self.error, strict=True)]
        return ", ".join(shown[:FEW]) + (" …" if len(shown) > FEW else "")


def multiple(value: Array, of: Array, error: Array) -> Series | None:
    """c_k of ``value ± error = c_k·of``, ``(K, n)`` each; None where that does not hold in every step::

    c = ⟨value, of⟩/⟨of, of⟩,    |Δc| ≤ ⟨error, |of|⟩/⟨of, of⟩
    """
    square = np.sum(of**2, axis=1)
    if np.any(square == 0):
        return None
    c, room = np.sum(value * of, axis=1) / square, np.sum(np.abs(of) * error, axis=1) / square
    off = np.abs(value - c[:, None] * of) > error + np.abs(of) * room[:, None]
    return None if off.any() else Series(c, room)


def steps_text(chosen: Array, epoch: Array) -> str:
    """Which steps, by the structure of the run where it has one: ``the first step of each epoch``, ``every second``."""
    steps = np.flatnonzero(chosen)
    total = len(chosen)
    first = np.flatnonzero(np.diff(epoch, prepend=-1) > 0)
    last = np.flatnonzero(np.diff(epoch, append=epoch[-1] + 1) > 0)
    if not len(steps):
        return "no step"
    if len(steps) == total:
        return "every step"
    if len(steps) == 1:
        return f"step {steps[0]}"
    for name, some in (
        ("the first step of each epoch", first),
        ("the last step of each epoch", last),
        ("the first step of each epoch but the first", first[1:]),
        ("the last step of each epoch but the last", last[:-1]),
    ):
        if np.array_equal(steps, some) and len(some) > 1:
            return name
    if np.array_equal(steps, np.arange(steps[0], total)):
        return f"every step from {steps[0]} on"
    if np.array_equal(steps, np.arange(steps[-1] + 1)):
        return f"the first {len(steps)} steps"
    gaps = np.diff(steps)
    if np.array_equal(steps, np.arange(gaps[0], total, gaps[0])):
        return f"every {ORDINALS.get(int(gaps[0]), f'{gaps[0]}th')} step"
    if len(steps) > 2 and np.all(gaps == gaps[0]):
        return f"every {ORDINALS.get(int(gaps[0]), f'{gaps[0]}th')} step from {steps[0]} on"
    return f"steps {listed(steps)}"


ORDINALS = {1: "", 2: "second", 3: "third"}


def listed(numbers: Sequence[int] | Array) -> str:
    """``0, 3, 4 …``"""
    some = [str(int(each)) for each in numbers[: 2 * FEW]]
    return ", ".join(some) + (" …" if len(numbers) > 2 * FEW else "")
