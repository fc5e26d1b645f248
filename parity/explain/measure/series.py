"""A number for each step, with its error bar, described by the shortest pattern that holds within the bars."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
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


POWERS = {1.0: "{c}·{f}", -1.0: "{c}/{f}", 0.5: "{c}·√{f}", -0.5: "{c}/√{f}", 2.0: "{c}·{f}²", -2.0: "{c}/{f}²"}
EPSILONS = (0.0, 1e-6, 1e-8, 1e-12)
"""Numbers that people add to a norm that they divide by."""


@dataclass(frozen=True)
class Law:
    """``feature``: what it is a function of; ``form``: ``"power"``, ``"clip"`` or ``"epochs"``; ``words``: the formula
    with its number ``c``; ``made``: what it gives."""

    feature: str
    form: str
    power: float
    c: float
    made: Array

    @property
    def words(self) -> str:
        if self.form == "epochs":
            return self.feature
        if self.form == "clip":
            return f"min(1, {self.c:g}/{self.feature})"
        text = POWERS[self.power].format(c=f"{self.c:g}", f=self.feature)
        return text.removeprefix("1·")


def laws(value: Series, features: Mapping[str, Array]) -> Iterator[Law]:
    """Every law that holds, of the features that vary more than the series can tell."""
    for name, f in features.items():
        if np.any(f <= 0) or not np.ptp(f) > 1e-6 * np.max(f):
            continue
        yield from _clips(value, name, f)
        for power in POWERS:
            c = _common(value.value / f**power, value.error / f**power)
            if c is not None and c != 0 and value.is_(c * f**power) and value.constant is None:
                yield Law(name, "power", power, c, c * f**power)
                break


def compounding(value: Series, epoch: Array) -> Law | None:
    """``c·bᵉ`` with e the number of the epoch from 0 on: what is done to it is done once more in each epoch."""
    numbers = np.unique(epoch)
    low = np.array([np.max((value.value - value.error)[epoch == e]) for e in numbers])
    high = np.array([np.min((value.value + value.error)[epoch == e]) for e in numbers])
    if len(numbers) < 3 or np.any(low > high) or np.any(low <= 0):
        return None
    least, most = float(np.max(low[1:] / high[:-1])), float(np.min(high[1:] / low[:-1]))
    if not least <= most or least <= 1 <= most:
        return None
    b = shortest(least, most)
    c = _common(value.value / b**epoch, value.error / b**epoch)
    made = None if c is None else c * b ** epoch.astype(float)
    if c is None or made is None or not value.is_(made):
        return None
    return Law(f"{c:g}·{b:g}^e, e the number of the epoch from 0 on", "epochs", b, c, made)


def _clips(value: Series, name: str, f: Array) -> Iterator[Law]:
    """Where some are smaller than 1; as torch clips, and with the norm cut off before it is divided by itself."""
    for eps in EPSILONS:
        smaller = value.value < 1 - value.error - 2 * eps / f
        if not smaller.any() or value.constant is not None:
            continue
        c = _common((value.value * (f + eps))[smaller], (value.error * (f + eps))[smaller])
        if c is None or c <= 0:
            continue
        for made in (np.minimum(1.0, c / (f + eps)), np.minimum(f, c) / (f + eps)):
            if value.is_(made):
                yield Law(name, "clip", -1.0, c, made)
                return


def _common(value: Array, error: Array) -> float | None:
    """The shortest number that lies within all bars."""
    low, high = float(np.max(value - error)), float(np.min(value + error))
    return shortest(low, high) if low <= high else None


def shortest(low: float, high: float) -> float:
    """The number of fewest digits between two, or a simple fraction."""
    middle = (low + high) / 2
    for denominator in range(1, 61):
        fraction = round(middle * denominator) / denominator
        if low <= fraction <= high:
            return fraction
    for digits in range(1, 17):
        shortened = float(f"{middle:.{digits}g}")
        if low <= shortened <= high:
            return shortened
    return middle
