"""Losses of another scale or shape."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from parity.explain.design import Design
from parity.explain.faults.losses import Broadcast, MeanTwice
from parity.explain.hypotheses.hypothesis import Hypothesis
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
    return design.with_loss(kind(loss=loss)) if isinstance(loss, SquaredError) else None


LOSSES = (
    Hypothesis(
        id="loss-halved",
        kind="loss",
        text="the loss is half of what was asked: a ½ too many",
        change="drop the factor ½ from the loss, or use the mean of squares itself (MSELoss)",
        probe=SCALE,
        apply=lambda design, _: scaled(design, 0.5),
    ),
    Hypothesis(
        id="loss-doubled",
        kind="loss",
        text="the loss is twice what was asked: the ½ is missing (MSELoss is mean(r²), without ½)",
        change="multiply the loss by ½",
        probe=SCALE,
        apply=lambda design, _: scaled(design, 2.0),
    ),
    Hypothesis(
        id="loss-sum-for-mean",
        kind="loss",
        text="the loss is summed over the batch, where the mean was asked",
        change="use reduction='mean', or divide the sum by the batch's number of rows",
        probe="batches of different sizes: the sum grows with the batch",
        apply=lambda design, _: reduced(design, "sum"),
    ),
    Hypothesis(
        id="loss-mean-for-sum",
        kind="loss",
        text="the loss is the mean over the batch, where the sum was asked",
        change="use reduction='sum'",
        probe="batches of different sizes: the sum grows with the batch",
        apply=lambda design, _: reduced(design, "mean"),
    ),
    Hypothesis(
        id="loss-mean-twice",
        kind="loss",
        text="the loss is divided by the batch's number of rows twice",
        change="divide once: a mean is divided already, also in the optimizer step",
        probe="batches of different sizes",
        apply=lambda design, _: wrapped(design, MeanTwice),
    ),
    Hypothesis(
        id="loss-broadcast",
        kind="loss",
        text="predictions (n, 1) minus targets (n,) gave n² differences: every prediction is pulled to the mean target",
        change="give both the same shape: y.reshape(y_hat.shape)",
        probe="batches of one row, where both are the same",
        apply=lambda design, _: wrapped(design, Broadcast),
    ),
    Hypothesis(
        id="loss-other-factor",
        kind="loss",
        text="the loss is {value:.6g} times what was asked",
        change="look for a factor in the loss",
        probe=SCALE,
        apply=scaled,
        values=(0.1, 0.25, 0.5, 1.5, 3.0, 10.0),
        free=True,
    ),
)
