"""Adam, as ``torch.optim.Adam``: steps scaled by running averages of the gradient and of its square.

::

    g ← −g (maximize);  g ← g + λw (coupled)  or  w ← w(1 − ηλ) (decoupled)
    m ← β₁m + (1 − β₁)g                 v ← β₂v + (1 − β₂)g²
    c₁ = 1 − β₁ᵗ                        c₂ = 1 − β₂ᵗ
    v̄ ← max(v̄, v) (amsgrad) or v
    w ← w − (η/c₁)·m / (√v̄/√c₂ + ε)

Sources: Kingma & Ba, "Adam: A Method for Stochastic Optimization", ICLR 2015, Algorithm 1; Reddi, Kale & Kumar, "On the
Convergence of Adam and Beyond", ICLR 2018 (amsgrad). torch differs from both: ε is added after the correction of v, as
in Algorithm 1, not in the reordered form at the end of their §2; amsgrad takes the maximum of v before its correction,
where the paper has none; the decay, which neither paper has, enters the gradient unless ``decoupled_weight_decay``.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from refimpl.ranges import NonNegative, Rates, check_fields
from refimpl.stepping import count_step, is_zero
from refimpl.types import Array, Decay, State


@dataclass(frozen=True, kw_only=True)
class Adam:
    """State: ``step`` ``(runs,)``; of the parameter's shape ``exp_avg`` m, ``exp_avg_sq`` v and ``max_exp_avg_sq`` v̄.

    All of it is absent before the first step, when it counts as 0; v̄ is kept with amsgrad only.
    """

    lr: NonNegative = 0.001
    betas: Rates = (0.9, 0.999)
    eps: NonNegative = 1e-8
    weight_decay: NonNegative = 0.0
    amsgrad: bool = False
    maximize: bool = False
    decoupled_weight_decay: bool = False

    def __post_init__(self) -> None:
        check_fields(self)

    @property
    def decay(self) -> Decay:
        return "decoupled" if self.decoupled_weight_decay else "coupled"

    def init(self, param: Array) -> State:
        del param
        return {}

    def step(self, param: Array, grad: Array, state: State) -> tuple[Array, State]:
        beta1, beta2 = self.betas
        count, t = count_step(state, param)
        g = -grad if self.maximize else grad
        if not is_zero(self.weight_decay):
            if self.decoupled_weight_decay:
                param = param * (1 - self.lr * self.weight_decay)  # w(1 − ηλ)
            else:
                g = g + self.weight_decay * param  # g + λw
        m = beta1 * state.get("exp_avg", 0) + (1 - beta1) * g  # β₁m + (1 − β₁)g
        v = beta2 * state.get("exp_avg_sq", 0) + (1 - beta2) * g * g  # β₂v + (1 − β₂)g²
        after = {"step": count, "exp_avg": m, "exp_avg_sq": v}
        if self.amsgrad:
            v = np.maximum(state.get("max_exp_avg_sq", 0), v)  # max(v̄, v)
            after["max_exp_avg_sq"] = v
        c1, c2 = 1 - beta1**t, 1 - beta2**t  # 1 − βᵗ
        return param - self.lr / c1 * m / (np.sqrt(v) / np.sqrt(c2) + self.eps), after  # w − (η/c₁)m/(√v̄/√c₂ + ε)
