"""Losses of another scale or shape."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from parity.explain.faults.losses import Absolute, Broadcast, Divided
from parity.step.design import Design
from refimpl.losses import SquaredError

Made = Callable[[Design, SquaredError, float], Any]
"""The loss in the place of the square; None where it makes no sense."""


def scaled_loss(design: Design, value: float, *, times: float | None = None) -> Design | None:
    """The loss is multiplied by ``times``, or by the number of the name."""
    factor = value if times is None else times
    return _instead(design, lambda _, loss, __: replace(loss, factor=loss.factor * factor), value)


def other_loss(design: Design, value: float, *, kind: str) -> Design | None:
    """Another loss in the place of the square."""
    return _instead(design, KINDS[kind], value)


def _instead(design: Design, made: Made, value: float) -> Design | None:
    """None where the loss is another than the square, or stays what it is."""
    loss = design.form.in_gradient.loss
    changed = made(design, loss, value) if isinstance(loss, SquaredError) else None
    return None if changed in (None, loss) else design.with_loss(changed)


def _over_batch_size(design: Design, loss: SquaredError, _: float) -> Divided | None:
    if loss.reduction != "mean" or len({len(rows) for rows in design.rows}) == 1:
        return None
    return Divided(loss=replace(loss, reduction="sum"), size=len(design.rows[0]))


KINDS: Mapping[str, Made] = {
    "sum": lambda _, loss, __: replace(loss, reduction="sum"),
    "mean": lambda _, loss, __: replace(loss, reduction="mean"),
    "mean-of-mean": lambda _, loss, __: Divided(loss=loss) if loss.reduction == "mean" else None,
    "over-batch-size": _over_batch_size,
    "broadcast": lambda _, loss, __: Broadcast(loss=loss),
    "absolute": lambda *_: Absolute(),
    "huber": lambda _, __, edge: Absolute(edge=edge) if edge > 0 else None,
}
