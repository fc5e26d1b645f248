"""Adagrad, as ``torch.optim.Adagrad``: steps divided by the root of the sum of all squared gradients.

::

    g ← −g (maximize);  g ← g + λw
    ηₜ = η/(1 + (t − 1)·lr_decay)
    s ← s + g²                      s₀ = initial_accumulator_value
    w ← w − ηₜ·g / (√s + ε)

Source: Duchi, Hazan & Singer, "Adaptive Subgradient Methods for Online Learning and Stochastic Optimization", JMLR 12,
2011, Figure 1 with diagonal matrices; its δ is ε here. torch differs: the sum may start above 0; η falls by itself with
``lr_decay``, beside the growing sum; the coupled weight decay enters the sum, where the paper meets a regulariser by a
proximal step. Under ``maximize`` the weight decay is not negated.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from refimpl.ranges import NonNegative, check_fields
from refimpl.stepping import count_step, is_zero
from refimpl.types import Array, Decay, State


@dataclass(frozen=True, kw_only=True)
class Adagrad:
    """State: ``step`` ``(runs,)``; ``sum`` s, of the parameter's shape. torch makes both with the optimizer."""

    decay: ClassVar[Decay] = "coupled"
    lr: NonNegative = 0.01
    lr_decay: NonNegative = 0.0
    weight_decay: NonNegative = 0.0
    initial_accumulator_value: NonNegative = 0.0
    eps: NonNegative = 1e-10
    maximize: bool = False

    def __post_init__(self) -> None:
        check_fields(self)

    def init(self, param: Array) -> State:
        start = np.zeros(param.shape, int) + self.initial_accumulator_value  # integers: 0 in every arithmetic
        return {"step": np.zeros(len(param), int), "sum": start}

    def step(self, param: Array, grad: Array, state: State) -> tuple[Array, State]:
        count, t = count_step(state, param)
        g = -grad if self.maximize else grad
        if not is_zero(self.weight_decay):
            g = g + self.weight_decay * param  # g + λw
        lr = self.lr / (1 + (t - 1) * self.lr_decay)  # η/(1 + (t − 1)·lr_decay)
        s = state["sum"] + g * g  # s + g²
        return param - lr * g / (np.sqrt(s) + self.eps), {"step": count, "sum": s}  # w − ηₜg/(√s + ε)
