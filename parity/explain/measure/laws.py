"""A measured series as a function of one other quantity: ``c·f^p``, or ``min(1, c/f)``, with c the shortest number.

Each number v ± e of the series leaves an interval for c; a law holds where these have a number in common::

    v = c·f^p          c ∈ [(v − e)/f^p, (v + e)/f^p]
    v = min(1, c/f)    c ∈ [(v − e)·f, (v + e)·f] where v < 1
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from parity.explain.measure.series import Series
from refimpl.types import Array

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
