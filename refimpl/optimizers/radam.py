"""RAdam, as ``torch.optim.RAdam``: Adam that waits for its average of squares to mean something.

::

    g ← −g (maximize);  g ← g + λw (coupled)  or  w ← w(1 − ηλ) (decoupled)
    m ← β₁m + (1 − β₁)g                 v ← β₂v + (1 − β₂)g²
    c₁ = 1 − β₁ᵗ                        c₂ = 1 − β₂ᵗ
    ρ∞ = 2/(1 − β₂) − 1                 ρₜ = ρ∞ − 2tβ₂ᵗ/c₂
    where ρₜ > 5:   r = √[(ρₜ − 4)(ρₜ − 2)ρ∞ / ((ρ∞ − 4)(ρ∞ − 2)ρₜ)]
                    w ← w − η·m/c₁ · r·√c₂/(√v + ε)
    else:           w ← w − η·m/c₁

Source: Liu et al., "On the Variance of the Adaptive Learning Rate and Beyond", ICLR 2020, Algorithm 2. torch differs:
it rectifies where ρₜ > 5, the paper where ρₜ > 4 (the authors' code: ρₜ ≥ 5); it adds ε to √v before the correction, so
that ε counts 1/√c₂ times as much as in Adam (the paper has no ε); the decay is coupled by default, where the authors'
code decouples it. ρₜ depends on the count of steps alone; with β₂ ≤ 2/3 it never passes 5.

torch's foreach has one form for both branches, m/((√v + ε)/s) + (0 or η/c₁)·m with s = ηr√c₂/c₁ or 0. So while s is 0
it computes 0/0 where √v + ε is 0, which the second branch does not need: in float16, whose smallest number is above the
default ε, after any gradient that is small or 0. And in float16 (√v + ε)/s overflows, so that the weights stand still,
from a gradient of about 4 on at the first step that is rectified with the default η, when s is 4e-6.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from refimpl.ranges import NonNegative, Rates, check_fields
from refimpl.stepping import count_step, is_zero
from refimpl.types import Array, Decay, State


@dataclass(frozen=True, kw_only=True)
class RAdam:
    """State: ``step`` ``(runs,)``; of the parameter's shape ``exp_avg`` m and ``exp_avg_sq`` v.

    All of it is absent before the first step, when it counts as 0.
    """

    lr: NonNegative = 0.001
    betas: Rates = (0.9, 0.999)
    eps: NonNegative = 1e-8
    weight_decay: NonNegative = 0.0
    decoupled_weight_decay: bool = False
    maximize: bool = False

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
        c1, c2 = 1 - beta1**t, 1 - beta2**t  # 1 − βᵗ
        rho_inf = 2 / (1 - beta2) - 1  # ρ∞
        rho = rho_inf - 2 * t * beta2**t / c2  # ρₜ
        rectified = rho > 5
        # where not rectified, r and √v + ε go unused: ρ + 6 and 1 keep them from roots of less than 0 and from 1/0
        rho, rho_inf = np.where(rectified, rho, rho + 6), np.where(rectified, rho_inf, rho_inf + 6)
        r = np.sqrt((rho - 4) * (rho - 2) * rho_inf / ((rho_inf - 4) * (rho_inf - 2) * rho))
        d = np.where(rectified, np.sqrt(v) + self.eps, 1)  # √v + ε
        plain = m / c1 * self.lr  # η·m/c₁
        update = np.where(rectified, plain * (np.sqrt(c2) / d) * r, plain)  # η·m/c₁·(√c₂/(√v + ε))·r
        return param - update, {"step": count, "exp_avg": m, "exp_avg_sq": v}
