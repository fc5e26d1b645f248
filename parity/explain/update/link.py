"""A link of an update rule: one formula of a few that may stand in the same place, with the words for it.

The tables of the neighbouring modules are both the formulas that a :class:`~parity.explain.update.rule.Rule` is put
together from and the vocabulary of the explanation: a rule that differs from the asked one in a link is described by
that link's text. Every formula runs in plain and in running-error arithmetic.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

from refimpl.types import Array


@dataclass(frozen=True)
class Link:
    """``of``: the formula. ``text``: what code with this formula does. ``rated``: η is in what it gives already."""

    of: Callable[..., Any]
    text: str
    rated: bool = False


Table: TypeAlias = Mapping[str, Link]


def first(state: Mapping[str, Any], key: str) -> bool:
    """Whether this is the first step of a state."""
    return key not in state


def total(x: Any) -> Any:
    """The sum over all axes but that of runs, shaped to meet ``x``."""
    return x.reshape(len(x), -1).sum(axis=1).reshape(-1, *(1,) * (x.ndim - 1))


def largest(x: Any) -> Any:
    """The maximum over all axes but that of runs, shaped to meet ``x``."""
    return x.reshape(len(x), -1).max(axis=1).reshape(-1, *(1,) * (x.ndim - 1))


def size_of(x: Array) -> int:
    """The number of elements of one run."""
    return int(x.size // len(x))
