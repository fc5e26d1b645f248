"""ADOPT: Adam that divides by what it knew of the gradients before this one came, so that any β₂ converges.

At the first step nothing moves: v ← g², m ← 0. From then on::

    g ← g + λw (coupled)  or  w ← w(1 − ηλ) (decoupled)
    u = g / max(√v, ε)                  v: of the gradients before
    u ← max(−c, min(u, c))              where ``clip``, with c = kᵖ: k moves until now, this one counted
    m ← β₁m + (1 − β₁)u
    w ← w − ηm
    v ← β₂v + (1 − β₂)g²

p is ``clip_exponent``. With ``clip_count="steps"`` k counts the first step, too, which moves nothing.

Source: Taniguchi et al., "ADOPT: Modified Adam Can Converge with Any β₂ with the Optimal Rate", NeurIPS 2024,
arXiv:2411.02853, Algorithm 2, and its clipped form with cₜ = t^¼. Neither has decay. That g is no part of the v which
divides it is what the proof needs. There is no bias correction.

``optax`` clips as here by default. ``timm`` has p = 0.333 by default, and no clipping with ``clip_exp=None``.
``pytorch-optimizer`` counts steps, not moves, and decays at the first step, too, where it is decoupled.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from refimpl.ranges import NonNegative, Rates, check_fields
from refimpl.stepping import count_step, is_zero
from refimpl.types import Array, Decay, State


@dataclass(frozen=True, kw_only=True)
class ADOPT:
    """State: ``step`` ``(runs,)``; of the parameter's shape ``exp_avg`` m and ``exp_avg_sq`` v.

    All of it is absent before the first step.
    """

    lr: NonNegative = 0.001
    betas: Rates = (0.9, 0.9999)
    eps: NonNegative = 1e-6
    weight_decay: NonNegative = 0.0
    decoupled_weight_decay: bool = False
    clip: bool = True
    clip_exponent: NonNegative = 0.25
    clip_count: Literal["moves", "steps"] = "moves"

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
        decays = not is_zero(self.weight_decay)
        if decays and not self.decoupled_weight_decay:
            g = g + self.weight_decay * param  # g + λw
        if "exp_avg_sq" not in state:
            return param, {"step": count, "exp_avg": 0 * g, "exp_avg_sq": g * g}  # m ← 0, v ← g²
        if decays and self.decoupled_weight_decay:
            param = param * (1 - self.lr * self.weight_decay)  # w(1 − ηλ)
        u = g / np.maximum(np.sqrt(state["exp_avg_sq"]), self.eps)  # g / max(√v, ε)
        if self.clip:
            c = (t - 1 if self.clip_count == "moves" else t) ** self.clip_exponent  # kᵖ
            u = np.where(np.abs(u) < c, u, c * np.sign(g))  # max(−c, min(u, c))
        m = beta1 * state["exp_avg"] + (1 - beta1) * u  # β₁m + (1 − β₁)u
        v = beta2 * state["exp_avg_sq"] + (1 - beta2) * g * g  # β₂v + (1 − β₂)g²
        return param - self.lr * m, {"step": count, "exp_avg": m, "exp_avg_sq": v}  # w − ηm
