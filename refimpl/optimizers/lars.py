"""LARS (layer-wise adaptive rate scaling): momentum with a rate of its own for every array of weights.

::

    ρ = η‖w‖ / (‖g‖ + λ‖w‖ + ε)         the local rate; 1 where ‖w‖ or ‖g‖ is 0
    d = ρ(g + λw)
    b ← γd at the first step, then μb + γd              γ is ``lr``, η the ``trust_coefficient``
    w ← w − b

with the Euclidean norm over the whole array of one run. With ``lr_in_buffer=False`` the rate multiplies the velocity
when it is applied: b ← μb + d, w ← w − γb, which is the same as long as γ does not change. Without momentum, w − γd.

Source: You, Gitman & Ginsburg, "Large Batch Training of Convolutional Networks", 2017, arXiv:1708.03888, Algorithm 1
(§4; it has no ε, and γ falls as a polynomial). The local rate of 1, without which weights that start at 0 would never
move, is that of published code. The decay passes through ρ, which is made of the gradient alone: λ is not the strength
of a penalty λ/2·‖w‖², whose gradient would be in ‖g‖ too.

Packages differ. ``timm``, ``torch-optimizer`` and ``pytorch-optimizer`` have ``lr_in_buffer=False``. The first two add
ε = 1e-8 and scale only where λ > 0 (timm with ``always_adapt=True`` everywhere), the third scales matrices only.
``optax`` divides by ‖g + λw‖, which is the same without decay.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from refimpl.arithmetic.kernels import norm_of_run
from refimpl.ranges import NonNegative, check_fields
from refimpl.stepping import is_zero
from refimpl.types import Array, Decay, State


@dataclass(frozen=True, kw_only=True)
class LARS:
    """State: ``momentum_buffer`` b, of the parameter's shape, absent before the first step and without momentum."""

    decay: ClassVar[Decay] = "decoupled"
    lr: NonNegative
    momentum: NonNegative = 0.9
    weight_decay: NonNegative = 0.0
    trust_coefficient: NonNegative = 0.001
    eps: NonNegative = 0.0
    lr_in_buffer: bool = True

    def __post_init__(self) -> None:
        check_fields(self)

    def init(self, param: Array) -> State:
        del param
        return {}

    def step(self, param: Array, grad: Array, state: State) -> tuple[Array, State]:
        size, slope = norm_of_run(param), norm_of_run(grad)  # ‖w‖, ‖g‖
        sum_of_norms = slope + self.weight_decay * size + self.eps  # ‖g‖ + λ‖w‖ + ε
        local = self.trust_coefficient * size / np.where(slope > 0, sum_of_norms, 1)  # η‖w‖ / (‖g‖ + λ‖w‖ + ε)
        local = np.where(size > 0, np.where(slope > 0, local, 1), 1)  # ρ
        g = grad if is_zero(self.weight_decay) else grad + self.weight_decay * param  # g + λw
        d = local * g  # ρ(g + λw)
        if is_zero(self.momentum):
            return param - self.lr * d, {}  # w − γd
        d = self.lr * d if self.lr_in_buffer else d  # γd
        b = self.momentum * state["momentum_buffer"] + d if "momentum_buffer" in state else d  # μb + γd
        return param - (b if self.lr_in_buffer else self.lr * b), {"momentum_buffer": b}  # w − b
