"""numpy's ``.npz``: arrays ``X`` ``(n, p)`` and ``y`` ``(n,)`` or ``(n, 1)``, of any real dtype, converted to float64.

Validation rows, if there are any, are ``X_validation`` and ``y_validation`` in the same layout. An array of another
name is an error, because it may be one of these misspelt. Nothing is ever unpickled.
"""

from __future__ import annotations

import io
import reprlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import numpy as np

from refimpl.datasets.dataset import Dataset, first_not_finite
from refimpl.errors import DataError
from refimpl.types import Array

WRITE = "write float64 arrays with numpy.savez(path, X=X, y=y)"


def read_npz(where: str, content: bytes) -> Dataset:
    """The data; ``where``: the file as messages call it.

    Raises :class:`DataError` with the name of the array, and the index, counted from 0, of its first bad element.
    """
    arrays = _arrays(where, content)
    X, y = _pair(where, arrays, "X", "y")
    if "X_validation" not in arrays:
        return Dataset(X=X, y=y)
    X_validation, y_validation = _pair(where, arrays, "X_validation", "y_validation")
    if X_validation.shape[2] != X.shape[2]:
        raise DataError(
            f"{where}, array X_validation",
            given=f"shape {X_validation.shape[1:]}",
            allowed=f"(n, {X.shape[2]}), as many features as X",
            remedy="give both the same columns",
        )
    return Dataset(X=X, y=y, X_validation=X_validation, y_validation=y_validation)


def _arrays(where: str, content: bytes) -> Mapping[str, Array]:
    if not content.startswith((b"PK\x03\x04", b"PK\x05\x06")):  # an .npz is a zip archive
        given = "content of another format" if content else "an empty file"
        raise DataError(where, given=given, allowed="an .npz with the arrays X and y", remedy=WRITE)
    with _reading(where):
        archive = np.load(io.BytesIO(content), allow_pickle=False)
    if set(archive.files) not in ({"X", "y"}, {"X", "y", "X_validation", "y_validation"}):
        raise DataError(
            where,
            given=f"the arrays {', '.join(map(reprlib.repr, archive.files[:8]))}" if archive.files else "no arrays",
            allowed="X and y; X_validation and y_validation or neither; nothing else",
            remedy=WRITE,
        )
    arrays = {}
    for name in archive.files:
        with _reading(f"{where}, array {name}"):
            arrays[name] = archive[name]
    return arrays


@contextmanager
def _reading(where: str) -> Iterator[None]:
    try:
        yield
    except Exception as error:  # on a broken archive numpy, zipfile, zlib raise over a dozen types
        raise DataError(
            where,
            given=f"content that numpy cannot read ({type(error).__name__}: {str(error)!r})",  # repr: one line
            allowed="arrays of numbers; Python objects are never loaded",
            remedy=WRITE,
        ) from None


def _pair(where: str, arrays: Mapping[str, Array], X_name: str, y_name: str) -> tuple[Array, Array]:
    """``X`` ``(1, n, p)`` and ``y`` ``(1, n, 1)``, finite float64."""
    X, y = arrays[X_name], arrays[y_name]
    _check_real(where, X_name, X)
    _check_real(where, y_name, y)
    if X.ndim != 2 or 0 in X.shape:
        raise DataError(
            f"{where}, array {X_name}",
            given=f"shape {X.shape}",
            allowed="(n, p) with at least one row and one feature",
            remedy=f"reshape it; a single feature is {X_name}.reshape(-1, 1)",
        )
    n = len(X)
    if y.shape not in ((n,), (n, 1)):
        raise DataError(
            f"{where}, array {y_name}",
            given=f"shape {y.shape}",
            allowed=f"({n},) or ({n}, 1), one target per row of {X_name}",
            remedy="store one number per row",
        )
    return _floats(where, X_name, X)[None], _floats(where, y_name, y).reshape(1, n, 1)


def _check_real(where: str, name: str, values: Array) -> None:
    if not isinstance(values, np.ndarray):  # numpy returns the bytes of a member that is no array
        raise DataError(f"{where}, array {name}", given="no array", allowed="real numbers", remedy=WRITE)
    if values.dtype.kind not in "fiub":
        raise DataError(
            f"{where}, array {name}",
            given=f"dtype {values.dtype}",
            allowed="real numbers",
            remedy="convert it with .astype('float64')",
        )


def _floats(where: str, name: str, values: Array) -> Array:
    with np.errstate(over="ignore"):  # a long double may become inf, which is reported below
        floats = values.astype(np.float64, order="C")
    bad = first_not_finite(floats)
    if bad is not None:
        raise DataError(
            f"{where}, {name}{list(bad)} (counted from 0)",
            given=str(values[bad]),  # str: formatting would turn a long double into a float
            allowed="a finite number",
            remedy="correct it, or remove the row",
        )
    return floats
