"""Lion (evolved sign momentum): every weight moves by η, in the direction of a sign.

::

    u = sign(β₁m + (1 − β₁)g)
    w ← w(1 − ηλ) − ηu                  decoupled weight decay
    m ← β₂m + (1 − β₂)g                 after it was used, and with another β

Source: Chen et al., "Symbolic Discovery of Optimization Algorithms", NeurIPS 2023, arXiv:2302.06675, Algorithm 2, which
has w − η(u + λw): the same, because u does not depend on w. The PyTorch package ``lion-pytorch`` computes it as above;
its ``decoupled_weight_decay=True`` means another λ, that divided by the first η. Because the step is η whatever the
gradient's size, the paper's η is 3 to 10 times smaller than AdamW's, and its λ as much larger.

sign(0) = 0, so that a weight that never had a gradient stays. Where β₁m + (1 − β₁)g nearly cancels, rounding decides
the sign, and the step may be −η, 0 or η: the bound says so.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from refimpl.ranges import NonNegative, Rates, check_fields
from refimpl.stepping import is_zero
from refimpl.types import Array, Decay, State


@dataclass(frozen=True, kw_only=True)
class Lion:
    """State: ``exp_avg`` m, of the parameter's shape, absent before the first step, when it counts as 0."""

    decay: ClassVar[Decay] = "decoupled"
    lr: NonNegative = 1e-4
    betas: Rates = (0.9, 0.99)
    weight_decay: NonNegative = 0.0

    def __post_init__(self) -> None:
        check_fields(self)

    def init(self, param: Array) -> State:
        del param
        return {}

    def step(self, param: Array, grad: Array, state: State) -> tuple[Array, State]:
        beta1, beta2 = self.betas
        m = state.get("exp_avg", 0)
        u = np.sign(beta1 * m + (1 - beta1) * grad)  # sign(β₁m + (1 − β₁)g)
        if not is_zero(self.weight_decay):
            param = param * (1 - self.lr * self.weight_decay)  # w(1 − ηλ)
        return param - self.lr * u, {"exp_avg": beta2 * m + (1 - beta2) * grad}  # − ηu;  β₂m + (1 − β₂)g
