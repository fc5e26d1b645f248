"""The ranges of hyper-parameters: which numbers and choices the fields of a dataclass take."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, fields
from difflib import get_close_matches
from functools import cache
from typing import Annotated, Any, Literal, TypeAlias, get_args, get_type_hints

import numpy as np

from refimpl.errors import ParameterError
from refimpl.types import Number


@dataclass(frozen=True)
class Range:
    """The finite numbers that a hyper-parameter may take, both ends included unless ``open_high``.

    ``optional``: or None, for a number that the formula finds by itself.
    """

    low: float = -math.inf
    high: float = math.inf
    open_high: bool = False
    optional: bool = False

    def holds(self, value: Number) -> bool:
        values = np.asarray(value, dtype=float)
        below = values < self.high if self.open_high else values <= self.high
        return bool(np.all(np.isfinite(values) & (values >= self.low) & below))

    def __str__(self) -> str:
        if math.isinf(self.low) and math.isinf(self.high):
            return "a finite number"
        if math.isinf(self.low):
            return f"a finite number ≤ {self.high:g}"
        if math.isinf(self.high):
            return f"a finite number ≥ {self.low:g}"
        return f"a number from {self.low:g} to {self.high:g}{' (excluded)' if self.open_high else ''}"


Finite: TypeAlias = Annotated[Number, Range()]
NonNegative: TypeAlias = Annotated[Number, Range(low=0)]
Portion: TypeAlias = Annotated[Number, Range(low=0, high=1)]
Rate: TypeAlias = Annotated[Number, Range(low=0, high=1, open_high=True)]
"""How much of a running average is kept."""
Rates: TypeAlias = Annotated[tuple[Number, Number], Range(low=0, high=1, open_high=True)]


@cache
def number_fields(cls: Any) -> Mapping[str, Range]:
    """The fields of a dataclass that hold numbers, with the range of each (``Annotated[…, Range]``)."""
    range_of = {}
    for name, hint in get_type_hints(cls, include_extras=True).items():
        ranges = [extra for extra in get_args(hint)[1:] if isinstance(extra, Range)]
        if ranges and name in {field.name for field in fields(cls)}:
            range_of[name] = ranges[0]
    return range_of


@cache
def choice_fields(cls: Any) -> Mapping[str, tuple[Any, ...]]:
    """The fields of a dataclass that take one of a few named values (``Literal``)."""
    hints = get_type_hints(cls)
    return {
        f.name: get_args(hints[f.name]) for f in fields(cls) if getattr(hints[f.name], "__origin__", None) is Literal
    }


def check_fields(self: Any) -> None:
    """Raise :class:`ParameterError` for a number outside its range; used as ``__post_init__``.

    Numbers that were lifted to another arithmetic were checked before and pass.
    """
    for name, allowed in number_fields(self.__class__).items():
        value = getattr(self, name)
        for each in value if isinstance(value, tuple) else (value,):
            if each is None and allowed.optional:
                continue
            if isinstance(each, bool | str | None) or (is_number(each) and not allowed.holds(each)):
                raise ParameterError(name, given=repr(value), allowed=str(allowed), remedy=f"change {name}")
    for name, choices in choice_fields(self.__class__).items():
        if (given := getattr(self, name)) not in choices:
            options = ", ".join(map(repr, choices))
            near = get_close_matches(str(given), [str(choice) for choice in choices], n=1)
            remedy = f"did you mean {near[0]!r}?" if near else "choose one of them"
            raise ParameterError(name, given=repr(given), allowed=options, remedy=remedy)


def check_integers(self: Any, **least: int) -> None:
    """Raise :class:`ParameterError` for a field that is no integer or less than its least."""
    for name, low in least.items():
        value = getattr(self, name)
        if not isinstance(value, int) or isinstance(value, bool) or value < low:
            raise ParameterError(name, given=repr(value), allowed=f"an integer ≥ {low}", remedy=f"change {name}")


def is_number(value: Any) -> bool:
    """True for a number, or an array of them, that was not lifted to another arithmetic."""
    array = isinstance(value, np.ndarray | np.generic)
    return isinstance(value, int | float) or (array and value.dtype.kind in "fiub")
