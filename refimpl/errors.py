"""Exceptions of the reference: each names what was given, what is allowed and what to do."""

from __future__ import annotations

from functools import partial
from typing import Any


class InputError(ValueError):
    """Bad input, said in one line."""

    def _render_traceback_(self) -> list[str]:
        """What a notebook shows of it: the line, without the calls that led to it."""
        return [f"{type(self).__name__}: {self}"]


class RefimplError(InputError):
    """Bad input of the reference: ``what: given …; allowed …; remedy``.

    ``what`` is the name of the argument, key or file; ``given`` the value received; ``allowed``
    the values that are accepted; ``remedy`` what the reader should do next.
    """

    def __init__(self, what: str, *, given: object, allowed: str, remedy: str) -> None:
        self.what, self.given, self.allowed, self.remedy = what, given, allowed, remedy
        super().__init__(f"{what}: given {given}; allowed: {allowed}; {remedy}")

    def __reduce__(self) -> tuple[Any, ...]:
        """How it comes from one process into another."""
        return partial(type(self), given=str(self.given), allowed=self.allowed, remedy=self.remedy), (self.what,)


class ParameterError(RefimplError):
    """A hyper-parameter or option is outside its range, or names something that does not exist."""


class ShapeError(RefimplError):
    """Arrays whose shapes do not fit together."""


class DataError(RefimplError):
    """A data file that cannot be read as ``X, y``: the message names file, row and column."""
