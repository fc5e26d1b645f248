"""Adadelta, as ``torch.optim.Adadelta``: steps in the units of the parameter, from averages of squares.

::

    g ← −g (maximize);  g ← g + λw
    v ← ρv + (1 − ρ)g²
    d = √(u + ε) / √(v + ε) · g
    u ← ρu + (1 − ρ)d²
    w ← w − ηd

Source: Zeiler, "ADADELTA: An Adaptive Learning Rate Method", arXiv:1212.5701, 2012, Algorithm 1. torch adds a rate η,
which the paper does without (1, the default, is the paper's), and a coupled weight decay; u averages d before η.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar

import numpy as np

from refimpl.ranges import NonNegative, Range, check_fields
from refimpl.stepping import count_step, is_zero
from refimpl.types import Array, Decay, Number, State


@dataclass(frozen=True, kw_only=True)
class Adadelta:
    """State: ``step`` ``(runs,)``; of the parameter's shape ``square_avg`` v and ``acc_delta`` u.

    All of it is absent before the first step, when it counts as 0.
    """

    decay: ClassVar[Decay] = "coupled"
    lr: NonNegative = 1.0
    rho: Annotated[Number, Range(low=0, high=1)] = 0.9
    eps: NonNegative = 1e-6
    weight_decay: NonNegative = 0.0
    maximize: bool = False

    def __post_init__(self) -> None:
        check_fields(self)

    def init(self, param: Array) -> State:
        del param
        return {}

    def step(self, param: Array, grad: Array, state: State) -> tuple[Array, State]:
        count, _ = count_step(state, param)
        u = state.get("acc_delta", np.zeros(param.shape))  # an array, so that ε meets the parameter's precision
        g = -grad if self.maximize else grad
        if not is_zero(self.weight_decay):
            g = g + self.weight_decay * param  # g + λw
        v = self.rho * state.get("square_avg", 0) + (1 - self.rho) * g * g  # ρv + (1 − ρ)g²
        d = np.sqrt(u + self.eps) / np.sqrt(v + self.eps) * g  # √(u + ε)/√(v + ε)·g
        u = self.rho * u + (1 - self.rho) * d * d  # ρu + (1 − ρ)d²
        return param - self.lr * d, {"step": count, "square_avg": v, "acc_delta": u}  # w − ηd
