"""Losses of another scale or shape."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from parity.explain.catalogue.name import Name
from parity.explain.faults.losses import Absolute, Broadcast, Divided
from parity.step.design import Design
from refimpl.losses import SquaredError

SCALE = "record the loss: its value shows the factor, while a factor in η leaves it alone"


def scaled(design: Design, times: float) -> Design | None:
    loss = design.form.in_gradient.loss
    return design.with_loss(replace(loss, factor=loss.factor * times)) if isinstance(loss, SquaredError) else None


def reduced(design: Design, reduction: Any) -> Design | None:
    loss = design.form.in_gradient.loss
    if not isinstance(loss, SquaredError) or loss.reduction == reduction:
        return None
    return design.with_loss(replace(loss, reduction=reduction))


def wrapped(design: Design, kind: Any) -> Design | None:
    loss = design.form.in_gradient.loss
    if not isinstance(loss, SquaredError) or (kind is Divided and loss.reduction != "mean"):
        return None
    return design.with_loss(kind(loss=loss))


def over_batch_size(design: Design, _: float) -> Design | None:
    loss = design.form.in_gradient.loss
    if not isinstance(loss, SquaredError) or loss.reduction != "mean" or len({len(rows) for rows in design.rows}) == 1:
        return None
    return design.with_loss(Divided(loss=replace(loss, reduction="sum"), size=len(design.rows[0])))


LOSSES = {
    "loss-halved": Name(
        text="the loss is half of what was asked: a ½ too many",
        change="drop the factor ½ from the loss, or use the mean of squares itself (MSELoss)",
        probe=SCALE,
        apply=lambda design, _: scaled(design, 0.5),
    ),
    "loss-doubled": Name(
        text="the loss is twice what was asked: the ½ is missing (MSELoss is mean(r²), without ½)",
        change="multiply the loss by ½",
        probe=SCALE,
        apply=lambda design, _: scaled(design, 2.0),
    ),
    "loss-sum-for-mean": Name(
        text="the loss is summed over the batch, where the mean was asked",
        change="use reduction='mean', or divide the sum by the batch's number of rows",
        probe="batches of different sizes: the sum grows with the batch",
        apply=lambda design, _: reduced(design, "sum"),
    ),
    "loss-mean-for-sum": Name(
        text="the loss is the mean over the batch, where the sum was asked",
        change="use reduction='sum'",
        probe="batches of different sizes: the sum grows with the batch",
        apply=lambda design, _: reduced(design, "mean"),
    ),
    "loss-mean-twice": Name(
        text="the loss is divided by the batch's number of rows twice",
        change="divide once: a mean is divided already, also in the optimizer step",
        probe="batches of different sizes",
        apply=lambda design, _: wrapped(design, Divided),
    ),
    "loss-broadcast": Name(
        text="predictions (n, 1) minus targets (n,) gave n² differences: every prediction is pulled to the mean target",
        change="give both the same shape: y.reshape(y_hat.shape)",
        probe="batches of one row, where both are the same",
        apply=lambda design, _: wrapped(design, Broadcast),
    ),
    "loss-over-batch-size": Name(
        text="the sum over the batch is divided by the batch size, also where the last batch has fewer rows",
        change="divide by the number of rows that the batch has: use reduction='mean'",
        probe="a batch size that divides the number of rows, where it makes no difference",
        apply=over_batch_size,
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
        apply=scaled,
        values=(0.1, 0.25, 0.5, 1.5, 3.0, 10.0),
        free=True,
    ),
}
