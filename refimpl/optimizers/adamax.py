"""Adamax, as ``torch.optim.Adamax``: Adam with the gradient's decayed largest magnitude in the place of √v.

::

    g ← −g (maximize);  g ← g + λw
    m ← β₁m + (1 − β₁)g                 u ← max(β₂u, |g| + ε)
    w ← w − η/(1 − β₁ᵗ) · m/u

Source: Kingma & Ba, "Adam: A Method for Stochastic Optimization", ICLR 2015, §7.1 and Algorithm 2. torch differs: the
paper has neither ε nor decay. ε is added inside the maximum and so is part of the state u: it keeps the divisor from 0,
and never adds to a u that outweighs the gradient. The decay is coupled and there is no decoupled one. As in the paper,
u needs no correction.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from refimpl.ranges import NonNegative, Rates, check_fields
from refimpl.stepping import count_step, is_zero
from refimpl.types import Array, Decay, State


@dataclass(frozen=True, kw_only=True)
class Adamax:
    """State: ``step`` ``(runs,)``; of the parameter's shape ``exp_avg`` m and ``exp_inf`` u.

    All of it is absent before the first step, when it counts as 0.
    """

    decay: ClassVar[Decay] = "coupled"
    lr: NonNegative = 0.002
    betas: Rates = (0.9, 0.999)
    eps: NonNegative = 1e-8
    weight_decay: NonNegative = 0.0
    maximize: bool = False

    def __post_init__(self) -> None:
        check_fields(self)

    def init(self, param: Array) -> State:
        del param
        return {}

    def step(self, param: Array, grad: Array, state: State) -> tuple[Array, State]:
        beta1, beta2 = self.betas
        count, t = count_step(state, param)
        g = -grad if self.maximize else grad
        if not is_zero(self.weight_decay):
            g = g + self.weight_decay * param  # g + λw
        m = beta1 * state.get("exp_avg", 0) + (1 - beta1) * g  # β₁m + (1 − β₁)g
        u = np.maximum(beta2 * state.get("exp_inf", 0), np.abs(g) + self.eps)  # max(β₂u, |g| + ε)
        c1 = 1 - beta1**t  # 1 − β₁ᵗ
        return param - self.lr / c1 * m / u, {"step": count, "exp_avg": m, "exp_inf": u}  # w − (η/c₁)m/u
