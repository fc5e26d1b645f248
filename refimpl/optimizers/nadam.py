"""NAdam, as ``torch.optim.NAdam``: Adam that looks ahead with Nesterov's momentum, whose strength μ grows.

::

    g ← −g (maximize);  g ← g + λw (coupled)  or  w ← w(1 − ηλ) (decoupled)
    μₜ = β₁(1 − ½·0.96^{tψ})            Πₜ = μ₁μ₂⋯μₜ
    m ← β₁m + (1 − β₁)g                 v ← β₂v + (1 − β₂)g²
    d = √v/√c₂ + ε,  c₂ = 1 − β₂ᵗ
    w ← w − η(1 − μₜ)/(1 − Πₜ) · g/d − ημₜ₊₁/(1 − Πₜμₜ₊₁) · m/d

Source: Dozat, "Incorporating Nesterov Momentum into Adam", ICLR 2016 workshop, Algorithm 2 and §4 (the schedule of μ,
with ψ = 1/250). torch differs: m is averaged with β₁, which does not move, where the paper has μₜ; the paper's v/c₂ has
another factor β₂; it has no decay. torch keeps Π in float32, whatever the dtype of the parameter, and goes on with what
it kept. 0.96 is the double nearest to it.

torch's for-loop takes √(v/c₂), its foreach √v/√c₂ as here. They are equal but for one rounding less, and an overflow:
in float16 v/c₂ exceeds the largest number after a gradient of 256, and the for-loop's weights then stand still.
"""

from __future__ import annotations

from dataclasses import dataclass
from operator import mul

import numpy as np

from refimpl.arithmetic.kernels import item, kept
from refimpl.ranges import NonNegative, Rates, check_fields
from refimpl.stepping import count_step, is_zero
from refimpl.types import Array, Decay, Number, State


@dataclass(frozen=True, kw_only=True)
class NAdam:
    """State: ``step`` and ``mu_product`` Π ``(runs,)``; of the parameter's shape ``exp_avg`` m and ``exp_avg_sq`` v.

    All of it is absent before the first step, when Π counts as 1 and the rest as 0.
    """

    lr: NonNegative = 0.002
    betas: Rates = (0.9, 0.999)
    eps: NonNegative = 1e-8
    weight_decay: NonNegative = 0.0
    momentum_decay: NonNegative = 0.004
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

    def momentum(self, t: Array) -> Number:
        """μₜ."""
        power = 1 if is_zero(self.momentum_decay) else (24 / 25) ** (t * self.momentum_decay)  # 0.96^{tψ}
        return self.betas[0] * (1 - power / 2)  # β₁(1 − ½·0.96^{tψ})

    def step(self, param: Array, grad: Array, state: State) -> tuple[Array, State]:
        beta1, beta2 = self.betas
        count, t = count_step(state, param)
        g = -grad if self.maximize else grad
        if not is_zero(self.weight_decay):
            if self.decoupled_weight_decay:
                param = param * (1 - self.lr * self.weight_decay)  # w(1 − ηλ)
            else:
                g = g + self.weight_decay * param  # g + λw
        mu, next_mu = self.momentum(t), self.momentum(t + 1)  # μₜ, μₜ₊₁
        product = item(state.get("mu_product", np.ones(len(param), int))).reshape(t.shape)  # Πₜ₋₁
        product = kept("float32", mul, product, mu)  # Πₜ = Πₜ₋₁μₜ
        m = beta1 * state.get("exp_avg", 0) + (1 - beta1) * g  # β₁m + (1 − β₁)g
        v = beta2 * state.get("exp_avg_sq", 0) + (1 - beta2) * g * g  # β₂v + (1 − β₂)g²
        c2 = 1 - beta2**t  # 1 − β₂ᵗ
        d = np.sqrt(v) / np.sqrt(c2) + self.eps  # √v/√c₂ + ε
        ahead = param - self.lr * (1 - mu) / (1 - product) * g / d  # w − η(1 − μₜ)/(1 − Πₜ)·g/d
        param = ahead - self.lr * next_mu / (1 - product * next_mu) * m / d  # − ημₜ₊₁/(1 − Πₜμₜ₊₁)·m/d
        return param, {"step": count, "mu_product": product.reshape(len(count)), "exp_avg": m, "exp_avg_sq": v}
