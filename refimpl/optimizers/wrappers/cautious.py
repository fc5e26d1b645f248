"""Cautious: of another optimizer's step only the elements are made that go down along the gradient of this step.

With the step −ηu of the inner optimizer, its decay apart, of an array of n elements::

    φ = 1 where u·g > 0, else 0
    s = φ / max(mean φ, ``least``)          the elements that are left become longer, so that their mean stays
    w ← w(1 − ηλ) − η·u·s                   decoupled decay; coupled decay is part of g, and so of u

Source: Liang, Chen, Liu & Liu, "Cautious Optimizers: Improving Training with One Line of Code", arXiv:2411.16085,
Algorithm 1, whose scale is n/(Σφ + ξ) with ξ = 1. The authors' code, and that which follows it, clamps the mean at
``least`` = 1e-3 instead, as here: without that, no element at all that goes down would mean 0/0.

Published AdamW of this kind decides by the sign of m·g: the same, because u has the sign of m. Authors' code decays
after the step, w ← (w − η·u·s)(1 − ηλ); here it comes before, as in AdamW.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from refimpl.arithmetic.kernels import mean
from refimpl.errors import ParameterError
from refimpl.ranges import Portion, check_fields
from refimpl.stepping import is_zero
from refimpl.types import Array, Decay, Optimizer, State

OF_GRADIENTS = (
    "SGD",
    "SGDW",
    "Adam",
    "AdamW",
    "NAdam",
    "RAdam",
    "Adamax",
    "Adagrad",
    "Adadelta",
    "RMSprop",
    "AdaBelief",
    "Lion",
)
"""The optimizers whose step, but for the decay, depends on gradients alone: the same from any weights."""


@dataclass(frozen=True, kw_only=True)
class Cautious:
    """State: that of ``inner``. ``least``: what the mean of φ counts as at least."""

    inner: Optimizer
    least: Portion = 0.001

    def __post_init__(self) -> None:
        check_fields(self)
        name = type(self.inner).__name__
        if name not in OF_GRADIENTS:
            raise ParameterError("inner", given=name, allowed=", ".join(OF_GRADIENTS), remedy="choose one of them")

    @property
    def decay(self) -> Decay:
        return self.inner.decay

    def init(self, param: Array) -> State:
        return self.inner.init(param)

    def step(self, param: Array, grad: Array, state: State) -> tuple[Array, State]:
        inner: Any = self.inner
        decay = getattr(inner, "weight_decay", 0)
        g = -grad if getattr(inner, "maximize", False) else grad
        if not is_zero(decay):
            if inner.decay == "decoupled":
                param = param * (1 - inner.lr * decay)  # w(1 − ηλ)
            else:
                g = g + decay * param  # g + λw
        moved, after = plain(inner).step(0 * param, g, state)  # −ηu, the step from 0
        goes_down = np.where(moved * g < 0, 0 * param + 1, 0 * param)  # φ
        share = mean(goes_down.reshape(len(param), -1)).reshape(-1, *(1,) * (param.ndim - 1))  # mean φ
        return param + moved * (goes_down / np.maximum(share, self.least)), after  # w − η·u·s


def plain(inner: Any) -> Any:
    """The inner optimizer without what was done already: no decay, and it goes down."""
    done = {name: off for name, off in (("weight_decay", 0), ("maximize", False)) if getattr(inner, name, off) != off}
    return replace(inner, **done) if done else inner
