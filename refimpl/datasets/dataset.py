"""The data of an experiment: arrays made once and handed to every framework."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from refimpl.errors import DataError, ParameterError, ShapeError
from refimpl.ranges import number_fields
from refimpl.types import Array, Params


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)  # eq=False: arrays have no single truth value
class Dataset:
    """Rows to train on, rows to validate on, and the parameters that made them where these are known.

    ``X``: ``(1, n, p)``; ``y``: ``(1, n, 1)``; ``X_validation``, ``y_validation``: the same layout with rows of their
    own, or both None; ``truth``: ``weight`` ``(1, 1, p)`` and ``bias`` ``(1, 1)``, or None. All float64 and finite.

    Raises :class:`ShapeError` for shapes that do not fit, :class:`DataError` for another dtype, nan or inf.
    """

    X: Array
    y: Array
    X_validation: Array | None = None
    y_validation: Array | None = None
    truth: Params | None = None

    def __repr__(self) -> str:
        arrays = {name: getattr(self, name) for name in ("X", "y", "X_validation", "y_validation")}
        return f"Dataset({', '.join(f'{n} {v.shape}' for n, v in arrays.items() if v is not None)})"

    def __post_init__(self) -> None:
        _check_features("X", self.X)
        _check("y", self.y, (1, self.X.shape[1], 1))
        if (self.X_validation is None) != (self.y_validation is None):
            alone = "X_validation" if self.y_validation is None else "y_validation"
            raise ShapeError(alone, given="without its partner", allowed="both or neither", remedy="give both")
        if self.X_validation is not None and self.y_validation is not None:
            _check_features("X_validation", self.X_validation, self.X.shape[2])
            _check("y_validation", self.y_validation, (1, self.X_validation.shape[1], 1))
        if self.truth is not None:
            if set(self.truth) != {"weight", "bias"}:
                raise ShapeError("truth", given=sorted(self.truth), allowed="weight and bias", remedy="give these two")
            _check("truth['weight']", self.truth["weight"], (1, 1, self.X.shape[2]))
            _check("truth['bias']", self.truth["bias"], (1, 1))


def rows_apart(X: Array, y: Array, train_rows: int) -> Dataset:
    """The first ``train_rows`` of the rows ``(1, n, …)`` to train on, the rest, if any, to validate on."""
    validates = X.shape[1] > train_rows
    return Dataset(
        X=X[:, :train_rows],
        y=y[:, :train_rows],
        X_validation=X[:, train_rows:] if validates else None,
        y_validation=y[:, train_rows:] if validates else None,
    )


def _check_features(name: str, X: Array, features: int | None = None) -> None:
    if X.ndim != 3 or X.shape[0] != 1 or 0 in X.shape or features not in (None, X.shape[2]):
        allowed = f"(1, n, {features or 'p'}) with at least one row{'' if features else ' and one feature'}"
        raise ShapeError(name, given=X.shape, allowed=allowed, remedy=f"reshape {name}, for instance {name}[None]")
    _check(name, X, X.shape)


def _check(name: str, values: Array, shape: tuple[int, ...]) -> None:
    if values.shape != shape:
        raise ShapeError(name, given=values.shape, allowed=str(shape), remedy=f"reshape {name}")
    if values.dtype != np.float64:
        raise DataError(
            name, given=f"dtype {values.dtype}", allowed="dtype float64", remedy="convert it with .astype('float64')"
        )
    bad = first_not_finite(values)
    if bad is not None:
        raise DataError(
            f"{name}{list(bad)}",
            given=values[bad],
            allowed="a finite number",
            remedy="remove it, or use smaller numbers",
        )


def first_not_finite(values: Array) -> tuple[int, ...] | None:
    """Index of the first nan or inf in row-major order, or None."""
    bad = ~np.isfinite(values)
    return tuple(int(i) for i in np.unravel_index(np.argmax(bad), bad.shape)) if np.any(bad) else None


def check_integer(name: str, value: Any, low: int | None = None) -> None:
    """Raise :class:`ParameterError` unless ``value`` is an integer that is at least ``low``."""
    integer = isinstance(value, int | np.integer) and not isinstance(value, bool)
    if not integer or (low is not None and value < low):
        allowed = "an integer" if low is None else f"an integer ≥ {low}"
        raise ParameterError(name, given=repr(value), allowed=allowed, remedy=f"change {name}")


def check_scalars(self: object) -> None:
    """Raise :class:`ParameterError` for one value per run: all runs share their data."""
    cls: Any = type(self)  # Any: mypy holds that a class is not hashable
    for name in number_fields(cls):
        if not isinstance(getattr(self, name), int | float):
            raise ParameterError(
                name,
                given=repr(getattr(self, name)),
                allowed="one number, the same in every run",
                remedy=f"for several values of {name} make one dataset each",
            )
