"""The errors that end a command between the user's words and a verdict."""

from __future__ import annotations

from difflib import get_close_matches
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable


class InputError(ValueError):
    """Bad input, said in one line; the command line prints it and ends with exit code 2."""


class Unsupported(Exception):
    """A combination that the framework does not offer, in the framework's own words."""


def spelled(name: str, known: Iterable[str]) -> str:
    """The known name that differs from ``name`` by case and underscores at most; else ``name`` itself."""
    names = list(known)
    if name in names:
        return name
    return next((other for other in names if _letters(other) == _letters(name)), name)


def _letters(name: str) -> str:
    return name.casefold().replace("_", "")


def nearest(name: str, known: Iterable[str]) -> str:
    """``"; did you mean 'x'?"`` for the nearest known name, or nothing."""
    by_case = {other.casefold(): other for other in known}
    matches = get_close_matches(name.casefold(), list(by_case), n=1)
    return f"; did you mean {by_case[matches[0]]!r}?" if matches else ""
