"""Where the decay enters, and of what it is.

``gradient``: what the decay adds to the gradients that m and v are made of. ``before``: the weights that the step
starts from. ``step``: what it adds to the direction. ``after``: the weights when the step was made.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from refimpl.arithmetic.kernels import norm_of_run


def _same(h: Any, w: Any, g: Any) -> Any:
    del h, w
    return g


def _kept(h: Any, w: Any, start: Any) -> Any:
    del h, start
    return w


def _nothing(h: Any, w: Any, u: Any) -> Any:
    del h, w
    return u


@dataclass(frozen=True)
class Decay:
    """One way to decay weights, of rule ``h``, weights ``w`` and what stands in the docstring above."""

    text: str
    for_m: Callable[[Any, Any, Any], Any] = _same
    for_v: Callable[[Any, Any, Any], Any] = _same
    before: Callable[[Any, Any, Any], Any] = _kept
    step: Callable[[Any, Any, Any], Any] = _nothing
    numerator: Callable[[Any, Any, Any], Any] = _nothing
    after: Callable[[Any, Any, Any], Any] = _kept
    masked: bool = False


def _l2(h: Any, w: Any, g: Any) -> Any:
    return g + h.weight_decay * w  # g + λw


def _l1(h: Any, w: Any, g: Any) -> Any:
    return g + h.weight_decay * np.sign(w)  # g + λ·sign w


def _unit(w: Any) -> Any:
    length = norm_of_run(w)
    return w / np.where(length > 0, length, 1)


TABLE: dict[str, Decay] = {
    "none": Decay("there is no weight decay"),
    "coupled": Decay("the decay is coupled (L2): λ·w is added to the gradient, before m and v", for_m=_l2, for_v=_l2),
    "coupled in m": Decay("the decay enters m only: m averages g + λ·w, v averages g² without it", for_m=_l2),
    "coupled in v": Decay("the decay enters v only: v averages (g + λ·w)², m averages g without it", for_v=_l2),
    "decoupled in v": Decay(
        "v averages the square of g + λ·w, though the decay is decoupled",
        for_v=_l2,
        before=lambda h, w, _: w * (1 - h.lr * h.weight_decay),
    ),
    "coupled sign": Decay(
        "the decay adds λ·sign(w) to the gradient, as an L1 penalty does, in the place of λ·w", for_m=_l1, for_v=_l1
    ),
    "decoupled": Decay(
        "the decay is decoupled: w shrinks by the factor 1 − ηλ, apart from the gradient",
        before=lambda h, w, _: w * (1 - h.lr * h.weight_decay),
    ),
    "after": Decay(
        "the decay comes after the step and shrinks the step just made, too: w ← (w − η·u)·(1 − ηλ)",
        after=lambda h, w, _: w * (1 - h.lr * h.weight_decay),
    ),
    "without rate": Decay(
        "the decay is not multiplied by the learning rate: w shrinks by the factor 1 − λ",
        before=lambda h, w, _: w * (1 - h.weight_decay),
    ),
    "after without rate": Decay(
        "the decay comes after the step and is not multiplied by the learning rate: w ← (w − η·u)·(1 − λ)",
        after=lambda h, w, _: w * (1 - h.weight_decay),
    ),
    "rate squared": Decay(
        "the decay is multiplied by the learning rate twice: w shrinks by the factor 1 − η²λ",
        before=lambda h, w, _: w * (1 - h.lr * h.lr * h.weight_decay),
    ),
    "unscheduled": Decay(
        "the decay does not follow the schedule: w shrinks by 1 − η₀λ with the first learning rate η₀",
        before=lambda h, w, _: w * (1 - h.base * h.weight_decay),
    ),
    "scheduled only": Decay(
        "the decay is multiplied by the schedule's factor η/η₀ only, not by the learning rate: 1 − (η/η₀)·λ",
        before=lambda h, w, _: w * (1 - h.lr / h.base * h.weight_decay),
    ),
    "growing": Decay(
        "the decay has the wrong sign: w grows by the factor 1 + ηλ",
        before=lambda h, w, _: w * (1 + h.lr * h.weight_decay),
    ),
    "implicit": Decay(
        "the decay is implicit: w ← (w − η·u)/(1 + ηλ)", after=lambda h, w, _: w / (1 + h.lr * h.weight_decay)
    ),
    "sign": Decay(
        "the decay is L1-like: ηλ·sign(w) is subtracted in the place of ηλ·w",
        before=lambda h, w, _: w - h.lr * h.weight_decay * np.sign(w),
    ),
    "unit": Decay(
        "the decay subtracts ηλ·w/‖w‖ in the place of ηλ·w", before=lambda h, w, _: w - h.lr * h.weight_decay * _unit(w)
    ),
    "initial": Decay(
        "the decay pulls towards the initial weights: ηλ·(w − w₀) in the place of ηλ·w",
        before=lambda h, w, start: w - h.lr * h.weight_decay * (w - start),
    ),
    "divided": Decay(
        "the decay is divided by √v with the gradient: (m + λ·w)/(√v + ε)",
        numerator=lambda h, w, n: n + h.weight_decay * w,
    ),
    "in step": Decay(
        "λ·w is added to the direction before it is scaled or kept", step=lambda h, w, u: u + h.weight_decay * w
    ),
    "cautious": Decay(
        "only those weights are decayed whose sign is that of their step",
        before=lambda h, w, _: w * (1 - h.lr * h.weight_decay),
        masked=True,
    ),
}
