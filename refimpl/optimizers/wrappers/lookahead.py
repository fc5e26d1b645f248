"""Lookahead: every k steps of an optimizer the weights go back a part of the way that they have come.

::

    w ← the inner optimizer's step                          the fast weights
    every k-th step:  s ← s + α(w − s);  w ← s              the slow weights, s = w before the first step

The inner optimizer keeps its state: its averages go on from the fast weights. With α = 1 it is the inner optimizer.

Source: Zhang, Lucas, Hinton & Ba, "Lookahead Optimizer: k steps forward, 1 step back", NeurIPS 2019, arXiv:1907.08610,
Algorithm 1. ``optax.lookahead`` is so; packages differ in whether the first slow weights are those before the first
step, as here, or those of the first synchronisation.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from refimpl.errors import ParameterError
from refimpl.ranges import Portion, check_fields
from refimpl.types import Array, Decay, Optimizer, State


@dataclass(frozen=True, kw_only=True)
class Lookahead:
    """State: that of ``inner``, and ``slow_param`` s of the parameter's shape and ``lookahead_step`` ``(runs,)``."""

    inner: Optimizer
    k: int = 5
    alpha: Portion = 0.5

    def __post_init__(self) -> None:
        check_fields(self)
        if self.k < 1:
            raise ParameterError("k", given=self.k, allowed="a whole number from 1 on", remedy="set k = 5")

    @property
    def decay(self) -> Decay:
        return self.inner.decay

    def init(self, param: Array) -> State:
        return {**self.inner.init(param), "slow_param": param, "lookahead_step": np.zeros(len(param), int)}

    def step(self, param: Array, grad: Array, state: State) -> tuple[Array, State]:
        own: State = {key: value for key, value in state.items() if key not in ("slow_param", "lookahead_step")}
        fast, own = self.inner.step(param, grad, own)  # the inner optimizer's step
        count, slow = state["lookahead_step"] + 1, state["slow_param"]
        synchronised = np.broadcast_to((count % self.k == 0).reshape(-1, *(1,) * (param.ndim - 1)), param.shape)
        slow = np.where(synchronised, slow + self.alpha * (fast - slow), slow)  # s + α(w − s)
        return np.where(synchronised, slow, fast), {**own, "slow_param": slow, "lookahead_step": count}
