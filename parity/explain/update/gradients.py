"""What an update may make of the gradient first."""

from __future__ import annotations

from typing import Any

import numpy as np

from parity.explain.update.link import Link, Table, largest, size_of, total
from refimpl.arithmetic.kernels import norm_of_run


def _by_norm(g: Any) -> Any:
    """g/‖g‖"""
    length = norm_of_run(g)
    return g / np.where(length > 0, length, 1)


def _row_centred(g: Any) -> Any:
    """g − mean of its row"""
    if g.ndim < 3:
        return g
    rows = g.reshape(-1, g.shape[-1])
    mean = (rows.sum(axis=1) / g.shape[-1]).reshape(*g.shape[:-1], 1)
    return g - mean


TABLE: Table = {
    "as given": Link(lambda g: g, "the gradient is used as it is"),
    "negated": Link(lambda g: -g, "the gradient enters with the other sign: the update climbs"),
    "centred": Link(
        lambda g: g - total(g) / size_of(g), "the gradient is centralised first: its mean over the tensor is subtracted"
    ),
    "row centred": Link(_row_centred, "the gradient is centralised first: the mean of each row is subtracted"),
    "unit": Link(_by_norm, "the gradient is normalised first: g/‖g‖ of each tensor takes the place of g"),
    "largest": Link(lambda g: g / largest(np.abs(g)), "the gradient is divided first by the largest |g| of its tensor"),
    "sign": Link(np.sign, "only the sign of the gradient enters the update"),
    "stale": Link(lambda g: g, "the step is made with the gradient of the step before, the first one with none"),
    "halved": Link(lambda g: g / 2, "half of the gradient enters the update"),
    "doubled": Link(lambda g: 2 * g, "twice the gradient enters the update"),
}
