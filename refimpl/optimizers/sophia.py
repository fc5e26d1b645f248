"""Sophia: momentum divided by an estimate of the curvature of each weight, and clipped where that is small.

::

    w ← w(1 − ηλ)                       decoupled weight decay
    m ← β₁m + (1 − β₁)g
    w ← w − η·clip(m/max(γh, ε), ±1)    γ is ``gamma``

and now and then, before a step, when there is a new estimate ĥ of the Hessian's diagonal::

    h ← β₂h + (1 − β₂)ĥ                 ĥ = Bĝ² in Sophia-G

Source: Liu et al., "Sophia: A Scalable Stochastic Second-order Optimizer for Language Model Pre-training", ICLR 2024,
arXiv:2305.14342, Algorithm 3, and Algorithm 2 for ĥ (Gauss-Newton-Bartlett): ĝ is the gradient of the mean loss of B
rows whose labels are drawn from the model itself. No gradient of the training contains it, so it is a second input:
:meth:`Sophia.estimate` takes it, ``step`` alone leaves h as it is, and before the first estimate h is 0. Until then a
step is η·sign(m) for all that is not below ε.

The authors' code has the same two calls, ``update_hessian`` and ``step``; there B is a factor of h in the step, 1e-15
is added where the maximum with ε is here, and the labels are the caller's. ``optax`` takes h of the step before, and
divides m by 1 − β₁ᵗ. ``pytorch-optimizer`` has another estimate (Hutchinson's) and clips at ``p``, which is not divided
by it: its η is this η/p, its ε this γε, and γ = p.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from refimpl.ranges import NonNegative, Rates, check_fields
from refimpl.stepping import is_zero
from refimpl.types import Array, Decay, Number, State


@dataclass(frozen=True, kw_only=True)
class Sophia:
    """State, of the parameter's shape: ``exp_avg`` m and ``hessian`` h.

    Both are absent before the first step or estimate, when they count as 0.
    """

    decay: ClassVar[Decay] = "decoupled"
    lr: NonNegative = 1e-4
    betas: Rates = (0.96, 0.99)
    gamma: NonNegative = 0.05
    eps: NonNegative = 1e-12
    weight_decay: NonNegative = 0.0

    def __post_init__(self) -> None:
        check_fields(self)

    def init(self, param: Array) -> State:
        del param
        return {}

    def estimate(self, sampled: Array, state: State, rows: Number = 1) -> State:
        """The state after an estimate of the curvature.

        ``sampled``: the gradient ĝ of the mean loss of ``rows`` rows with labels drawn from the model, of the
        parameter's shape.
        """
        h = self.betas[1] * state.get("hessian", 0) + (1 - self.betas[1]) * rows * sampled * sampled
        return {**state, "hessian": h}  # β₂h + (1 − β₂)Bĝ²

    def step(self, param: Array, grad: Array, state: State) -> tuple[Array, State]:
        beta1 = self.betas[0]
        if not is_zero(self.weight_decay):
            param = param * (1 - self.lr * self.weight_decay)  # w(1 − ηλ)
        m = beta1 * state.get("exp_avg", 0) + (1 - beta1) * grad  # β₁m + (1 − β₁)g
        h = state.get("hessian", 0 * grad)
        d = np.maximum(self.gamma * h, self.eps)  # max(γh, ε)
        u = np.where(np.abs(m) < d, m / np.where(d > 0, d, 1), np.sign(m))  # clip(m/max(γh, ε), ±1)
        return param - self.lr * u, {"exp_avg": m, "hessian": h}  # w − ηu
