"""Stochastic gradient descent with torch's semantics.

With gradient ``g``, parameter ``w``, momentum μ, dampening τ, weight decay λ, learning rate η::

    g ← −g                          maximize
    g ← g + λw                      coupled weight decay: the gradient of λ/2·‖w‖²
    b ← g                           at the first step: undampened
    b ← μb + (1 − τ)g               later
    d ← g + μb (Nesterov) or b      d ← g when μ = 0, and τ is then without effect
    w ← w − ηd

Source: documentation of ``torch.optim.SGD``; Sutskever et al. 2013 for Nesterov's form. Where torch departs
from the paper: η multiplies the velocity when it is applied, not when it is stored, and the first step is
not dampened. Under ``maximize`` the decay is not negated: it still shrinks ``w``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar

import numpy as np

from refimpl.errors import ParameterError
from refimpl.ranges import Finite, NonNegative, Range, check_fields
from refimpl.stepping import is_zero
from refimpl.types import Array, Decay, Number, State


@dataclass(frozen=True, kw_only=True)
class SGD:
    """``torch.optim.SGD``; state: ``momentum_buffer``, of the parameter's shape, absent before the first step."""

    decay: ClassVar[Decay] = "coupled"
    lr: NonNegative
    momentum: Annotated[Number, Range(low=0)] = 0.0
    dampening: Finite = 0.0
    weight_decay: NonNegative = 0.0
    nesterov: bool = False
    maximize: bool = False

    def __post_init__(self) -> None:
        check_fields(self)
        if self.nesterov and (is_zero(self.momentum) or not is_zero(self.dampening)):
            raise ParameterError(
                "nesterov",
                given=f"nesterov with momentum {self.momentum} and dampening {self.dampening}",
                allowed="nesterov with momentum > 0 and dampening 0",
                remedy="set momentum above 0 and dampening to 0, as torch demands",
            )
        if isinstance(self.momentum, np.ndarray) and np.any(self.momentum == 0) and not is_zero(self.dampening):
            raise ParameterError(
                "momentum",
                given="a batch of runs of which some have momentum 0, with dampening",
                allowed="momentum > 0 in every run of a dampened batch",
                remedy="run them apart: without momentum torch ignores the dampening",
            )

    def init(self, param: Array) -> State:
        del param
        return {}

    def step(self, param: Array, grad: Array, state: State) -> tuple[Array, State]:
        g = -grad if self.maximize else grad
        if not is_zero(self.weight_decay):
            g = g + self.weight_decay * param  # g + λw
        if is_zero(self.momentum):
            return param - self.lr * g, {}  # w − ηg
        if "momentum_buffer" in state:
            b = self.momentum * state["momentum_buffer"] + (1 - self.dampening) * g  # μb + (1 − τ)g
        else:
            b = g  # first step, undampened
        d = g + self.momentum * b if self.nesterov else b  # g + μb
        return param - self.lr * d, {"momentum_buffer": b}  # w − ηd
