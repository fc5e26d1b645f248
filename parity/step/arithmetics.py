"""The arithmetics that the reference's formulas are run in."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

import numpy as np

from refimpl.arithmetic.bounded import Bounded, Profile
from refimpl.arithmetic.exact import exact
from refimpl.arithmetic.formats import BLOCK, Format
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
