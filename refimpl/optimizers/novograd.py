"""NovoGrad: momentum of gradients that are divided by the length of their whole array, not element by element.

::

    v ← ‖g‖² at the first step, then β₂v + (1 − β₂)‖g‖²
    u = g/(√v + ε) + λw                 the decay enters beside the normalised gradient
    m ← β₁m + u                         (1 − β₁)u with ``grad_averaging``
    w ← w − ηm

with the Euclidean norm over the whole array of one run.

Source: Ginsburg et al., "Stochastic Gradient Methods with Layer-wise Adaptive Moments for Training of Deep Networks",
arXiv:1905.11286, Algorithm 1. Weighting u by 1 − β₁ is an option of the published code.

``optax`` is the same with its ``b1`` and ``b2``. ``timm`` (``NvNovoGrad``) and ``torch-optimizer`` keep v in float32,
whatever the weights are, and begin it anew where it is 0. In ``pytorch-optimizer`` the first m is u, with
``grad_averaging``, too.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from refimpl.arithmetic.kernels import norm_of_run
from refimpl.ranges import NonNegative, Rates, check_fields
from refimpl.stepping import is_zero
from refimpl.types import Array, Decay, State


@dataclass(frozen=True, kw_only=True)
class NovoGrad:
    """State: ``grads_ema`` v ``(runs,)``, and ``exp_avg`` m of the parameter's shape.

    Both are absent before the first step, when m counts as 0.
    """

    decay: ClassVar[Decay] = "decoupled"
    lr: NonNegative = 0.001
    betas: Rates = (0.95, 0.98)
    eps: NonNegative = 1e-8
    weight_decay: NonNegative = 0.0
    grad_averaging: bool = False

    def __post_init__(self) -> None:
        check_fields(self)

    def init(self, param: Array) -> State:
        del param
        return {}

    def step(self, param: Array, grad: Array, state: State) -> tuple[Array, State]:
        beta1, beta2 = self.betas
        length = norm_of_run(grad)  # ‖g‖
        v = length * length
        if "grads_ema" in state:
            v = beta2 * state["grads_ema"].reshape(length.shape) + (1 - beta2) * v  # β₂v + (1 − β₂)‖g‖²
        u = grad / (np.sqrt(v) + self.eps)  # g/(√v + ε)
        if not is_zero(self.weight_decay):
            u = u + self.weight_decay * param  # + λw
        if self.grad_averaging:
            u = (1 - beta1) * u  # (1 − β₁)u
        m = beta1 * state.get("exp_avg", 0) + u  # β₁m + u
        return param - self.lr * m, {"grads_ema": v.reshape(len(param)), "exp_avg": m}  # w − ηm
