"""AdaMod: Adam whose rate of each element is never above its own average, which long remembers how small it was.

::

    w ← w(1 − ηλ)                       decoupled weight decay
    m ← β₁m + (1 − β₁)g                 v ← β₂v + (1 − β₂)g²
    a = η√c₂/c₁ / (√v + ε)              c₁ = 1 − β₁ᵗ, c₂ = 1 − β₂ᵗ
    s ← β₃s + (1 − β₃)a                 s begins with 0 and is not corrected: it is a warm-up
    w ← w − min(a, s)·m

Source: Ding, Ren, Luo & Sun, "An Adaptive and Momental Bound Method for Stochastic Learning", arXiv:1910.12249,
Algorithm 1. There a = η/(√(v/c₂) + ε), and m is divided by c₁ after the minimum; the authors' code, like every
package's, has the a above, so that s averages 1/c₁ with it: their first steps differ.

``torch-optimizer`` is the same, with β₃ as an argument of its own (``beta3``), and ``pytorch-optimizer``, with three
``betas``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar

import numpy as np

from refimpl.ranges import NonNegative, Range, check_fields
from refimpl.stepping import count_step, is_zero
from refimpl.types import Array, Decay, Number, State


@dataclass(frozen=True, kw_only=True)
class AdaMod:
    """State: ``step`` ``(runs,)``; of the parameter's shape ``exp_avg`` m, ``exp_avg_sq`` v and ``exp_avg_lr`` s.

    All of it is absent before the first step, when it counts as 0.
    """

    decay: ClassVar[Decay] = "decoupled"
    lr: NonNegative = 0.001
    betas: Annotated[tuple[Number, Number, Number], Range(low=0, high=1, open_high=True)] = (0.9, 0.999, 0.999)
    eps: NonNegative = 1e-8
    weight_decay: NonNegative = 0.0

    def __post_init__(self) -> None:
        check_fields(self)

    def init(self, param: Array) -> State:
        del param
        return {}

    def step(self, param: Array, grad: Array, state: State) -> tuple[Array, State]:
        beta1, beta2, beta3 = self.betas
        count, t = count_step(state, param)
        if not is_zero(self.weight_decay):
            param = param * (1 - self.lr * self.weight_decay)  # w(1 − ηλ)
        m = beta1 * state.get("exp_avg", 0) + (1 - beta1) * grad  # β₁m + (1 − β₁)g
        v = beta2 * state.get("exp_avg_sq", 0) + (1 - beta2) * grad * grad  # β₂v + (1 − β₂)g²
        c1, c2 = 1 - beta1**t, 1 - beta2**t  # 1 − βᵗ
        a = self.lr * np.sqrt(c2) / c1 / (np.sqrt(v) + self.eps)  # η√c₂/c₁ / (√v + ε)
        s = beta3 * state.get("exp_avg_lr", 0) + (1 - beta3) * a  # β₃s + (1 − β₃)a
        param = param - np.where(a < s, a, s) * m  # w − min(a, s)·m
        return param, {"step": count, "exp_avg": m, "exp_avg_sq": v, "exp_avg_lr": s}
