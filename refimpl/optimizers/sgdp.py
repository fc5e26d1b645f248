"""SGDP: SGD with momentum that does not lengthen weights whose length does not matter.

::

    b ← μb + (1 − τ)g                   τ is ``dampening``, of the first step, too
    u = b                               or g + μb with ``nesterov``
    u, r ← Π(u), ``wd_ratio``           where g is at right angles with w (:mod:`refimpl.tangent`); else r = 1
    w ← w(1 − ηλr/(1 − μ)) − ηu

and with ``project_buffer``, where u is b, b ← u at the end.

Source: Heo et al., "AdamP: Slowing Down the Slowdown for Momentum Optimizers on Scale-invariant Weights", ICLR 2021,
arXiv:2006.08217, Algorithm 1, which leaves the decay to the authors' code. 1/(1 − μ) makes it as strong as a coupled
one, which momentum repeats.

The authors' code, ``adamp``, and ``torch-optimizer`` take the part along w off u in place, and u is b: the momentum
loses it, too, which the paper does not say; that is ``project_buffer``. ``timm`` without ``caution`` and
``pytorch-optimizer`` work on a copy.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from refimpl.ranges import NonNegative, Portion, Rate, check_fields
from refimpl.stepping import is_zero
from refimpl.tangent import tangential
from refimpl.types import Array, Decay, State


@dataclass(frozen=True, kw_only=True)
class SGDP:
    """State: ``momentum_buffer`` b, of the parameter's shape, absent before the first step, when it counts as 0."""

    decay: ClassVar[Decay] = "decoupled"
    lr: NonNegative = 0.001
    momentum: Rate = 0.0
    dampening: NonNegative = 0.0
    weight_decay: NonNegative = 0.0
    eps: NonNegative = 1e-8
    delta: NonNegative = 0.1
    wd_ratio: Portion = 0.1
    nesterov: bool = False
    project_buffer: bool = False

    def __post_init__(self) -> None:
        check_fields(self)

    def init(self, param: Array) -> State:
        del param
        return {}

    def step(self, param: Array, grad: Array, state: State) -> tuple[Array, State]:
        b = self.momentum * state.get("momentum_buffer", 0) + (1 - self.dampening) * grad  # μb + (1 − τ)g
        u = grad + self.momentum * b if self.nesterov else b  # g + μb or b
        decayed = param, param
        if not is_zero(self.weight_decay):
            strength = self.lr * self.weight_decay / (1 - self.momentum)
            decayed = param * (1 - strength * self.wd_ratio), param * (1 - strength)  # w(1 − ηλr/(1 − μ))
        u, param = tangential(param, grad, u, decayed, self.delta, self.eps)  # Π(u)
        kept = u if self.project_buffer and not self.nesterov else b
        return param - self.lr * u, {"momentum_buffer": kept}  # − ηu
