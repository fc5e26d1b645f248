"""What the lines of an edited update may call, in plain and in running-error arithmetic."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from parity.step.arithmetics import rounded
from refimpl.arithmetic.kernels import norm_of_run


def total(x: Any) -> Any:
    """The sum over all axes but that of runs, shaped to meet ``x``."""
    return x.reshape(len(x), -1).sum(axis=1).reshape(-1, *(1,) * (x.ndim - 1))


def largest(x: Any) -> Any:
    """The maximum over all axes but that of runs, shaped to meet ``x``."""
    return x.reshape(len(x), -1).max(axis=1).reshape(-1, *(1,) * (x.ndim - 1))


def average(x: Any) -> Any:
    """The mean over all axes but that of runs, shaped to meet ``x``."""
    return total(x) / (x.size // len(x))


def row_average(x: Any) -> Any:
    """The mean of each row of a matrix; of a vector its mean."""
    rows = x.reshape(-1, x.shape[-1])
    return (rows.sum(axis=1) / x.shape[-1]).reshape(*x.shape[:-1], 1)


def unit(x: Any) -> Any:
    """x/‖x‖, 0 where x is."""
    length = norm_of_run(x)
    return x / np.where(length > 0, length, 1)


def mask(u: Any, g: Any) -> Any:
    """1 where u has the sign of g, else 0."""
    return np.where(u * g > 0, 0 * u + 1, 0 * u)


def trust(w: Any, u: Any) -> Any:
    """‖w‖/‖u‖, 1 where one of them is 0."""
    size, length = norm_of_run(w), norm_of_run(u)
    return np.where(size > 0, np.where(length > 0, size / np.where(length > 0, length, 1), 1), 1)


def corrected(beta: Any, t: int, like: Any) -> Any:
    """1 − βᵗ, or 1 where t is 0."""
    return 1 - beta ** np.full((len(like), *(1,) * (like.ndim - 1)), t) if t else 1


HELPERS: Mapping[str, Any] = {
    "np": np,
    "rounded": rounded,
    "norm_of_run": norm_of_run,
    **{each.__name__: each for each in (total, largest, average, row_average, unit, mask, trust, corrected)},
}
