"""LAMB: Adam whose step has, in every array of weights, the length η·‖w‖.

::

    m ← β₁m + (1 − β₁)g                 v ← β₂v + (1 − β₂)g²
    c₁ = 1 − β₁ᵗ                        c₂ = 1 − β₂ᵗ            both 1 without ``bias_correction``
    u = (m/c₁) / (√v/√c₂ + ε) + λw
    w ← w − η·φ(‖w‖)/‖u‖ · u            the trust ratio φ(‖w‖)/‖u‖ is 1 where w = 0; u = 0 moves nothing

with the Euclidean norm over the whole array of one run, and φ(x) = min(x, ``clamp_value``) or, without it, x.

Source: You et al., "Large Batch Optimization for Deep Learning: Training BERT in 76 minutes", ICLR 2020,
arXiv:1904.00962, Algorithm 2. The paper's φ is any function between two bounds; the ratio of 1, without which weights
that start at 0 would never move, is that of published code. The decay stays out of m and v, but is part of u, which is
scaled as a whole: it turns the step, and cannot lengthen it.

Packages differ. The third version of the paper had no bias correction, nor has ``pytorch-lamb``, which also clamps ‖w‖
at 10 (and its ratio is 0 or nan where a norm is 0): ``bias_correction=False, clamp_value=10``. So does
``torch-optimizer``, whose ``debias=True`` scales the finished step by √c₂/c₁ instead. ``timm`` first clips the norm of
all gradients together, unless ``max_grad_norm=None``, and takes the ratio as 1 where λ = 0, unless
``always_adapt=True``; then it is as here, and ``optax`` always. ``pytorch-optimizer`` clamps, divides by ‖u‖ + ε, by
default scales the step by 1/c₁ too, and shrinks the weights beside the step.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from refimpl.arithmetic.kernels import norm_of_run
from refimpl.ranges import NonNegative, Rates, check_fields
from refimpl.stepping import count_step, is_zero
from refimpl.types import Array, Decay, State


@dataclass(frozen=True, kw_only=True)
class LAMB:
    """State: ``step`` ``(runs,)``; of the parameter's shape ``exp_avg`` m and ``exp_avg_sq`` v.

    All of it is absent before the first step, when it counts as 0. ``clamp_value``: 0 for none.
    """

    decay: ClassVar[Decay] = "decoupled"
    lr: NonNegative = 0.001
    betas: Rates = (0.9, 0.999)
    eps: NonNegative = 1e-6
    weight_decay: NonNegative = 0.0
    bias_correction: bool = True
    clamp_value: NonNegative = 0.0

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
        if self.bias_correction:
            c1, c2 = 1 - beta1**t, 1 - beta2**t  # 1 − βᵗ
            u = m / c1 / (np.sqrt(v) / np.sqrt(c2) + self.eps)  # (m/c₁) / (√v/√c₂ + ε)
        else:
            u = m / (np.sqrt(v) + self.eps)  # m / (√v + ε)
        if not is_zero(self.weight_decay):
            u = u + self.weight_decay * param  # + λw
        size, length = norm_of_run(param), norm_of_run(u)  # ‖w‖, ‖u‖
        phi = size if is_zero(self.clamp_value) else np.minimum(size, self.clamp_value)  # φ(‖w‖)
        ratio = np.where(size > 0, phi / np.where(length > 0, length, 1), 1)  # φ(‖w‖)/‖u‖ or 1
        return param - self.lr * (ratio * u), {"step": count, "exp_avg": m, "exp_avg_sq": v}  # w − η·φ(‖w‖)/‖u‖·u
