"""ADOPT: Adam that divides by what it knew of the gradients before this one came, so that any β₂ converges.

At the first step nothing moves: v ← g², m ← 0. From then on::

    g ← g + λw (coupled)  or  w ← w(1 − ηλ) (decoupled)
    u = g / max(√v, ε)                  v: of the gradients before
    u ← max(−c, min(u, c))              c = kᵖ, k: the moves until now, this one counted; p is ``clip_exponent``
    m ← β₁m + (1 − β₁)u
    w ← w − ηm
    v ← β₂v + (1 − β₂)g²

With ``clip="steps"`` k counts the first step, too, which moves nothing; ``clip="none"``: u stays.

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
    clip: Literal["moves", "steps", "none"] = "moves"
    clip_exponent: NonNegative = 0.25

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
        begun = t > 1
        g = grad
        if not is_zero(self.weight_decay):
            if self.decoupled_weight_decay:
                param = np.where(begun, param * (1 - self.lr * self.weight_decay), param)  # w(1 − ηλ)
            else:
                g = g + self.weight_decay * param  # g + λw
        v = state.get("exp_avg_sq", g * g)
        u = g / np.maximum(np.sqrt(v), self.eps)  # g / max(√v, ε)
        if self.clip != "none":
            c = (t - 1 if self.clip == "moves" else t) ** self.clip_exponent  # kᵖ
            u = np.where(np.abs(u) < c, u, c * np.sign(g))  # max(−c, min(u, c))
        m = np.where(begun, beta1 * state.get("exp_avg", 0) + (1 - beta1) * u, 0 * g)  # β₁m + (1 − β₁)u, at first 0
        v = np.where(begun, beta2 * v + (1 - beta2) * g * g, g * g)  # β₂v + (1 − β₂)g², at first g²
        return param - self.lr * m, {"step": count, "exp_avg": m, "exp_avg_sq": v}  # w − ηm
