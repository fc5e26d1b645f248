"""Other losses: the derivative ψ(r) that each row's δ shows, beside that of the square."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import partial
from typing import Any

import numpy as np

from parity.explain.cause import Cause
from parity.explain.faults.losses import Absolute, LogCosh, Rectified, Variance
from parity.explain.measure.chain import SLACK, Chain
from parity.step.design import Design
from refimpl.losses import SquaredError

WORDS: Mapping[str, tuple[str, str]] = {
    "loss-variance": (
        "the loss is the variance of the residuals, mean (r − r̄)², and not their mean square: the rows' "
        "parts add up to 0",
        "use the mean square: do not subtract the mean of the residuals",
    ),
    "loss-rectified-output": (
        "the output goes through a ReLU: rows with a prediction below 0 count as 0 and give no gradient",
        "leave the activation away from the output of a regression",
    ),
    "loss-log-cosh": ("the loss is the mean of log cosh r: its derivative is tanh r", "use MSELoss"),
    "loss-absolute": ("the loss is the mean of |r| (L1Loss): δ has the sign of r alone", "use MSELoss"),
}


def causes(chain: Chain) -> Iterator[Cause]:
    """The losses whose derivative at the recorded weights is the measured δ."""
    asked: Any = chain.design.form.in_gradient.loss
    if not isinstance(asked, SquaredError):
        return
    for factor in (1.0, 2.0, 0.5):
        for id, loss in _others(asked, factor).items():
            if _bears(chain, loss):
                text, change = WORDS[id]
                times = "" if factor == 1 else f", times {factor:g}"
                yield Cause(id=id, text=text + times, change=change, apply=partial(Design.with_loss, loss=loss))
    yield from _huber(chain)


def _others(asked: SquaredError, factor: float) -> dict[str, Any]:
    square = SquaredError(factor=asked.factor * factor, reduction=asked.reduction)
    return {
        "loss-variance": Variance(loss=square),
        "loss-rectified-output": Rectified(loss=square),
        "loss-log-cosh": LogCosh(factor=factor),
        "loss-absolute": Absolute(factor=factor),
    }


def _bears(chain: Chain, loss: Any) -> bool:
    """Whether the measured δ of every row is that of a loss."""
    rows = chain.rows
    assert rows is not None
    for k, some in enumerate(chain.design.rows):
        outputs, targets = chain.outputs(k, some)[None, :, None], chain.y[some][None, :, None]
        delta = np.asarray(loss.gradient(outputs, targets))[0, :, 0]
        if np.any(np.abs(delta - rows.delta[k]) > SLACK * rows.delta_error[k]):
            return False
    return True


def _huber(chain: Chain) -> Iterator[Cause]:
    """r below an edge, the edge beyond it: the edge is where δ·n stops."""
    rows = chain.rows
    assert rows is not None
    for divided in (False, True):  # SmoothL1Loss divides by its edge
        sizes = [len(each) * np.abs(each) for each in rows.delta]
        largest = float(max(np.max(each) for each in sizes))
        r = np.concatenate([np.abs(chain.residuals(k)) for k in range(chain.steps)])
        flat = np.concatenate(sizes)
        if divided:
            inside = flat < 0.999 * largest
            if not inside.any():
                return
            edge, factor = 1 / float(np.median(flat[inside] / r[inside])), largest
            edge, factor = edge * largest, largest / (edge * largest)
        else:
            edge, factor = largest, 1.0
        edge, factor = float(f"{edge:.3g}"), float(f"{factor:.3g}")
        loss = Absolute(edge=edge, factor=factor)
        if edge > 0 and np.any(r > edge) and _bears(chain, loss):
            yield Cause(
                id="loss-huber",
                text=f"the loss is that of Huber with edge {edge:g} (SmoothL1Loss), where squares were asked",
                change="use MSELoss",
                probe="large residuals: beyond the edge the pull does not grow with r",
                apply=partial(Design.with_loss, loss=loss),
                numbers=1,
            )
            return
