"""diffGrad: Adam with a friction, which halves the step of an element whose gradient no longer changes.

::

    g ← g + λw (coupled)  or  w ← w(1 − ηλ) (decoupled)
    m ← β₁m + (1 − β₁)g                 v ← β₂v + (1 − β₂)g²
    ξ = 1/(1 + exp(−|p − g|))           p: the gradient before; 0 at the first step
    w ← w − (η√c₂/c₁)·ξm / (√(v + ε₀) + ε)      c₁ = 1 − β₁ᵗ, c₂ = 1 − β₂ᵗ, ε₀ is ``eps_root``
    p ← g

Source: Dubey et al., "diffGrad: An Optimization Method for Convolutional Neural Networks", IEEE TNNLS 2020,
arXiv:1909.11015, Algorithm 1, where ξ is AbsSig. The paper divides by √(v/c₂) + ε, published code by √v + ε, and
multiplies by √c₂, as here, so that ε counts 1/√c₂ times as much. p contains the decay that is coupled.

``torch-optimizer`` decays coupled, ``pytorch-optimizer`` by default decoupled, with ε₀ = 1e-15; its options ``rectify``
and ``ams_bound`` are not here.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from refimpl.ranges import NonNegative, Rates, check_fields
from refimpl.stepping import count_step, is_zero
from refimpl.types import Array, Decay, State


@dataclass(frozen=True, kw_only=True)
class DiffGrad:
    """State: ``step`` ``(runs,)``; of the parameter's shape ``exp_avg`` m, ``exp_avg_sq`` v and ``previous_grad`` p.

    All of it is absent before the first step, when it counts as 0.
    """

    lr: NonNegative = 0.001
    betas: Rates = (0.9, 0.999)
    eps: NonNegative = 1e-8
    eps_root: NonNegative = 0.0
    weight_decay: NonNegative = 0.0
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
        g = grad
        if not is_zero(self.weight_decay):
            if self.decoupled_weight_decay:
                param = param * (1 - self.lr * self.weight_decay)  # w(1 − ηλ)
            else:
                g = g + self.weight_decay * param  # g + λw
        m = beta1 * state.get("exp_avg", 0) + (1 - beta1) * g  # β₁m + (1 − β₁)g
        v = beta2 * state.get("exp_avg_sq", 0) + (1 - beta2) * g * g  # β₂v + (1 − β₂)g²
        xi = 1 / (1 + np.exp(-np.abs(state.get("previous_grad", 0) - g)))  # 1/(1 + exp(−|p − g|))
        c1, c2 = 1 - beta1**t, 1 - beta2**t  # 1 − βᵗ
        rate = self.lr * np.sqrt(c2) / c1  # η√c₂/c₁
        d = np.sqrt(v + self.eps_root) + self.eps  # √(v + ε₀) + ε
        param = param - rate * (xi * m) / d  # w − (η√c₂/c₁)·ξm/d
        return param, {"step": count, "exp_avg": m, "exp_avg_sq": v, "previous_grad": g}
