"""Rounding to a narrower format and back, in plain and in running-error arithmetic."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from refimpl.arithmetic.bounded import Bounded, Profile
from refimpl.arithmetic.formats import FORMATS, Format
from refimpl.types import Array


def rounded(x: Any, name: str) -> Any:
    """x rounded to a format. Rounding is monotone, so the bounds of x, rounded, are bounds of the result."""
    format = FORMATS[name]
    if not isinstance(x, Bounded):
        return np.asarray(format.round(x), np.asarray(x).dtype)
    value, low, high = (format.round(each) for each in (x.value, x.value - x.error, x.value + x.error))
    return Bounded(value, np.maximum(value - low, high - value), x.profile)


def stored(value: Array, candidate: Array, format: Format) -> Array:
    """A value as torch stores it in a format: directly or, where that is narrow, by way of float32 as the candidate."""
    direct: Array = format.round(value)
    if format.digits >= FORMATS["float32"].digits:
        return direct
    by_float32 = format.round(FORMATS["float32"].round(value))
    chosen: Array = np.where(candidate == by_float32, by_float32, direct)
    return chosen


def like(x: Any, numbers: Any) -> Any:
    """Numbers of a design, exact, one for each run ``(runs,)`` or ``(1,)``, shaped to meet ``x`` in its arithmetic."""
    shaped = np.asarray(numbers, float).reshape(-1, *(1,) * (x.ndim - 1))
    return Bounded.hyper(shaped, x.profile) if isinstance(x, Bounded) else shaped


def in_format(profile: Profile, name: str) -> Profile:
    """The arithmetic of a profile in another format."""
    return replace(profile, compute=FORMATS[name])


def narrowly(
    own: Any, optimizer: Any, param: Bounded, gradient: Bounded, state: Mapping[str, Any], narrow: Profile
) -> tuple[Bounded, dict[str, Any]]:
    """``w(1 − ηλ) + Δ``: Δ is the step from 0 of the ``optimizer`` in the narrow arithmetic, the rest that of its
    ``own``."""
    zero = Bounded.tensor(np.zeros(param.shape), narrow)
    moved, state = optimizer.step(zero, gradient.under(narrow), state or optimizer.init(zero))
    if getattr(own, "decay", "") == "decoupled":
        param = param * (1 - own.lr * own.weight_decay)
    return param + Bounded(moved.value, moved.error, param.profile), dict(state)
