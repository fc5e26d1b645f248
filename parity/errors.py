"""The errors that end a command between the user's words and a verdict."""

from __future__ import annotations

import functools
import inspect
import math
import sys
import traceback
from dataclasses import dataclass
from difflib import get_close_matches
from numbers import Integral, Real
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from refimpl.errors import InputError as InputError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable


@dataclass(frozen=True)
class Option:
    """An option by its name: ``--to-loss`` on the command line, the argument ``to_loss`` in Python."""

    name: str

    @property
    def on_the_command_line(self) -> str:
        return f"--{self.name}"

    @property
    def in_python(self) -> str:
        return {"from": "source", "to": "target"}.get(self.name, self.name.replace("-", "_"))


class OptionError(InputError):
    """Bad input whose text names options. It is given in parts: what is no :class:`Option` stays as it is."""

    def __init__(self, *parts: str | Option) -> None:
        super().__init__(*parts)
        self.parts = parts

    @property
    def on_the_command_line(self) -> str:
        """The text with ``--options``."""
        return "".join(part.on_the_command_line if isinstance(part, Option) else part for part in self.parts)

    def __str__(self) -> str:
        return "".join(part.in_python if isinstance(part, Option) else part for part in self.parts)


def is_ours(error: BaseException) -> bool:
    """Whether this project raised an exception in its own code, or in NumPy or the standard library that it called."""
    names = [str(frame.f_globals.get("__name__")) for frame, _ in traceback.walk_tb(error.__traceback__)]
    rooms = [name.partition(".")[0] for name in names]
    last = next((room for room in reversed(rooms) if room != "numpy" and room not in sys.stdlib_module_names), "")
    return last in ("parity", "refimpl")


EXPERIMENT = "the name of an experiment, see `parity list`, a file (.toml) or a parity.Experiment"
F = TypeVar("F", bound="Callable[..., Any]")


def needs(**allowed: str) -> Callable[[F], F]:
    """A public function that says in one line which argument is missing, and what is allowed there."""

    def with_check(function: F) -> F:
        names = list(inspect.signature(function).parameters)

        @functools.wraps(function)
        def checked(*positional: Any, **keywords: Any) -> Any:
            __tracebackhide__ = True
            given = {*names[: len(positional)], *keywords}
            for name, what in allowed.items():
                if name not in given:
                    raise InputError(f"{function.__name__}: {name} is missing; allowed: {what}")
            return function(*positional, **keywords)

        return checked  # type: ignore[return-value]  # of the same signature

    return with_check


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


def nearest_file(place: str) -> str:
    """``"; did you mean 'folder/x.py'?"`` for the file in the same folder with the nearest name, or nothing."""
    path = Path(place)
    try:
        beside = [str(path.with_name(file.name)) for file in path.parent.iterdir() if file.suffix == path.suffix]
    except (OSError, ValueError):  # no such folder, or no name that a file can have
        return ""
    return nearest(str(path), beside)


def check_number(name: str, given: Any, low: float, high: float = math.inf, *, whole: bool = False) -> None:
    """Raise :class:`InputError` for what is no finite number from ``low`` to ``high``, or no ``whole`` one."""
    fits = isinstance(given, Integral if whole else Real) and not isinstance(given, bool)
    if not fits or not low <= given <= high or abs(given) == math.inf:
        kind = "whole" if whole else "finite"
        allowed = f"a {kind} number ≥ {low:g}" if high == math.inf else f"a {kind} number from {low:g} to {high:,g}"
        raise InputError(f"{name} {given!r}: allowed: {allowed}")


Name = TypeVar("Name", bound=str)


def check_name(what: str, given: object, known: Iterable[Name]) -> Name:
    """The known name that was given, as it is spelled there. Raises :class:`InputError`."""
    names = list(known)
    word = spelled(str(given), names)
    for name in names:
        if name == word and isinstance(given, str):
            return name
    raise InputError(f"{what} {given!r}: unknown; allowed: {', '.join(names)}{nearest(str(given), names)}")
