"""``X, y`` from a file, and where its validation rows come from. The formats: text.py and npz.py beside this file."""

from __future__ import annotations

import os
import reprlib
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import numpy as np

from refimpl.datasets.dataset import Dataset, check_integer, check_scalars
from refimpl.datasets.npz import read_npz
from refimpl.datasets.text import read_text
from refimpl.errors import DataError, ParameterError
from refimpl.ranges import Range, check_fields
from refimpl.types import Number

Names = tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class File:
    """A ``.csv``, ``.tsv`` or ``.npz`` file; a relative ``path`` starts at the working directory.

    ``target``: which column is ``y``, by its name, by its number counted from 1, or ``"last"``; every other column is a
    feature. ``header``: whether the first line holds names; ``"auto"``: it does when no cell in it looks like a
    number. Both are for text only: in an ``.npz`` the arrays have names.

    Validation rows come from one source at most: ``X_validation`` and ``y_validation`` in the ``.npz``;
    ``validation_path``, a file with the same columns; or ``validation_fraction``, the share of rows that the generator
    picks to hold out. Rows keep the order of the file.

    Raises :class:`ParameterError` for options that do not fit, :class:`DataError` for whatever is wrong with a file.
    """

    path: str
    target: str | int = "last"
    header: Literal["auto", "yes", "no"] = "auto"
    validation_path: str | None = None
    validation_fraction: Annotated[Number, Range(low=0, high=1, open_high=True)] = 0.0

    def __post_init__(self) -> None:
        check_fields(self)
        check_scalars(self)
        if not isinstance(self.target, str):
            check_integer("target", self.target, low=1)
        if self.validation_path is not None and self.validation_fraction:
            raise ParameterError(
                "validation_fraction",
                given=f"{self.validation_fraction} together with validation_path",
                allowed="one source of validation rows",
                remedy="remove one of the two",
            )
        if _suffix(self.path) == ".npz" and (self.target, self.header) != ("last", "auto"):
            raise ParameterError(
                "target, header",
                given=f"{self.target!r}, {self.header!r} with an .npz file",
                allowed="only for text files",
                remedy="remove both: the array y is the target",
            )
        if isinstance(self.target, str) and self.target != "last" and self.header == "no":
            raise ParameterError(
                "target",
                given=f"{self.target!r} with header 'no'",
                allowed='a column number, or "last"',
                remedy="give the number of the column, counted from 1",
            )

    def make(self, rng: np.random.Generator) -> Dataset:
        """Load the file; ``rng`` is used for ``validation_fraction`` only. The truth is not known."""
        data, names = self._load(self.path)
        if self.validation_path is None and not self.validation_fraction:
            return data
        if data.X_validation is not None:
            raise DataError(
                _shown(self.path),
                given="X_validation in the file, and validation_path or validation_fraction",
                allowed="one source of validation rows",
                remedy="remove one of the two",
            )
        if self.validation_path is None:
            return self._split(data, rng)
        validation, validation_names = self._load(self.validation_path)
        _check_alike(_shown(self.validation_path), validation, validation_names, data, names)
        return Dataset(X=data.X, y=data.y, X_validation=validation.X, y_validation=validation.y)

    def _load(self, path: str) -> tuple[Dataset, Names | None]:
        content = _read(path)
        if _suffix(path) == ".npz":
            return read_npz(_shown(path), content), None
        return read_text(_shown(path), content, self.target, self.header)

    def _split(self, data: Dataset, rng: np.random.Generator) -> Dataset:
        rows = data.X.shape[1]
        count = round(rows * float(self.validation_fraction))
        if not 0 < count < rows:
            raise DataError(
                _shown(self.path),
                given=f"{rows} rows, of which validation_fraction {self.validation_fraction} holds out {count}",
                allowed="at least one row on each side",
                remedy="change validation_fraction, or give more rows",
            )
        held_out = np.zeros(rows, dtype=bool)
        held_out[rng.permutation(rows)[:count]] = True
        return Dataset(
            X=np.compress(~held_out, data.X, axis=1),
            y=np.compress(~held_out, data.y, axis=1),
            X_validation=np.compress(held_out, data.X, axis=1),
            y_validation=np.compress(held_out, data.y, axis=1),
        )


def _suffix(path: str) -> str:
    return Path(path).suffix.lower()


def _shown(path: str) -> str:
    return str(path) if str(path).isprintable() else repr(path)


def _read(path: str) -> bytes:
    where, suffixes = _shown(path), ".csv, .tsv or .npz"
    if os.path.isdir(path):  # noqa: PTH112  # Path.is_dir raises for a name that is too long
        raise DataError(where, given="a directory", allowed=f"a {suffixes} file", remedy="name the file in it")
    if _suffix(path) not in (".csv", ".tsv", ".npz"):
        given = f"the suffix {_suffix(path)!r}"
        raise DataError(where, given=given, allowed=suffixes, remedy="convert it, or rename it after its format")
    remedy = "check the path"
    try:
        return Path(path).read_bytes()
    except FileNotFoundError:
        given = "a path where no file is"
    except PermissionError:
        given, remedy = "a file without permission to read it", "change its permissions"
    except (OSError, ValueError) as error:  # ValueError: a path with a null byte
        given = f"a path that cannot be read ({type(error).__name__}: {getattr(error, 'strerror', error)})"
    raise DataError(where, given=given, allowed="a file that can be read", remedy=remedy)


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
