"""Schedule-free SGD: gradients are taken between the weights that move and their average.

Three sequences of weights: z moves, x is its weighted average and the result, y is where the gradient is taken. The
parameter that training sees is **y**; z is state; x follows from both (:meth:`ScheduleFreeSGD.average`)::

    g ← g + λy                          g: the gradient at y = (1 − β)z + βx;  β is ``momentum``
    γ = η·min(1, t/``warmup_steps``)    γ̂ = the largest γ so far
    z ← z − γg
    c = ω/Σω,  ω = tʳ·γ̂^p               p is ``weight_lr_power``
    x ← (1 − c)x + cz
    y ← (1 − β)z + βx

What is computed is the same without x, as the authors do: y ← y + c(z − y) − γ(1 − β(1 − c))g, with z before its step.

Source: Defazio, Yang, Mehta, Mishchenko, Khaled & Cutkosky, "The Road Less Scheduled", NeurIPS 2024, arXiv:2405.15682,
which has ω = 1 and no decay for SGD, and ω = γ² in its Algorithm 1; r, p and γ̂ in the place of γ are those of the
authors' package ``schedulefree`` (``SGDScheduleFree``), as here, whose ``eval()`` puts x into the model and ``train()``
y. With r = 0, no warmup and a constant η, c = 1/t: x is the plain mean of z after each step. The decay is coupled: the
gradient of λ/2·‖y‖² at y. ``optax`` warms up from a rate of 0, a step later.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from refimpl.arithmetic.kernels import item, lerp
from refimpl.errors import ParameterError
from refimpl.ranges import Finite, NonNegative, Rate, check_fields, check_integers
from refimpl.stepping import count_step, is_zero
from refimpl.types import Array, Decay, State


@dataclass(frozen=True, kw_only=True)
class ScheduleFreeSGD:
    """State: ``step``, ``lr_max`` γ̂ and ``weight_sum`` Σω, all ``(runs,)``; ``z``, of the parameter's shape.

    All of it is absent before the first step, when z counts as the parameter and the rest as 0.
    """

    decay: ClassVar[Decay] = "coupled"
    lr: NonNegative = 1.0
    momentum: Rate = 0.9
    weight_decay: NonNegative = 0.0
    warmup_steps: int = 0
    r: Finite = 0.0
    weight_lr_power: Finite = 2.0

    def __post_init__(self) -> None:
        check_fields(self)
        check_integers(self, warmup_steps=0)
        if is_zero(self.momentum):
            raise ParameterError(
                "momentum", given=0, allowed="a number between 0 and 1", remedy="use sgd: gradients would be taken at z"
            )

    def init(self, param: Array) -> State:
        del param
        return {}

    def step(self, param: Array, grad: Array, state: State) -> tuple[Array, State]:
        count, t = count_step(state, param)
        before = {key: item(state[key]).reshape(t.shape) if key in state else 0 * t for key in ("lr_max", "weight_sum")}
        z = state.get("z", param)
        g = grad if is_zero(self.weight_decay) else grad + self.weight_decay * param  # g + λy
        rate = self.lr * np.minimum(t, self.warmup_steps) / self.warmup_steps if self.warmup_steps else self.lr  # γ
        lr_max = np.maximum(before["lr_max"], rate)  # γ̂
        weight = lr_max**self.weight_lr_power if is_zero(self.r) else t**self.r * lr_max**self.weight_lr_power  # tʳ·γ̂^p
        weight_sum = before["weight_sum"] + weight  # Σω
        c = weight / np.where(weight_sum > 0, weight_sum, 1)  # ω/Σω, 0 as long as η is
        y = lerp(param, z, c) + rate * (self.momentum * (1 - c) - 1) * g  # y + c(z − y) − γ(1 − β(1 − c))g
        numbers = {"lr_max": lr_max.reshape(count.shape), "weight_sum": weight_sum.reshape(count.shape)}
        return y, {"step": count, **numbers, "z": z - rate * g}  # z − γg

    def average(self, param: Array, state: State) -> Array:
        """x = y + (1 − 1/β)(z − y): the weights to evaluate and to keep."""
        return param + (1 - 1 / self.momentum) * (state.get("z", param) - param)
