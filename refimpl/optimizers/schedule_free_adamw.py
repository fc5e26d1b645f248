"""Schedule-free AdamW: gradients are taken between the weights that move and their average, with Adam's denominator.

Three sequences of weights: z moves, x is its weighted average and the result, y is where the gradient is taken. The
parameter that training sees is **y**; z is state; x follows from both (:meth:`ScheduleFreeAdamW.average`)::

    v ← β₂v + (1 − β₂)g²                g: the gradient at y = (1 − β₁)z + β₁x
    u = g / (√(v/c₂) + ε) + λy,  c₂ = 1 − β₂ᵗ
    γ = η·min(1, t/``warmup_steps``)    γ̂ = the largest γ so far
    z ← z − γu
    c = ω/Σω,  ω = tʳ·γ̂^p               p is ``weight_lr_power``
    x ← (1 − c)x + cz
    y ← (1 − β₁)z + β₁x

What is computed is the same without x, as the authors do: y ← y + c(z − y) − γ(1 − β₁(1 − c))u, with z before its step.
There is no average of gradients: β₁ interpolates.

Source: Defazio, Yang, Mehta, Mishchenko, Khaled & Cutkosky, "The Road Less Scheduled", NeurIPS 2024, arXiv:2405.15682,
Algorithm 1, which has ω = γ²: r, p and γ̂ in the place of γ are those of the authors' package ``schedulefree``
(``AdamWScheduleFree``), as here, whose ``eval()`` puts x into the model and ``train()`` y. Before its version 1.3, and
in the paper's experiments, it had γ·√c₂ for γ instead of v/c₂, so that decay and ω warmed up too; that is now its
``AdamWScheduleFreePaper``. ``pytorch-optimizer`` adds 1e-15 to v/c₂. ``optax`` warms up from a rate of 0, a step later.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from refimpl.arithmetic.kernels import item, lerp
from refimpl.errors import ParameterError
from refimpl.ranges import Finite, NonNegative, Rates, check_fields, check_integers
from refimpl.stepping import count_step, is_zero
from refimpl.types import Array, Decay, State


@dataclass(frozen=True, kw_only=True)
class ScheduleFreeAdamW:
    """State: ``step``, ``lr_max`` γ̂ and ``weight_sum`` Σω, all ``(runs,)``; of the parameter's shape ``z`` and
    ``exp_avg_sq`` v.

    All of it is absent before the first step, when z counts as the parameter and the rest as 0.
    """

    decay: ClassVar[Decay] = "decoupled"
    lr: NonNegative = 0.0025
    betas: Rates = (0.9, 0.999)
    eps: NonNegative = 1e-8
    weight_decay: NonNegative = 0.0
    warmup_steps: int = 0
    r: Finite = 0.0
    weight_lr_power: Finite = 2.0

    def __post_init__(self) -> None:
        check_fields(self)
        check_integers(self, warmup_steps=0)
        if is_zero(self.betas[0]):
            raise ParameterError(
                "betas",
                given=repr(self.betas),
                allowed="β₁ between 0 and 1",
                remedy="use rmsprop: gradients would be taken at z",
            )

    def init(self, param: Array) -> State:
        del param
        return {}

    def step(self, param: Array, grad: Array, state: State) -> tuple[Array, State]:
        beta1, beta2 = self.betas
        count, t = count_step(state, param)
        before = {key: item(state[key]).reshape(t.shape) if key in state else 0 * t for key in ("lr_max", "weight_sum")}
        z = state.get("z", param)
        v = beta2 * state.get("exp_avg_sq", 0) + (1 - beta2) * grad * grad  # β₂v + (1 − β₂)g²
        u = grad / (np.sqrt(v / (1 - beta2**t)) + self.eps)  # g / (√(v/c₂) + ε)
        if not is_zero(self.weight_decay):
            u = u + self.weight_decay * param  # + λy
        rate = self.lr * np.minimum(t, self.warmup_steps) / self.warmup_steps if self.warmup_steps else self.lr  # γ
        lr_max = np.maximum(before["lr_max"], rate)  # γ̂
        weight = lr_max**self.weight_lr_power if is_zero(self.r) else t**self.r * lr_max**self.weight_lr_power  # tʳ·γ̂^p
        weight_sum = before["weight_sum"] + weight  # Σω
        c = weight / np.where(weight_sum > 0, weight_sum, 1)  # ω/Σω, 0 as long as η is
        y = lerp(param, z, c) + rate * (beta1 * (1 - c) - 1) * u  # y + c(z − y) − γ(1 − β₁(1 − c))u
        numbers = {"lr_max": lr_max.reshape(count.shape), "weight_sum": weight_sum.reshape(count.shape)}
        return y, {"step": count, **numbers, "z": z - rate * u, "exp_avg_sq": v}  # z − γu

    def average(self, param: Array, state: State) -> Array:
        """x = y + (1 − 1/β₁)(z − y): the weights to evaluate and to keep."""
        return param + (1 - 1 / self.betas[0]) * (state.get("z", param) - param)
