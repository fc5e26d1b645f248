"""Other losses: the derivative ψ(r) that each row's δ shows, beside that of the square."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np

from parity.explain.cause import Cause, cause
from parity.explain.faults.losses import Absolute, LogCosh, Rectified, Variance
from parity.explain.measure.chain import SLACK, Chain
from parity.step.design import Design
from refimpl.losses import SquaredError


def causes(chain: Chain) -> Iterator[Cause]:
    """The losses whose derivative at the recorded weights is the measured δ."""
    asked: Any = chain.design.form.in_gradient.loss
    if not isinstance(asked, SquaredError):
        return
    for factor in (1.0, 2.0, 0.5):
        for id, loss in _others(asked, factor).items():
            if _bears(chain, loss):
                made = cause(id, partial(Design.with_loss, loss=loss))
                yield made if factor == 1 else replace(made, text=f"{made.text}, times {factor:g}")
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
            factor = float(np.median(flat[inside] / r[inside]))
            if not factor:
                return
            edge = largest / factor
        else:
            edge, factor = largest, 1.0
        edge, factor = float(f"{edge:.3g}"), float(f"{factor:.3g}")
        loss = Absolute(edge=edge, factor=factor)
        if edge > 0 and np.any(r > edge) and _bears(chain, loss):
            yield cause("loss-huber", partial(Design.with_loss, loss=loss), numbers=1, value=edge)
            return
