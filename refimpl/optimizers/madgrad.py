"""MADGRAD: dual averaging, where all gradients so far are added up and the cube root of their squares divides the sum.

::

    g ← g + λw                          coupled weight decay
    γ = η + ε, or η without ``lr_plus_eps``; 0 where η = 0
    ℓ = γ√t
    s ← s + ℓg                          ν ← ν + ℓg²
    z = x₀ − s/(∛ν + ε)                 x₀: the weights at the beginning
    w ← μw + (1 − μ)z                   μ is ``momentum``

and with ``decoupled_weight_decay`` the first line is left out, and γλw, of w before the step, is taken off after it.
Without momentum w is z, and x₀ = w + s/(∛ν + ε) before s and ν are changed, so that it needs no memory.

Source: Defazio & Jelassi, "Adaptivity without Compromise: A Momentumized, Adaptive, Dual Averaged Gradient Method for
Stochastic Optimization", JMLR 2022, arXiv:2101.11075, Algorithm 1, with 1 − c for μ. It has γ = η and no decay.

The authors' package adds ε to η, which its decoupled decay contains, too; so do ``pytorch-optimizer`` and, with coupled
decay only, ``optax`` and ``torch-optimizer``. ``timm`` decouples differently: it shrinks w before μ does. The authors'
``MirrorMADGRAD`` is another method.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from refimpl.arithmetic.elementary import cube_root
from refimpl.arithmetic.kernels import either
from refimpl.ranges import NonNegative, Rate, check_fields
from refimpl.stepping import count_step, is_zero
from refimpl.types import Array, Decay, State


@dataclass(frozen=True, kw_only=True)
class MADGRAD:
    """State: ``step`` ``(runs,)``; of the parameter's shape ``s``, ``grad_sum_sq`` ν and, with momentum, ``x0``.

    All of it is absent before the first step, when s and ν count as 0, and the parameter as x₀.
    """

    lr: NonNegative = 0.01
    momentum: Rate = 0.9
    eps: NonNegative = 1e-6
    weight_decay: NonNegative = 0.0
    decoupled_weight_decay: bool = False
    lr_plus_eps: bool = True

    def __post_init__(self) -> None:
        check_fields(self)

    @property
    def decay(self) -> Decay:
        return "decoupled" if self.decoupled_weight_decay else "coupled"

    def init(self, param: Array) -> State:
        del param
        return {}

    def step(self, param: Array, grad: Array, state: State) -> tuple[Array, State]:
        count, t = count_step(state, param)
        decays = not is_zero(self.weight_decay)
        g = grad + self.weight_decay * param if decays and not self.decoupled_weight_decay else grad  # g + λw
        gamma = self.lr + self.eps if self.lr_plus_eps and not is_zero(self.lr) else self.lr  # γ
        rate = gamma * np.sqrt(t)  # γ√t
        start = param  # x₀
        if "s" in state:
            before = state["s"] / (cube_root(state["grad_sum_sq"]) + self.eps)
            start = param + before if is_zero(self.momentum) else state["x0"]  # w + s/(∛ν + ε)
        s = state.get("s", 0) + rate * g  # s + ℓg
        v = state.get("grad_sum_sq", 0) + rate * g * g  # ν + ℓg²
        z = start - s / (cube_root(v) + self.eps)  # x₀ − s/(∛ν + ε)
        after = {"step": count, "s": s, "grad_sum_sq": v}
        if is_zero(self.momentum):
            moved = z
        else:
            after["x0"] = start
            moved = either(param + (1 - self.momentum) * (z - param), self.momentum * param + (1 - self.momentum) * z)
        if decays and self.decoupled_weight_decay:
            moved = moved - gamma * self.weight_decay * param  # − γλw
        return moved, after
