"""AdEMAMix: Adam with a second, slow average of the gradients, which remembers thousands of steps.

::

    g ← g + λw (coupled)  or  w ← w(1 − ηλ) (decoupled)
    m ← β₁m + (1 − β₁)g                 v ← β₂v + (1 − β₂)g²
    s ← β₃s + (1 − β₃)g                 the slow average, which is not corrected: it is to fill slowly
    c₁ = 1 − β₁ᵗ                        c₂ = 1 − β₂ᵗ
    w ← w − η(m/c₁ + αs) / (√v/√c₂ + ε)

Source: Pagliardini, Ablin & Grangier, "The AdEMAMix Optimizer: Better, Faster, Older", ICLR 2025, arXiv:2409.03137,
Algorithm 1, whose decay is decoupled; its step has η(… + λw), which is the same, because the rest does not depend on w.
The paper raises α and β₃ over the first steps to where they stay; here they are hyper-parameters like the others, which
a caller may move.

``optax`` is the same, with an ε in the root that is 0 by default. ``pytorch-optimizer`` is the same where
``t_alpha_beta3`` is None; its decay is coupled by default. ``bitsandbytes`` is the same, in float32.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import numpy as np

from refimpl.ranges import NonNegative, Range, check_fields
from refimpl.stepping import count_step, is_zero
from refimpl.types import Array, Decay, Number, State


@dataclass(frozen=True, kw_only=True)
class AdEMAMix:
    """State: ``step`` ``(runs,)``; of the parameter's shape ``exp_avg`` m, ``exp_avg_slow`` s and ``exp_avg_sq`` v.

    All of it is absent before the first step, when it counts as 0.
    """

    lr: NonNegative = 0.001
    betas: Annotated[tuple[Number, Number, Number], Range(low=0, high=1, open_high=True)] = (0.9, 0.999, 0.9999)
    alpha: NonNegative = 5.0
    eps: NonNegative = 1e-8
    weight_decay: NonNegative = 0.0
    decoupled_weight_decay: bool = True

    def __post_init__(self) -> None:
        check_fields(self)

    @property
    def decay(self) -> Decay:
        return "decoupled" if self.decoupled_weight_decay else "coupled"

    def init(self, param: Array) -> State:
        del param
        return {}

    def step(self, param: Array, grad: Array, state: State) -> tuple[Array, State]:
        beta1, beta2, beta3 = self.betas
        count, t = count_step(state, param)
        g = grad
        if not is_zero(self.weight_decay):
            if self.decoupled_weight_decay:
                param = param * (1 - self.lr * self.weight_decay)  # w(1 − ηλ)
            else:
                g = g + self.weight_decay * param  # g + λw
        m = beta1 * state.get("exp_avg", 0) + (1 - beta1) * g  # β₁m + (1 − β₁)g
        s = beta3 * state.get("exp_avg_slow", 0) + (1 - beta3) * g  # β₃s + (1 − β₃)g
        v = beta2 * state.get("exp_avg_sq", 0) + (1 - beta2) * g * g  # β₂v + (1 − β₂)g²
        c1, c2 = 1 - beta1**t, 1 - beta2**t  # 1 − βᵗ
        d = np.sqrt(v) / np.sqrt(c2) + self.eps  # √v/√c₂ + ε
        param = param - self.lr * ((m / c1 + self.alpha * s) / d)  # w − η(m/c₁ + αs)/d
        return param, {"step": count, "exp_avg": m, "exp_avg_slow": s, "exp_avg_sq": v}
