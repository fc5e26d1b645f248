"""``X, y`` from a file: its options, and where its validation rows come from.

The formats are in the files beside this one: text.py, npz.py and arrow.py.
"""

from __future__ import annotations

import reprlib
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np

from refimpl.datasets.arrow import read_arrow
from refimpl.datasets.columns import Choice, Column, Names
from refimpl.datasets.dataset import Dataset, check_integer, check_scalars
from refimpl.datasets.npz import read_npz
from refimpl.datasets.source import Source, read_source, shown
from refimpl.datasets.standardise import standardised
from refimpl.datasets.text import Reading, read_text
from refimpl.errors import DataError, ParameterError
from refimpl.ranges import Range, check_fields
from refimpl.types import Number

TEXT = (".csv", ".tsv", ".txt", ".dat", ".data")
ARROW = (".parquet", ".arrow", ".feather")
FORMATS = f"{', '.join((*TEXT, '.npz', *ARROW[:-1]))} or {ARROW[-1]}"
OF_TEXT = ("header", "skip", "decimal")
OF_TABLES = (*OF_TEXT, "target", "features", "ignore", "missing")


@dataclass(frozen=True, kw_only=True)
class File:
    """A table as text, an ``.npz``, or a table of Arrow; a relative ``path`` starts at the working directory.

    Text is ``.csv``, ``.tsv``, ``.txt``, ``.dat`` or ``.data``, each also compressed by gzip (``.csv.gz``); Arrow is
    ``.parquet``, ``.arrow`` or ``.feather`` and needs pyarrow.

    ``target``: which column is ``y``, by its name, by its number counted from 1, or ``"last"``. ``features``: the
    columns that are features, in this order; by default all others. ``ignore``: columns to leave out instead.
    ``missing``: ``"drop"`` leaves out the rows where a used column has a missing cell; ``"error"`` names the first.
    ``standardise``: each feature minus its mean and divided by its standard deviation, both of the training rows.

    Of text only: ``header``: whether the first line holds names; ``"auto"``: it does when no cell in it looks like a
    number. ``skip``: how many lines stand above the table. ``decimal``: the mark before the decimals.

    Validation rows come from one source at most: ``X_validation`` and ``y_validation`` in the ``.npz``;
    ``validation_path``, a file with the same columns; or ``validation_fraction``, the share of rows that the generator
    picks to hold out. Rows keep the order of the file.

    The files are read at the first :meth:`make` and kept. Raises :class:`ParameterError` for options that do not fit,
    :class:`DataError` for whatever is wrong with a file.
    """

    path: str
    target: str | int = "last"
    features: tuple[Column, ...] = ()
    ignore: tuple[Column, ...] = ()
    standardise: bool = False
    missing: Literal["error", "drop"] = "error"
    header: Literal["auto", "yes", "no"] = "auto"
    skip: int = 0
    decimal: Literal[".", ","] = "."
    validation_path: str | None = None
    validation_fraction: Annotated[Number, Range(low=0, high=1, open_high=True)] = 0.0

    def __post_init__(self) -> None:
        check_fields(self)
        check_scalars(self)
        check_integer("skip", self.skip, low=0)
        by_name = self._choice.by_name  # raises where the columns do not fit
        if self.validation_path is not None and self.validation_fraction:
            raise ParameterError(
                "validation_fraction",
                given=f"{self.validation_fraction} together with validation_path",
                allowed="one source of validation rows",
                remedy="remove one of the two",
            )
        refused = {".npz": OF_TABLES, **dict.fromkeys(ARROW, OF_TEXT)}.get(_suffix(self.path), ())
        given = {name: getattr(self, name) for name in refused if getattr(self, name) != getattr(File, name)}
        if given:
            raise ParameterError(
                ", ".join(given),
                given=f"{', '.join(map(repr, given.values()))} with a {_suffix(self.path)} file",
                allowed="only for text files" if refused is OF_TEXT else "only for tables",
                remedy="remove it" if refused is OF_TEXT else "remove it: the array y is the target",
            )
        if by_name and self.header == "no":
            raise ParameterError(
                by_name,
                given=f"{getattr(self, by_name)!r} with header 'no'",
                allowed="column numbers" if by_name != "target" else 'a column number, or "last"',
                remedy="give the number of the column, counted from 1",
            )

    def make(self, rng: np.random.Generator) -> Dataset:
        """The data; ``rng`` is used for ``validation_fraction`` only. The truth is not known."""
        data = self._split(rng) if self.validation_fraction else self._content[0]
        return standardised(shown(self.path), data) if self.standardise else data

    @property
    def sources(self) -> tuple[Source, ...]:
        """The files as they were when they were read; empty before that."""
        return self._content[1] if "_content" in vars(self) else ()

    @cached_property
    def _content(self) -> tuple[Dataset, tuple[Source, ...]]:
        """The rows of the file, with those of ``validation_path``, before anything is drawn; and the files."""
        data, names, source = self._load(self.path)
        if data.X_validation is not None and (self.validation_path is not None or self.validation_fraction):
            raise DataError(
                shown(self.path),
                given="X_validation in the file, and validation_path or validation_fraction",
                allowed="one source of validation rows",
                remedy="remove one of the two",
            )
        if self.validation_path is None:
            return data, (source,)
        validation, validation_names, other = self._load(self.validation_path)
        _check_alike(shown(self.validation_path), validation, validation_names, data, names)
        return replace(data, X_validation=validation.X, y_validation=validation.y), (source, other)

    @property
    def _choice(self) -> Choice:
        return Choice(target=self.target, features=self.features, ignore=self.ignore)

    def _load(self, path: str) -> tuple[Dataset, Names | None, Source]:
        suffix, where = _suffix(path), shown(path)
        if suffix not in (*TEXT, ".npz", *ARROW) and not Path(path).is_dir():
            remedy = "convert it, or rename it after its format"
            raise DataError(where, given=f"the suffix {suffix!r}", allowed=FORMATS, remedy=remedy)
        content, source = read_source(path, f"a {FORMATS} file")
        if suffix == ".npz":
            return read_npz(where, content), None, source
        if suffix in ARROW:
            return *read_arrow(where, content, self._choice, self.missing), source
        reading = Reading(
            choice=self._choice, header=self.header, skip=self.skip, decimal=self.decimal, missing=self.missing
        )
        return *read_text(where, content, reading), source

    def _split(self, rng: np.random.Generator) -> Dataset:
        data = self._content[0]
        rows = data.X.shape[1]
        count = round(rows * float(self.validation_fraction))
        if not 0 < count < rows:
            raise DataError(
                shown(self.path),
                given=f"{rows} rows, of which validation_fraction {self.validation_fraction} holds out {count}",
                allowed="at least one row on each side",
                remedy="change validation_fraction, or give more rows",
            )
        held_out = np.zeros(rows, dtype=bool)
        held_out[rng.permutation(rows)[:count]] = True
        if (key := held_out.tobytes()) not in self._splits:
            self._splits.clear()
            self._splits[key] = Dataset(
                X=np.compress(~held_out, data.X, axis=1),
                y=np.compress(~held_out, data.y, axis=1),
                X_validation=np.compress(held_out, data.X, axis=1),
                y_validation=np.compress(held_out, data.y, axis=1),
            )
        return self._splits[key]

    def __getstate__(self) -> dict[str, Any]:
        """What is drawn of the rows stays behind when it goes to another process; the rows go with it."""
        return {name: value for name, value in vars(self).items() if name != "_splits"}

    @cached_property
    def _splits(self) -> dict[bytes, Dataset]:
        """The last split, by the rows that it holds out: each part of a command draws the same one."""
        return {}


def _suffix(path: str) -> str:
    """The suffix in small letters, without that of gzip."""
    name = str(path).lower()
    return Path(name.removesuffix(".gz")).suffix


def _check_alike(where: str, data: Dataset, names: Names | None, train: Dataset, train_names: Names | None) -> None:
    if data.X_validation is not None:
        raise DataError(
            where,
            given="a validation file with X_validation of its own",
            allowed="X and y",
            remedy="store the validation rows as X and y",
        )
    if data.X.shape[2] != train.X.shape[2]:
        raise DataError(
            where,
            given=f"X of shape {data.X.shape[1:]}",
            allowed=f"(n, {train.X.shape[2]}), as many features as in the training file",
            remedy="give both files the same columns",
        )
    for name, train_name in zip(names or (), train_names or (), strict=False):  # one of them may have no names
        if name != train_name:
            raise DataError(
                where,
                given=f"the column {reprlib.repr(name)} where the training file has {reprlib.repr(train_name)}",
                allowed="the columns of the training file in the same order",
                remedy="reorder or rename the columns",
            )
