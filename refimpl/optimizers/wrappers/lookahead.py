"""Lookahead: slow weights go a part of the way that k steps of another optimizer went, and it goes on from there.

With the fast weights w, which training sees, and the slow ones φ, which are the initial weights at first::

    w ← inner.step(w, g)
    after every k-th step:    φ ← φ + α(w − φ),    w ← φ

Source: Zhang, Lucas, Hinton & Ba, "Lookahead Optimizer: k steps forward, 1 step back", NeurIPS 2019, arXiv:1907.08610,
Algorithm 1. The state of the inner optimizer is kept over the interpolation, as in the authors' code with
``pullback_momentum="none"``; the paper also considers to reset momentum there, or to interpolate it.

Here k steps of the array are counted. Published code counts the calls of ``step()``, for all arrays together: an array
whose first gradient comes late is interpolated after fewer steps of its own. ``torch-optimizer``, after
``alphadl/lookahead.pytorch``, interpolates after the steps 1, 1 + k, 1 + 2k … instead, and its φ begins with the
weights after the first step. The result of a training is φ; it is w after every k-th step.

Sums are computed in one of the forms φ + α(w − φ), w − (1 − α)(w − φ) and (1 − α)φ + αw; a bound covers all three.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from refimpl.averaging import combined
from refimpl.errors import ParameterError
from refimpl.ranges import Portion, check_fields, check_integers
from refimpl.types import Array, Decay, Optimizer, State


@dataclass(frozen=True, kw_only=True)
class Lookahead:
    """State: that of ``inner``; ``slow`` φ, of the parameter's shape, and ``fast_steps``, how many steps were made,
    ``(runs,)``, both absent before the first step, when φ counts as the parameter."""

    inner: Optimizer
    k: int = 5
    alpha: Portion = 0.5

    def __post_init__(self) -> None:
        check_fields(self)
        check_integers(self, k=1)
        if isinstance(self.inner, Lookahead):
            raise ParameterError(
                "inner", given="lookahead", allowed="an optimizer without slow weights", remedy="use one lookahead"
            )

    @property
    def decay(self) -> Decay:
        return self.inner.decay

    def init(self, param: Array) -> State:
        return self.inner.init(param)

    def step(self, param: Array, grad: Array, state: State) -> tuple[Array, State]:
        count = state.get("fast_steps", np.zeros(len(param), int)) + 1
        last = (count % self.k == 0).reshape(-1, *(1,) * (param.ndim - 1))  # of k steps
        slow = state.get("slow", param)
        fast, after = self.inner.step(param, grad, state)
        pulled = combined(slow, fast, 1 - self.alpha, self.alpha)  # φ + α(w − φ)
        slow = np.where(last, pulled, slow)
        return np.where(last, pulled, fast), {**after, "slow": slow, "fast_steps": count}
