"""AdamW, as ``torch.optim.AdamW``: Adam whose weight decay acts on the weights and never enters the averages.

::

    g ← −g (maximize)
    w ← w(1 − ηλ)
    m ← β₁m + (1 − β₁)g                 v ← β₂v + (1 − β₂)g²
    c₁ = 1 − β₁ᵗ                        c₂ = 1 − β₂ᵗ
    v̄ ← max(v̄, v) (amsgrad) or v
    w ← w − (η/c₁)·m / (√v̄/√c₂ + ε)

Sources: Loshchilov & Hutter, "Decoupled Weight Decay Regularization", ICLR 2019, Algorithm 2; for amsgrad Reddi, Kale &
Kumar, "On the Convergence of Adam and Beyond", ICLR 2018. torch differs from both: the paper's decay is λ times the
schedule alone, torch's is ηλ, so that λ halves with η; torch shrinks the weights before the step, the paper beside it,
which is the same because the step does not depend on them; torch decays by default, with λ = 0.01, and biases too;
amsgrad takes the maximum of v before its correction. Under ``maximize`` the decay still shrinks the weights.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from refimpl.ranges import NonNegative, Rates, check_fields
from refimpl.stepping import count_step
from refimpl.types import Array, Decay, State


@dataclass(frozen=True, kw_only=True)
class AdamW:
    """State: ``step`` ``(runs,)``; of the parameter's shape ``exp_avg`` m, ``exp_avg_sq`` v and ``max_exp_avg_sq`` v̄.

    All of it is absent before the first step, when it counts as 0; v̄ is kept with amsgrad only.
    """

    decay: ClassVar[Decay] = "decoupled"
    lr: NonNegative = 0.001
    betas: Rates = (0.9, 0.999)
    eps: NonNegative = 1e-8
    weight_decay: NonNegative = 0.01
    amsgrad: bool = False
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
        decayed = param * (1 - self.lr * self.weight_decay)  # w(1 − ηλ)
        m = beta1 * state.get("exp_avg", 0) + (1 - beta1) * g  # β₁m + (1 − β₁)g
        v = beta2 * state.get("exp_avg_sq", 0) + (1 - beta2) * g * g  # β₂v + (1 − β₂)g²
        after = {"step": count, "exp_avg": m, "exp_avg_sq": v}
        if self.amsgrad:
            v = np.maximum(state.get("max_exp_avg_sq", 0), v)  # max(v̄, v)
            after["max_exp_avg_sq"] = v
        c1, c2 = 1 - beta1**t, 1 - beta2**t  # 1 − βᵗ
        return decayed - self.lr / c1 * m / (np.sqrt(v) / np.sqrt(c2) + self.eps), after  # w − (η/c₁)m/(√v̄/√c₂ + ε)
