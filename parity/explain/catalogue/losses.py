"""Losses of another scale or shape."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from parity.explain.catalogue.name import Apply, Name
from parity.explain.faults.losses import Absolute, Broadcast, Divided
from parity.step.design import Design
from refimpl.losses import SquaredError

SCALE = "record the loss: its value shows the factor, while a factor in η leaves it alone"


def of_square(change: Callable[[Design, SquaredError, float], Any]) -> Apply:
    """A loss made of the square; None where the loss is another, or stays what it is."""

    def apply(design: Design, value: float) -> Design | None:
        loss = design.form.in_gradient.loss
        changed = change(design, loss, value) if isinstance(loss, SquaredError) else None
        return None if changed in (None, loss) else design.with_loss(changed)

    return apply


def scaled(times: float | None = None) -> Apply:
    """By a number, or by that of the name."""
    return of_square(lambda _, loss, value: replace(loss, factor=loss.factor * (value if times is None else times)))


def reduced(reduction: Any) -> Apply:
    return of_square(lambda _, loss, __: replace(loss, reduction=reduction))


def over_batch_size(design: Design, loss: SquaredError, _: float) -> Divided | None:
    if loss.reduction != "mean" or len({len(rows) for rows in design.rows}) == 1:
        return None
    return Divided(loss=replace(loss, reduction="sum"), size=len(design.rows[0]))


LOSSES = {
    "loss-halved": Name(
        text="the loss is half of what was asked: a ½ too many",
        change="drop the factor ½ from the loss, or use the mean of squares itself (MSELoss)",
        probe=SCALE,
        apply=scaled(0.5),
    ),
    "loss-doubled": Name(
        text="the loss is twice what was asked: the ½ is missing (MSELoss is mean(r²), without ½)",
        change="multiply the loss by ½",
        probe=SCALE,
        apply=scaled(2.0),
    ),
    "loss-sum-for-mean": Name(
        text="the loss is summed over the batch, where the mean was asked",
        change="use reduction='mean', or divide the sum by the batch's number of rows",
        probe="batches of different sizes: the sum grows with the batch",
        apply=reduced("sum"),
    ),
    "loss-mean-for-sum": Name(
        text="the loss is the mean over the batch, where the sum was asked",
        change="use reduction='sum'",
        probe="batches of different sizes: the sum grows with the batch",
        apply=reduced("mean"),
    ),
    "loss-mean-twice": Name(
        text="the loss is divided by the batch's number of rows twice",
        change="divide once: a mean is divided already, also in the optimizer step",
        probe="batches of different sizes",
        apply=of_square(lambda _, loss, __: Divided(loss=loss) if loss.reduction == "mean" else None),
    ),
    "loss-broadcast": Name(
        text="predictions (n, 1) minus targets (n,) gave n² differences: every prediction is pulled to the mean target",
        change="give both the same shape: y.reshape(y_hat.shape)",
        probe="batches of one row, where both are the same",
        apply=of_square(lambda _, loss, __: Broadcast(loss=loss)),
    ),
    "loss-over-batch-size": Name(
        text="the sum over the batch is divided by the batch size, also where the last batch has fewer rows",
        change="divide by the number of rows that the batch has: use reduction='mean'",
        probe="a batch size that divides the number of rows, where it makes no difference",
        apply=of_square(over_batch_size),
    ),
    "loss-absolute": Name(
        text="the loss is the mean of |r| (L1Loss), where squares were asked",
        change="use MSELoss",
        probe="large residuals: the pull of |r| does not grow with r",
        apply=lambda design, _: design.with_loss(Absolute()),
    ),
    "loss-huber": Name(
        text="the loss is that of Huber with edge {value:g} (SmoothL1Loss), where squares were asked",
        change="use MSELoss",
        probe="large residuals: beyond the edge the pull does not grow with r",
        apply=lambda design, edge: design.with_loss(Absolute(edge=edge)) if edge > 0 else None,
        values=(1.0, 0.5, 0.1, 2.0),
    ),
    "loss-other-factor": Name(
        text="the loss is {value:.6g} times what was asked",
        change="look for a factor in the loss",
        probe=SCALE,
        apply=scaled(),
        values=(0.1, 0.25, 0.5, 1.5, 3.0, 10.0),
        free=True,
    ),
}
