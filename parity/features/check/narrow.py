"""Steps of float64 weights that are right to float32's digits only, and what shows that it is so.

That errors are as small as float32's roundings does not show that they are such. This does::

    weights     every weight after a step is a float32 number
    moves       every w_k − w_{k+1} is one, up to the rounding of w in float64
    numbers     with 1 − βᵗ, η and the like rounded to float32, every weight is within its bound, and without not
"""

from __future__ import annotations

import numpy as np

from parity.explain.feeds import Played
from parity.explain.finding import Finding
from parity.features.check.identify import Held, Judgement, judge_with
from refimpl.arithmetic.formats import FORMATS
from refimpl.types import Array

FLOAT32, FLOAT64 = FORMATS["float32"], FORMATS["float64"]
SEEN = 0.9
"""Share of the moves that must be float32 numbers: others may lie at a weight that is rounded more coarsely."""


def of_float64(held: Held, played: Played, wide: Judgement, *, torchs: bool) -> Finding | None:
    """What is computed in float32 though the weights are float64, if that explains the run; else None.

    ``torchs``: the step is torch's own, which keeps some numbers so: a note says it.
    """
    narrow = wide if wide.share <= 1 else judge_with(held, played, "float32", "float32")
    if narrow.share > 1 or (wide.share <= 1 and wide.scalar == "float64"):
        return None
    what = _in_float32(played) or ("numbers" if wide.share <= 1 and not torchs else "")
    if not what:
        return None
    return Finding(
        id=f"float32-{what}",
        text=TEXTS[what],
        evidence=f"with these roundings all recorded weights lie within their bounds, at most {narrow.share:.2g} of "
        f"them used; first disagreement: {judge_with(held, played, 'float64', 'float64').first}",
        change="compute in the dtype of the weights, and keep the state in it",
    )


TEXTS = {
    "weights": "float64 weights are rounded to float32: each weight after a step is a float32 number",
    "moves": "steps of float64 weights are computed in float32: each move is a float32 number",
    "numbers": "numbers such as the rate and 1 − βᵗ are computed in float32: a float64 step is right to 7 digits only",
}


def _in_float32(played: Played) -> str:
    """Which of them are float32 numbers: the weights, the moves, or none."""
    weights = [_moved(weights) for weights in played.weights.values()]
    after = np.concatenate([w[1].ravel() for w in weights])
    if after.size and np.array_equal(FLOAT32.round(after), after):
        return "weights"
    shares = [_float32_share(*w) for w in weights if w[1].size]
    return "moves" if shares and min(shares) >= SEEN else ""


def _moved(weights: Array) -> tuple[Array, Array]:
    """The weights before and after each step that moved them."""
    moves = weights[1:] != weights[:-1]
    return weights[:-1][moves], weights[1:][moves]


def _float32_share(before: Array, after: Array) -> float:
    """The share of the moves that are float32 numbers as far as float64 shows; those that it cannot show are left out.

    A move of any other size is so by chance where the unit of the weight reaches that of float32 at the move.
    """
    move = before - after
    room = 2 * FLOAT64.half_ulp(np.maximum(np.abs(before), np.abs(after)))
    told = FLOAT32.half_ulp(move) > 64 * room
    near = np.abs(move - FLOAT32.round(move)) <= room
    return float(np.mean(near[told])) if told.any() else 0.0
