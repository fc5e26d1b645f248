"""LaProp: Adam with its two averages the other way round, so that momentum is of gradients that are normalised already.

::

    v ← β₂v + (1 − β₂)g²                c₂ = 1 − β₂ᵗ
    u = g / (√(v + ε₀)/√c₂ + ε)         ε₀ is ``eps_root``
    m ← β₁m + (1 − β₁)ηu                c ← β₁c + (1 − β₁)η
    w ← [w − (η/c)·m](1 − ηλ)           decoupled weight decay, after the step; where c = 0, nothing else

and without ``lr_in_buffer``::

    m ← β₁m + (1 − β₁)u                 c = 1 − β₁ᵗ
    w ← [w − (η/c)·m](1 − ηλ)

Source: Ziyin, Wang & Ueda, "LaProp: Separating Momentum and Adaptivity in Adam", arXiv:2002.04839, Algorithm 1, which
is the second form. As long as η stays, they are the same: c is then η(1 − β₁ᵗ). Where a schedule moves η, in the first
each u keeps the rate at which it came, and the sum is scaled to the rate of now.

``timm`` and ``pytorch-optimizer`` compute the first form. The latter has ε₀ = 1e-15, which no argument
changes, and divides ε by √c₂ as well; its options ``centered`` and ``ams_bound`` are not here, nor is timm's
``caution``. ``optax`` has a LaProp without corrections as an RMSprop with momentum.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from refimpl.arithmetic.kernels import item
from refimpl.ranges import NonNegative, Rates, check_fields
from refimpl.stepping import count_step, is_zero
from refimpl.types import Array, Decay, State


@dataclass(frozen=True, kw_only=True)
class LaProp:
    """State: ``step`` and, with ``lr_in_buffer``, ``exp_avg_lr_1`` c, both ``(runs,)``; of the parameter's shape
    ``exp_avg`` m and ``exp_avg_sq`` v.

    All of it is absent before the first step, when it counts as 0.
    """

    decay: ClassVar[Decay] = "decoupled"
    lr: NonNegative = 4e-4
    betas: Rates = (0.9, 0.999)
    eps: NonNegative = 1e-15
    eps_root: NonNegative = 0.0
    weight_decay: NonNegative = 0.0
    lr_in_buffer: bool = True

    def __post_init__(self) -> None:
        check_fields(self)

    def init(self, param: Array) -> State:
        del param
        return {}

    def step(self, param: Array, grad: Array, state: State) -> tuple[Array, State]:
        beta1, beta2 = self.betas
        count, t = count_step(state, param)
        v = beta2 * state.get("exp_avg_sq", 0) + (1 - beta2) * grad * grad  # β₂v + (1 − β₂)g²
        u = grad / (np.sqrt(v + self.eps_root) / np.sqrt(1 - beta2**t) + self.eps)  # g / (√(v + ε₀)/√c₂ + ε)
        after = {"step": count, "exp_avg_sq": v}
        if self.lr_in_buffer:
            before = item(state["exp_avg_lr_1"]).reshape(t.shape) if "exp_avg_lr_1" in state else 0 * t
            c = beta1 * before + (1 - beta1) * self.lr  # β₁c + (1 − β₁)η
            after["exp_avg_lr_1"] = c.reshape(count.shape)
            c = np.where(c > 0, c, 1)
            m = beta1 * state.get("exp_avg", 0) + (1 - beta1) * self.lr * u  # β₁m + (1 − β₁)ηu
        else:
            c = 1 - beta1**t  # 1 − β₁ᵗ
            m = beta1 * state.get("exp_avg", 0) + (1 - beta1) * u  # β₁m + (1 − β₁)u
        param = param - self.lr / c * m  # w − (η/c)m
        if not is_zero(self.weight_decay):
            param = param * (1 - self.lr * self.weight_decay)  # […](1 − ηλ)
        return param, {**after, "exp_avg": m}
