"""The arithmetics that the reference's formulas are run in."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Protocol, TypeVar

import numpy as np

from refimpl.arithmetic.bounded import Bounded, Profile
from refimpl.arithmetic.exact import exact
from refimpl.arithmetic.formats import BLOCK, FORMATS, Format
from refimpl.arithmetic.lift import align, lift
from refimpl.types import Array

T = TypeVar("T")


class Arithmetic(Protocol):
    """How stored numbers and hyper-parameters enter a formula."""

    def tensor(self, array: Array) -> Any:
        """A stored tensor, taken exactly."""

    def hyper(self, obj: T, ndim: int | None = None) -> T:
        """An object's hyper-parameters; one value per step is shaped to meet arrays of ``ndim`` axes."""


@dataclass(frozen=True)
class Plain:
    """The arithmetic of float64, without bounds for its roundings."""

    def tensor(self, array: Array) -> Any:
        return array

    def hyper(self, obj: T, ndim: int | None = None) -> T:
        return obj if ndim is None else align(obj, ndim)


PLAIN = Plain()
SHORT = Format("short", 12, -60)


@dataclass(frozen=True)
class Rounding:
    """Values with a bound on the rounding error, under a profile."""

    profile: Profile

    def tensor(self, array: Array) -> Any:
        return Bounded.tensor(array, self.profile)

    def hyper(self, obj: T, ndim: int | None = None) -> T:
        obj = obj if ndim is None else align(obj, ndim)
        return lift(obj, lambda number: number if isinstance(number, Bounded) else Bounded.hyper(number, self.profile))


@dataclass(frozen=True)
class Rational:
    """Exact rationals that know which results a format reaches without rounding."""

    format: Format

    def tensor(self, array: Array) -> Any:
        return exact(array)

    def hyper(self, obj: T, ndim: int | None = None) -> T:
        obj = obj if ndim is None else align(obj, ndim)
        return lift(obj, lambda number: number if _is_exact(number) else exact(number))


def _is_exact(number: Any) -> bool:
    return isinstance(number, np.ndarray) and number.dtype == object


def short(array: Array) -> bool:
    """True where every number has a short significand, so that an exact run is worth its time."""
    blocks = np.split(array.reshape(-1), range(BLOCK, array.size, BLOCK))  # the first that has a long one decides
    return all(np.all(np.isfinite(block)) and np.all(SHORT.round(block) == block) for block in blocks)


def rounded(x: Any, name: str) -> Any:
    """x rounded to a format. Rounding is monotone, so the bounds of x, rounded, are bounds of the result."""
    format = FORMATS[name]
    if not isinstance(x, Bounded):
        return np.asarray(format.round(x), np.asarray(x).dtype)
    value, low, high = (format.round(each) for each in (x.value, x.value - x.error, x.value + x.error))
    return Bounded(value, np.maximum(value - low, high - value), x.profile)


def stored(value: Array, candidate: Array, format: Format) -> Array:
    """A value as torch stores it in a format: directly or, where that is narrow, by way of float32 as the candidate.

    In float64, which holds every number of a format, and in blocks: a rounding needs several arrays of 16 bytes a cell.
    """
    result = np.empty(value.shape)
    flat, others, results = value.reshape(-1), candidate.reshape(-1), result.reshape(-1)
    for start in range(0, value.size, BLOCK):
        block = slice(start, start + BLOCK)
        results[block] = format.round(flat[block])
        if format.digits < FORMATS["float32"].digits:
            by_float32 = format.round(FORMATS["float32"].round(flat[block]))
            results[block] = np.where(others[block] == by_float32, by_float32, results[block])
    return result


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
