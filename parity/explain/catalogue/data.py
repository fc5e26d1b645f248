"""Rows, batches and features that are not those that were handed out."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Literal

import numpy as np

from parity.explain.faults.models import WithoutBias
from parity.step.design import Design
from refimpl.batches import Order
from refimpl.types import Array


def batches(design: Design, _: float, *, kind: str, times: float = 1.0) -> Design | None:
    """The rows in other batches, of ``times`` the size; None where they are the same."""
    asked = design.material.order
    size = int(len(design.rows[0]) * times)
    order = ORDERS[kind](design, [np.concatenate(epoch) for epoch in asked], size) if size else asked
    same = [[rows.tolist() for rows in epoch] for epoch in order] == [[r.tolist() for r in epoch] for epoch in asked]
    return None if same else design.with_order(order)


def _cut(epochs: list[Array], size: int, *, drop_last: bool = False) -> Order:
    ends = [len(rows) - len(rows) % size if drop_last else len(rows) for rows in epochs]
    each = zip(epochs, ends, strict=True)
    return tuple(tuple(rows[a : min(a + size, end)] for a in range(0, end, size)) for rows, end in each)


ORDERS: Mapping[str, Callable[[Design, list[Array], int], Order]] = {
    "in order": lambda _, epochs, size: _cut([np.sort(rows) for rows in epochs], size),
    "of the first epoch": lambda design, epochs, _: (design.material.order[0],) * len(epochs),
    "whole ones": lambda _, epochs, size: _cut(epochs, size, drop_last=True),
    "sized": lambda _, epochs, size: _cut(epochs, size),
    "all rows": lambda design, epochs, _: _cut(epochs, design.material.dataset.X.shape[1]),
    "all rows each": lambda design, epochs, _: tuple(
        (np.sort(rows),) * len(epoch) for rows, epoch in zip(epochs, design.material.order, strict=True)
    ),
}
"""From the rows of each epoch in their order and the size of a batch."""


def targets_moved(design: Design, shift: float, *, reverse: bool = False) -> Design:
    """The targets shifted against the rows, or in reverse order."""
    y = design.material.dataset.y
    return design.with_data(y=y[:, ::-1] if reverse else np.roll(y, int(shift), axis=1))


def bias_frozen(design: Design, _: float, *, used: bool) -> Design | None:
    """The bias never moves, and may take no part in the outputs either."""
    if "bias" not in design.form.optimizers:
        return None
    changed = replace(design, frozen=design.frozen | {"bias"})
    return changed if used else changed.with_model(WithoutBias())


def standardised(
    design: Design, value: float, *, of: Literal["X", "y"], by: Literal["mean", "deviation", "range"]
) -> Design | None:
    """Columns centred, divided by their deviation, too, with n − 1 (1) or n (2), or moved into [0, 1]."""
    x: Array = getattr(design.material.dataset, of)
    mean, low, high = (f(x, axis=1, keepdims=True) for f in (np.mean, np.min, np.max))
    start, scale = low if by == "range" else mean, np.ones_like(mean)
    if by == "range":
        scale = high - low
    elif by == "deviation":
        scale = np.std(x, axis=1, keepdims=True, ddof=1 if value == 1 else 0)
    changed = (x - start) / scale
    roundings = 2 * (x.shape[1] + 4) * float(np.max(np.abs(x)) / np.min(scale) / np.max(np.abs(changed)))
    return design.with_data(roundings, **{of: changed})
