"""Which columns of a table are the features and which one is the target.

A column is called by its name or by its number, counted from 1. All columns but the target and the ignored ones are
features, unless these are named. A column of text, or one that only numbers the rows, is never left out unasked.
"""

from __future__ import annotations

import difflib
import re
import reprlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from refimpl.datasets.dataset import Dataset, check_integer
from refimpl.errors import DataError, ParameterError
from refimpl.types import Array

Names = tuple[str, ...]
Column = str | int
INDEX = re.compile(r"Unnamed: \d+|__index_level_\d+__|")
"""The names that pandas and R give to a column that numbers the rows."""


@dataclass(frozen=True, kw_only=True)
class Choice:
    """What the user says of the columns; ``target``: a column, or ``"last"`` for the last that is not ignored."""

    target: Column = "last"
    features: tuple[Column, ...] = ()
    ignore: tuple[Column, ...] = ()

    def __post_init__(self) -> None:
        for what in ("target", "features", "ignore"):
            columns = getattr(self, what)
            for column in columns if isinstance(columns, tuple) else (columns,):
                if not isinstance(column, str):
                    check_integer(what, column, low=1)
        if self.features and self.ignore:
            raise ParameterError(
                "features, ignore",
                given="both",
                allowed="the columns to take, or those to leave out",
                remedy="remove one of the two",
            )

    @property
    def by_name(self) -> str | None:
        """The first option that calls a column by its name, if any does."""
        named = {"target": (self.target,) if self.target != "last" else (), "features": self.features}
        options = {**named, "ignore": self.ignore}.items()
        return next((what for what, columns in options if any(isinstance(c, str) for c in columns)), None)


@dataclass(frozen=True)
class Columns:
    """The indices, counted from 0, of the features and the target among the columns of a file."""

    features: tuple[int, ...]
    target: int

    @property
    def used(self) -> tuple[int, ...]:
        return (*self.features, self.target)

    def names(self, names: Names | None) -> Names | None:
        """The names of the columns that are used, target last, where the file has any."""
        return names and tuple(names[i] for i in self.used)

    def dataset(self, table: Array) -> Dataset:
        """The data of a table ``(n, columns)`` of all the file's columns."""
        X, y = (np.take(table, columns, axis=1)[None] for columns in (self.features, (self.target,)))
        return Dataset(X=X, y=y)


def chosen(where: str, choice: Choice, names: Names | None, count: int, text: Sequence[int] = ()) -> Columns:
    """The columns that are used, of ``count``; ``text``: the indices of those that hold text.

    Raises :class:`DataError` for a column that does not exist or is used twice, and for text and indices.
    """

    def indices(what: str, columns: Sequence[Column]) -> list[int]:
        return [_index(where, what, column, names, count) for column in columns]

    features, ignored = indices("features", choice.features), indices("ignore", choice.ignore)
    rest = [i for i in range(count) if i not in ignored]
    if choice.target == "last" and "last" in (names or ())[:-1]:
        raise DataError(
            where,
            given='target "last", which another column is named',
            allowed="a target without doubt",
            remedy="give the number of the column, counted from 1",
        )
    target = rest[-1] if choice.target == "last" and rest else _index(where, "target", choice.target, names, count)
    if target in (*features, *ignored) or len(set(features)) < len(features):
        raise DataError(
            where,
            given=f"the column {_named(target, names)} as target and in features or ignore, or a feature twice",
            allowed="each column once",
            remedy='change target, features or ignore; the target is the last column unless target = "…" says another',
        )
    columns = Columns(tuple(features or (i for i in rest if i != target)), target)
    _check_kinds(where, columns, names, text, choice)
    if not columns.features:
        raise DataError(
            where,
            given=f"no column but the target, {_named(target, names)}",
            allowed="at least one feature and the target",
            remedy="ignore fewer columns" if ignored else "give more columns",
        )
    return columns


def _check_kinds(where: str, columns: Columns, names: Names | None, text: Sequence[int], choice: Choice) -> None:
    """Raise where a column that is used holds text or only numbers the rows."""
    unasked = () if choice.features or names is None else columns.used
    index = [i for i in unasked if INDEX.fullmatch((names or ())[i])]
    words = [i for i in columns.used if i in text and i not in index]
    if not index and not words:
        return
    given = [f"text in {_listed(words, names)}"] if words else []
    given += [f"what seems to number the rows in {_listed(index, names)}"] if index else []
    remedy = without(choice, sorted({*index, *words}), names)
    raise DataError(where, given=" and ".join(given), allowed="columns of numbers", remedy=remedy)


def without(choice: Choice, more: Sequence[int], names: Names | None) -> str:
    """The advice that leaves out more columns."""
    if choice.features:
        return "take them out of features"
    columns = [*choice.ignore, *((names[i] if names and names[i] else i + 1) for i in more)]
    listed = ", ".join(f'"{column}"' if isinstance(column, str) else str(column) for column in columns)
    line = f"leave them out with ignore = [{listed}]"
    return "".join(letter if letter.isprintable() else repr(letter)[1:-1] for letter in line)


def check_names(where: str, names: Names, used: Sequence[int]) -> None:
    """Raise where two columns have one name and one of them is used."""
    for i, name in enumerate(names):
        if name in names[:i] and (i in used or names.index(name) in used):
            raise DataError(
                f"{where}, column {i + 1}",
                given=f"the name {reprlib.repr(name)} a second time",
                allowed="a name of its own for each column",
                remedy="rename it, or leave it out by its number",
            )


def _index(where: str, what: str, column: Column, names: Names | None, count: int) -> int:
    """Index of a column, counted from 0."""
    if not isinstance(column, str):
        if column <= count:
            return column - 1
        given, allowed, remedy = f"{what} {column}", f"a column from 1 to {count}", "choose one of the columns"
    elif names is None:
        given, allowed = f"{what} {reprlib.repr(column)} where the first line has numbers", "a column number"
        remedy = 'give the number of the column, counted from 1, or set header to "yes" if the first line holds names'
    elif column in names:
        return names.index(column)
    else:
        lowered = [name.lower() for name in names]
        near = [names[lowered.index(name)] for name in difflib.get_close_matches(column.lower(), lowered, n=1)]
        given, remedy = f"{what} {reprlib.repr(column)}", f"did you mean {near[0]!r}?" if near else "choose one of them"
        allowed = ", ".join(map(reprlib.repr, names[:8])) + (f" and {count - 8} more" if count > 8 else "")
    raise DataError(where, given=given, allowed=allowed, remedy=remedy)


def _listed(columns: Sequence[int], names: Names | None) -> str:
    more = f" and {len(columns) - 8} more" if len(columns) > 8 else ""
    return ("columns " if len(columns) > 1 else "column ") + ", ".join(_named(i, names) for i in columns[:8]) + more


def _named(i: int, names: Names | None) -> str:
    """``2 ('price')``."""
    return f"{i + 1} ({reprlib.repr(names[i])})" if names and names[i] else f"{i + 1}"
