"""Adan: Adam with Nesterov's look ahead, made of the differences of gradients.

::

    δ = g − p                           p: the gradient before; δ = 0 at the first step
    m ← β₁m + (1 − β₁)g                 v ← β₂v + (1 − β₂)δ
    n ← β₃n + (1 − β₃)(g + β₂δ)²
    cᵢ = 1 − βᵢᵗ
    w ← [w − η(m/c₁ + β₂·v/c₂) / (√n/√c₃ + ε)] / (1 + ηλ)
    p ← g

and with ``no_prox``: w ← w(1 − ηλ) − η(m/c₁ + β₂·v/c₂) / (√n/√c₃ + ε).

Source: Xie, Zhou, Li, Lin & Yan, "Adan: Adaptive Nesterov Momentum Algorithm for Faster Optimizing Deep Models", IEEE
TPAMI 2024, arXiv:2208.06677, Algorithm 1, whose βᵢ are 1 minus these. The decay is the proximal step of λ/2·‖w‖² in the
metric of the weights, hence the division. The algorithm as printed starts with m = g, n = g² and has no cᵢ; the
authors' code, like every package's, starts with 0 and divides by cᵢ. The first step is the same either way, later ones
are not. The printed one may also restart, which the code leaves to the caller.

Here it is the authors' ``adan.py`` without its ``max_grad_norm`` (off by default), which is over all parameters; so
too ``timm`` and ``pytorch-optimizer`` (whose ``weight_decouple=True`` means ``no_prox``). ``adan-pytorch`` skips the
averages at the first step, so that nothing moves in it. ``optax`` has (1 − β₂) where β₂ is above, in n and in the step,
and ε in the root too; with β₂ = ½ and ``eps_root=0`` it is the same.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar

import numpy as np

from refimpl.ranges import NonNegative, Range, check_fields
from refimpl.stepping import count_step, is_zero
from refimpl.types import Array, Decay, Number, State


@dataclass(frozen=True, kw_only=True)
class Adan:
    """State: ``step`` ``(runs,)``; of the parameter's shape ``exp_avg`` m, ``exp_avg_diff`` v, ``exp_avg_sq`` n and
    ``neg_pre_grad`` −p.

    All of it is absent before the first step, when p counts as g and the rest as 0.
    """

    decay: ClassVar[Decay] = "decoupled"
    lr: NonNegative = 0.001
    betas: Annotated[tuple[Number, Number, Number], Range(low=0, high=1, open_high=True)] = (0.98, 0.92, 0.99)
    eps: NonNegative = 1e-8
    weight_decay: NonNegative = 0.0
    no_prox: bool = False

    def __post_init__(self) -> None:
        check_fields(self)

    def init(self, param: Array) -> State:
        del param
        return {}

    def step(self, param: Array, grad: Array, state: State) -> tuple[Array, State]:
        beta1, beta2, beta3 = self.betas
        count, t = count_step(state, param)
        difference = grad + state.get("neg_pre_grad", -grad)  # g − p
        m = beta1 * state.get("exp_avg", 0) + (1 - beta1) * grad  # β₁m + (1 − β₁)g
        v = beta2 * state.get("exp_avg_diff", 0) + (1 - beta2) * difference  # β₂v + (1 − β₂)δ
        ahead = grad + beta2 * difference  # g + β₂δ
        n = beta3 * state.get("exp_avg_sq", 0) + (1 - beta3) * ahead * ahead  # β₃n + (1 − β₃)(g + β₂δ)²
        after = {"step": count, "exp_avg": m, "exp_avg_diff": v, "exp_avg_sq": n, "neg_pre_grad": -grad}
        c1, c2, c3 = 1 - beta1**t, 1 - beta2**t, 1 - beta3**t  # 1 − βᵗ
        d = np.sqrt(n) / np.sqrt(c3) + self.eps  # √n/√c₃ + ε
        decays = not is_zero(self.weight_decay)
        if decays and self.no_prox:
            param = param * (1 - self.lr * self.weight_decay)  # w(1 − ηλ)
        param = param - self.lr / c1 * m / d - self.lr * beta2 / c2 * v / d  # w − η(m/c₁ + β₂·v/c₂)/d
        if decays and not self.no_prox:
            param = param / (1 + self.lr * self.weight_decay)  # […] / (1 + ηλ)
        return param, after
