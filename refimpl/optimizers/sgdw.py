"""Stochastic gradient descent with decoupled weight decay (SGDW).

The decay acts on the weights and never enters the momentum buffer::

    b ← g at the first step, then μb + (1 − τ)g
    d ← g + μb (Nesterov) or b      d ← g when μ = 0
    w ← w(1 − ηλ) − ηd

Source: Loshchilov & Hutter, "Decoupled Weight Decay Regularization", ICLR 2019, Algorithm 1. Their decay is
multiplied by the schedule alone; here, as in torch's AdamW, it is multiplied by η, so that ``weight_decay``
means the same λ as in coupled decay. Without momentum the two are the same step; with momentum they are not.
torch.optim has no SGDW.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from refimpl.errors import ParameterError
from refimpl.ranges import Finite, NonNegative, check_fields
from refimpl.stepping import is_zero
from refimpl.types import Array, Decay, State


@dataclass(frozen=True, kw_only=True)
class SGDW:
    """State: ``momentum_buffer``, of the parameter's shape, absent before the first step."""

    decay: ClassVar[Decay] = "decoupled"
    lr: NonNegative
    momentum: NonNegative = 0.0
    dampening: Finite = 0.0
    weight_decay: NonNegative = 0.0
    nesterov: bool = False

    def __post_init__(self) -> None:
        check_fields(self)
        if self.nesterov and is_zero(self.momentum):
            raise ParameterError(
                "nesterov", given="nesterov without momentum", allowed="momentum > 0", remedy="set momentum above 0"
            )
        if isinstance(self.momentum, np.ndarray) and np.any(self.momentum == 0) and not is_zero(self.dampening):
            raise ParameterError(
                "momentum",
                given="a batch of runs of which some have momentum 0, with dampening",
                allowed="momentum > 0 in every run of a dampened batch",
                remedy="run them apart: without momentum the dampening is ignored",
            )

    def init(self, param: Array) -> State:
        del param
        return {}

    def step(self, param: Array, grad: Array, state: State) -> tuple[Array, State]:
        decayed = param * (1 - self.lr * self.weight_decay)  # w(1 − ηλ)
        if is_zero(self.momentum):
            return decayed - self.lr * grad, {}  # − ηg
        if "momentum_buffer" in state:
            b = self.momentum * state["momentum_buffer"] + (1 - self.dampening) * grad  # μb + (1 − τ)g
        else:
            b = grad  # first step, undampened
        d = grad + self.momentum * b if self.nesterov else b  # g + μb
        return decayed - self.lr * d, {"momentum_buffer": b}  # − ηd
