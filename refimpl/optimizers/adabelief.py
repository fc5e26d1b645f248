"""AdaBelief: Adam that divides by how far the gradient is from its average, instead of by how large it is.

::

    g ← g + λw (coupled)  or  w ← w(1 − ηλ) (decoupled: ``weight_decouple``)
    m ← β₁m + (1 − β₁)g                 s ← β₂s + (1 − β₂)(g − m)² + ε
    c₁ = 1 − β₁ᵗ                        c₂ = 1 − β₂ᵗ
    w ← w − (η/c₁)·m / (√s/√c₂ + ε)

and with ``rectify``, as in RAdam::

    ρ∞ = 2/(1 − β₂) − 1                 ρₜ = ρ∞ − 2tβ₂ᵗ/c₂
    where ρₜ ≥ 5:   r = √[(ρₜ − 4)(ρₜ − 2)ρ∞ / ((ρ∞ − 4)(ρ∞ − 2)ρₜ)]
                    w ← w − (η/c₁)·m · r√c₂/(√s + ε)
    else:           w ← w − (η/c₁)·m

Source: Zhuang et al., "AdaBelief Optimizer: Adapting Stepsizes by the Belief in Observed Gradients", NeurIPS 2020,
arXiv:2010.07468, Algorithm 2, which has neither decay nor ``rectify``. ε counts twice. The first is added to s at every
step and stays in it: s is at least ε(1 − β₂ᵗ)/(1 − β₂), whose root, and not ε, is the least that m is divided by, as
soon as gradients are constant. That is why ε is 1e-16, and why 1e-8 is another optimizer.

The authors' ``adabelief-pytorch`` computes the same, with ``rectify`` on by default, as in ``timm``, and off in
``pytorch-optimizer``. ``torch-optimizer`` has the same step without ``rectify`` (by default with ε = 1e-8 and coupled
decay); its own rectification begins at ρₜ > 4. ``optax`` has two numbers for ε, both 1e-16.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from refimpl.ranges import NonNegative, Rates, check_fields
from refimpl.stepping import count_step, is_zero
from refimpl.types import Array, Decay, State


@dataclass(frozen=True, kw_only=True)
class AdaBelief:
    """State: ``step`` ``(runs,)``; of the parameter's shape ``exp_avg`` m and ``exp_avg_var`` s.

    All of it is absent before the first step, when it counts as 0.
    """

    lr: NonNegative = 0.001
    betas: Rates = (0.9, 0.999)
    eps: NonNegative = 1e-16
    weight_decay: NonNegative = 0.0
    weight_decouple: bool = True
    rectify: bool = False

    def __post_init__(self) -> None:
        check_fields(self)

    @property
    def decay(self) -> Decay:
        return "decoupled" if self.weight_decouple else "coupled"

    def init(self, param: Array) -> State:
        del param
        return {}

    def step(self, param: Array, grad: Array, state: State) -> tuple[Array, State]:
        beta1, beta2 = self.betas
        count, t = count_step(state, param)
        g = grad
        if not is_zero(self.weight_decay):
            if self.weight_decouple:
                param = param * (1 - self.lr * self.weight_decay)  # w(1 − ηλ)
            else:
                g = g + self.weight_decay * param  # g + λw
        m = beta1 * state.get("exp_avg", 0) + (1 - beta1) * g  # β₁m + (1 − β₁)g
        surprise = g - m  # g − m
        s = beta2 * state.get("exp_avg_var", 0) + (1 - beta2) * surprise * surprise + self.eps  # β₂s + (1 − β₂)(…)² + ε
        after = {"step": count, "exp_avg": m, "exp_avg_var": s}
        c1, c2 = 1 - beta1**t, 1 - beta2**t  # 1 − βᵗ
        if not self.rectify:
            return param - self.lr / c1 * m / (np.sqrt(s) / np.sqrt(c2) + self.eps), after  # w − (η/c₁)m/(√s/√c₂ + ε)
        rho_inf = 2 / (1 - beta2) - 1  # ρ∞
        rho = rho_inf - 2 * t * beta2**t / c2  # ρₜ
        rectified = rho >= 5
        # where not rectified, r and √s + ε go unused: ρ + 6 and 1 keep them from roots of less than 0 and from 1/0
        rho, rho_inf = np.where(rectified, rho, rho + 6), np.where(rectified, rho_inf, rho_inf + 6)
        r = np.sqrt((rho - 4) * (rho - 2) * rho_inf / ((rho_inf - 4) * (rho_inf - 2) * rho))
        d = np.where(rectified, np.sqrt(s) + self.eps, 1)  # √s + ε
        rate = np.where(rectified, self.lr / c1 * (r * np.sqrt(c2)), self.lr / c1)  # (η/c₁)·r√c₂ or η/c₁
        return param - rate * m / d, after  # w − rate·m/d
