"""AdamP: Adam that does not lengthen weights whose length does not matter.

::

    m ← β₁m + (1 − β₁)g                 v ← β₂v + (1 − β₂)g²
    c₁ = 1 − β₁ᵗ                        c₂ = 1 − β₂ᵗ
    u = m / (√v/√c₂ + ε)                or (β₁m + (1 − β₁)g) / (…) with ``nesterov``
    u, r ← Π(u), ``wd_ratio``           where g is at right angles with w (:mod:`refimpl.tangent`); else r = 1
    w ← w(1 − ηλr) − (η/c₁)·u

Source: Heo et al., "AdamP: Slowing Down the Slowdown for Momentum Optimizers on Scale-invariant Weights", ICLR 2021,
arXiv:2006.08217, Algorithm 2, which leaves the decay to the authors' code, ``adamp``. It is the same, and so are
``timm`` without ``caution``, ``torch-optimizer`` and ``pytorch-optimizer``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from refimpl.ranges import NonNegative, Portion, Rates, check_fields
from refimpl.stepping import count_step, is_zero
from refimpl.tangent import tangential
from refimpl.types import Array, Decay, State


@dataclass(frozen=True, kw_only=True)
class AdamP:
    """State: ``step`` ``(runs,)``; of the parameter's shape ``exp_avg`` m and ``exp_avg_sq`` v.

    All of it is absent before the first step, when it counts as 0.
    """

    decay: ClassVar[Decay] = "decoupled"
    lr: NonNegative = 0.001
    betas: Rates = (0.9, 0.999)
    eps: NonNegative = 1e-8
    weight_decay: NonNegative = 0.0
    delta: NonNegative = 0.1
    wd_ratio: Portion = 0.1
    nesterov: bool = False

    def __post_init__(self) -> None:
        check_fields(self)

    def init(self, param: Array) -> State:
        del param
        return {}

    def step(self, param: Array, grad: Array, state: State) -> tuple[Array, State]:
        beta1, beta2 = self.betas
        count, t = count_step(state, param)
        m = beta1 * state.get("exp_avg", 0) + (1 - beta1) * grad  # β₁m + (1 − β₁)g
        v = beta2 * state.get("exp_avg_sq", 0) + (1 - beta2) * grad * grad  # β₂v + (1 − β₂)g²
        c1, c2 = 1 - beta1**t, 1 - beta2**t  # 1 − βᵗ
        ahead = beta1 * m + (1 - beta1) * grad if self.nesterov else m  # β₁m + (1 − β₁)g or m
        u = ahead / (np.sqrt(v) / np.sqrt(c2) + self.eps)  # …/(√v/√c₂ + ε)
        decayed = param, param
        if not is_zero(self.weight_decay):
            strength = self.lr * self.weight_decay
            decayed = param * (1 - strength * self.wd_ratio), param * (1 - strength)  # w(1 − ηλr)
        u, param = tangential(param, grad, u, decayed, self.delta, self.eps)  # Π(u)
        return param - self.lr / c1 * u, {"step": count, "exp_avg": m, "exp_avg_sq": v}  # − (η/c₁)u
