"""StableAdamW: AdamW whose rate is lowered in every array of weights whose gradient is larger than was expected of it.

::

    b = β₁(1 − β₁ᵗ⁻¹)/(1 − β₁ᵗ)         a β that makes an average need no correction; 0 at the first step
    m ← bm + (1 − b)g                   v the same with β₂ and g²
    R = √(mean of g²/max(v, ε²))        over the whole array of one run
    α = η/max(1, R)
    w ← w(1 − αλ) − α·m / (√v + ε)

Source: Wortsman et al., "Stable and low-precision training for large-scale vision-language models", NeurIPS 2023,
arXiv:2304.13013, Algorithm 2: the clipping of updates of Adafactor, with d = 1, in AdamW. α multiplies the decay, too.

``optimi`` is the same where ``decouple_lr=False``, and so is ``pytorch-optimizer`` where ``weight_decouple=True``, both
as they are by default, in formats that are not compensated.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from refimpl.arithmetic.kernels import mean
from refimpl.ranges import NonNegative, Rates, check_fields
from refimpl.stepping import count_step, is_zero
from refimpl.types import Array, Decay, State


@dataclass(frozen=True, kw_only=True)
class StableAdamW:
    """State: ``step`` ``(runs,)``; of the parameter's shape ``exp_avg`` m and ``exp_avg_sq`` v.

    All of it is absent before the first step, when it has no weight.
    """

    decay: ClassVar[Decay] = "decoupled"
    lr: NonNegative = 0.001
    betas: Rates = (0.9, 0.99)
    eps: NonNegative = 1e-8
    weight_decay: NonNegative = 0.0

    def __post_init__(self) -> None:
        check_fields(self)

    def init(self, param: Array) -> State:
        del param
        return {}

    def step(self, param: Array, grad: Array, state: State) -> tuple[Array, State]:
        count, t = count_step(state, param)
        b1, b2 = (beta * (1 - beta ** (t - 1)) / (1 - beta**t) for beta in self.betas)  # β(1 − βᵗ⁻¹)/(1 − βᵗ)
        m = b1 * state.get("exp_avg", 0) + (1 - b1) * grad  # bm + (1 − b)g
        v = b2 * state.get("exp_avg_sq", 0) + (1 - b2) * grad * grad  # bv + (1 − b)g²
        ratio = grad * grad / np.maximum(v, self.eps * self.eps)  # g²/max(v, ε²)
        R = np.sqrt(mean(ratio.reshape(len(param), -1))).reshape(t.shape)  # √mean
        rate = self.lr / np.maximum(1, R)  # η/max(1, R)
        if not is_zero(self.weight_decay):
            param = param * (1 - rate * self.weight_decay)  # w(1 − αλ)
        return param - rate * m / (np.sqrt(v) + self.eps), {"step": count, "exp_avg": m, "exp_avg_sq": v}
