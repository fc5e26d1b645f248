"""Averaged stochastic gradient descent, as ``torch.optim.ASGD``: plain steps, and the average of the weights beside.

::

    g ← −g (maximize);  g ← g + λw          weight_decay λ
    w ← w(1 − lambd·η) − ηg                 η = lr, μ = 1 at the first step
    a ← a + μ(w − a)
    η ← lr/(1 + lambd·lr·t)^α
    μ ← 1/max(1, t − t₀)

Sources: Polyak & Juditsky, "Acceleration of Stochastic Approximation by Averaging", SIAM J. Control Optim. 30(4), 1992;
the schedules of η and μ, and the objective's term lambd/2·‖w‖², are those of Bottou's ``sgd``/``asgd`` programs (Xu,
arXiv:1107.2490, 2011, §3). Where torch surprises:

* the weights decay with ``lambd`` = 1e-4 even when ``weight_decay`` is 0, under ``maximize`` too;
* the averaged weights ``ax`` are never put into the model;
* η and μ are made at the end of a step for the next one, so that a change of ``lr`` by a schedule acts one step late;
* η and μ are kept in torch's default dtype, so that ``lr`` is rounded to float32 even where the parameter is float64;
  foreach computes η in it too (the bound allows for that everywhere);
* foreach takes w − η(g + lambd·w), which is the same but for its rounding (the bound is the wider one of the two).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Any, ClassVar

import numpy as np

from refimpl.arithmetic.kernels import either, item, kept
from refimpl.ranges import Finite, NonNegative, check_fields
from refimpl.stepping import count_step, is_zero
from refimpl.types import Array, Decay, Number, State


def decayed(t: Array, lr: Number, lambd: Number, alpha: Number) -> Any:
    """lr/(1 + lambd·lr·t)^α; torch's foreach takes the reciprocal first."""
    return 1 / (1 + lambd * lr * t) ** alpha * lr


@dataclass(frozen=True, kw_only=True)
class ASGD:
    """State: ``step``, ``eta`` η and ``mu`` μ, all ``(runs,)``; ``ax`` a, of the parameter's shape.

    All of it is absent before the first step, when step and a count as 0, η as ``lr`` and μ as 1.
    """

    decay: ClassVar[Decay] = "coupled"
    lr: NonNegative = 0.01
    lambd: NonNegative = 1e-4
    alpha: Finite = 0.75
    t0: Finite = 1e6
    weight_decay: NonNegative = 0.0
    maximize: bool = False

    def __post_init__(self) -> None:
        check_fields(self)

    def init(self, param: Array) -> State:
        del param
        return {}

    def step(self, param: Array, grad: Array, state: State) -> tuple[Array, State]:
        count, t = count_step(state, param)
        eta = item(state["eta"]).reshape(t.shape) if "eta" in state else kept("float32", lambda lr: lr, self.lr)
        mu = item(state["mu"]).reshape(t.shape) if "mu" in state else 1
        ax = state.get("ax", 0)
        g = -grad if self.maximize else grad
        if not is_zero(self.weight_decay):
            g = g + self.weight_decay * param  # g + λw
        looped = param * (1 - self.lambd * eta) - eta * g  # w(1 − lambd·η) − ηg
        batched = param - eta * (g + self.lambd * param)  # w − η(g + lambd·w)
        param = either(looped, batched)
        ax = ax + mu * (param - ax)  # a + μ(w − a)
        eta = kept("float32", partial(decayed, t), self.lr, self.lambd, self.alpha)
        mu = 1 / np.maximum(1, t - self.t0)  # 1/max(1, t − t₀)
        return param, {"step": count, "eta": eta.reshape(count.shape), "mu": mu.reshape(count.shape), "ax": ax}
