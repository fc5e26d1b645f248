"""Yogi: Adam whose second moment moves by (1 − β₂)g² at most, up or down, however far away it is.

::

    g ← g + λw (coupled)  or  w ← w(1 − ηλ) (decoupled)
    m ← β₁m + (1 − β₁)g                 v ← v − (1 − β₂)·sign(v − g²)·g²
    c₁ = 1 − β₁ᵗ                        c₂ = 1 − β₂ᵗ            both 1 without ``bias_correction``
    w ← w − (η/c₁)·m / (√v/√c₂ + ε)

Both averages begin with ``initial_accumulator``. Where v = g², v stays.

Source: Zaheer et al., "Adaptive Methods for Nonconvex Optimization", NeurIPS 2018, Algorithm 2, which has neither decay
nor corrections: ``bias_correction=False``. Published code has the corrections of Adam, and begins not only v, but m too
with 1e-6: ``optax``, ``torch-optimizer`` (coupled) and ``pytorch-optimizer`` (decoupled by default) are the same.

Where v and g² nearly cancel, rounding decides the sign: the bound says so.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from refimpl.ranges import NonNegative, Rates, check_fields
from refimpl.stepping import count_step, is_zero
from refimpl.types import Array, Decay, State


@dataclass(frozen=True, kw_only=True)
class Yogi:
    """State: ``step`` ``(runs,)``; of the parameter's shape ``exp_avg`` m and ``exp_avg_sq`` v.

    All of it is absent before the first step, when m and v count as ``initial_accumulator``.
    """

    lr: NonNegative = 0.01
    betas: Rates = (0.9, 0.999)
    eps: NonNegative = 1e-3
    initial_accumulator: NonNegative = 1e-6
    weight_decay: NonNegative = 0.0
    decoupled_weight_decay: bool = False
    bias_correction: bool = True

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
        square = g * g
        m = beta1 * state.get("exp_avg", self.initial_accumulator) + (1 - beta1) * g  # β₁m + (1 − β₁)g
        v = state.get("exp_avg_sq", self.initial_accumulator)
        v = v - (1 - beta2) * np.sign(v - square) * square  # v − (1 − β₂)·sign(v − g²)·g²
        after = {"step": count, "exp_avg": m, "exp_avg_sq": v}
        if not self.bias_correction:
            return param - self.lr * m / (np.sqrt(v) + self.eps), after  # w − ηm / (√v + ε)
        c1, c2 = 1 - beta1**t, 1 - beta2**t  # 1 − βᵗ
        return param - self.lr / c1 * m / (np.sqrt(v) / np.sqrt(c2) + self.eps), after  # w − (η/c₁)m/(√v/√c₂ + ε)
