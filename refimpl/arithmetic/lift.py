"""Carry an object's numbers to another arithmetic, or to another shape, before a formula runs.

Python turns ``0.01 * Fraction(1, 3)`` into a float without a word, and rounds ``1 − β`` before a high-precision
number sees it. So every hyper-parameter is converted first; the formulas contain integers only, which are exact in
every arithmetic.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields, is_dataclass, replace
from typing import Any, TypeVar

import numpy as np

from refimpl.ranges import number_fields
from refimpl.stepping import is_zero

T = TypeVar("T")


def map_numbers(obj: T, function: Callable[[Any], Any]) -> T:
    """A copy of the dataclass ``obj`` with ``function`` applied to every number, in nested dataclasses too.

    Nested are fields that are dataclasses and those that are tuples of dataclasses. None, where a number is optional,
    stays None.
    """
    kind: Any = type(obj)
    numbers = number_fields(kind)
    changes: dict[str, Any] = {}
    for field in fields(obj):  # type: ignore[arg-type]  # T is a dataclass by contract
        value = getattr(obj, field.name)
        changed: Any
        if field.name in numbers:
            if isinstance(value, tuple):
                changed = tuple(None if each is None else function(each) for each in value)
            else:
                changed = None if value is None else function(value)
        elif is_dataclass(value) and not isinstance(value, type):
            changed = map_numbers(value, function)
        elif isinstance(value, tuple) and value and all(map(is_dataclass, value)):
            changed = tuple(map_numbers(each, function) for each in value)
        else:
            continue
        if changed is not value:
            changes[field.name] = changed
    return replace(obj, **changes) if changes else obj  # type: ignore[type-var]


def lift(obj: T, number: Callable[[Any], Any]) -> T:
    """Every hyper-parameter of ``obj`` converted by ``number``, exactly.

    A plain 0 becomes the integer 0, which is exact in every arithmetic: formulas use it to leave a term out.
    """
    return map_numbers(obj, lambda value: 0 if is_zero(value) else number(value))


def align(obj: T, ndim: int) -> T:
    """One value per run, ``(runs,)``, shaped ``(runs, 1, …)`` to meet an array of ``ndim`` axes."""

    def shaped(value: Any) -> Any:
        per_run = isinstance(value, np.ndarray) and value.ndim == 1
        return value.reshape(-1, *(1,) * (ndim - 1)) if per_run else value

    return map_numbers(obj, shaped)
