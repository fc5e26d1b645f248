"""AdaBound: Adam whose rate of each element is kept between two bounds that close on one rate, so that it ends as SGD.

::

    g ← g + λw (coupled)  or  w ← w(1 − ηλ) (decoupled)
    m ← β₁m + (1 − β₁)g                 v ← β₂v + (1 − β₂)g²
    v̄ ← max(v̄, v) with ``amsbound``, else v̄ = v
    η* = ``final_lr``, or η*·η/η₀ where ``base_lr`` η₀ is given
    a = η√c₂/c₁ / (√(v̄ + ε₀) + ε)       c₁ = 1 − β₁ᵗ, c₂ = 1 − β₂ᵗ, ε₀ is ``eps_root``
    a ← min(max(a, η*(1 − 1/(γt + 1))), η*(1 + 1/(γt)))
    w ← w − a·m

Source: Luo, Xiong, Liu & Sun, "Adaptive Gradient Methods with Dynamic Bound of Learning Rate", ICLR 2019, Algorithms 2
and 3 (AMSBound). The printed step is η/√v, clipped, over √t and without corrections; that of the authors' code is the
one above. A schedule does not reach the bounds, unless η* follows it: the code multiplies η* by η/η₀, where η₀ is the
rate of its construction. Here η₀ is ``base_lr``; without it η* stays, and the weights move where η = 0.

``adabound`` and ``torch-optimizer`` decay coupled, ``pytorch-optimizer`` by default decoupled, with ε₀ = 1e-15.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from refimpl.errors import ParameterError
from refimpl.ranges import NonNegative, Rates, check_fields
from refimpl.stepping import count_step, is_zero
from refimpl.types import Array, Decay, State


@dataclass(frozen=True, kw_only=True)
class AdaBound:
    """State: ``step`` ``(runs,)``; of the parameter's shape ``exp_avg`` m, ``exp_avg_sq`` v and, with ``amsbound``,
    ``max_exp_avg_sq`` v̄.

    All of it is absent before the first step, when it counts as 0. ``base_lr``: 0 for none.
    """

    lr: NonNegative = 0.001
    betas: Rates = (0.9, 0.999)
    final_lr: NonNegative = 0.1
    gamma: NonNegative = 1e-3
    eps: NonNegative = 1e-8
    eps_root: NonNegative = 0.0
    base_lr: NonNegative = 0.0
    weight_decay: NonNegative = 0.0
    decoupled_weight_decay: bool = False
    amsbound: bool = False

    def __post_init__(self) -> None:
        check_fields(self)
        if is_zero(self.gamma):
            raise ParameterError("gamma", given="0", allowed="a number above 0", remedy="for no bounds use adam")

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
        after = {"step": count, "exp_avg": m, "exp_avg_sq": v}
        if self.amsbound:
            v = np.maximum(state.get("max_exp_avg_sq", 0), v)  # max(v̄, v)
            after["max_exp_avg_sq"] = v
        c1, c2 = 1 - beta1**t, 1 - beta2**t  # 1 − βᵗ
        a = self.lr * np.sqrt(c2) / c1 / (np.sqrt(v + self.eps_root) + self.eps)  # η√c₂/c₁ / (√(v̄ + ε₀) + ε)
        final = self.final_lr if is_zero(self.base_lr) else self.final_lr * self.lr / self.base_lr  # η*
        low = final * (1 - 1 / (self.gamma * t + 1))  # η*(1 − 1/(γt + 1))
        high = final * (1 + 1 / (self.gamma * t))  # η*(1 + 1/(γt))
        a = np.where(a < low, low, np.where(a > high, high, a))  # min(max(a, low), high)
        return param - a * m, after  # w − a·m
