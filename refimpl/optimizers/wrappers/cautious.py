"""Cautious: an optimizer moves only those weights whose step goes down the gradient of this moment, and these farther.

::

    u                                   the inner optimizer's step, without its decoupled decay: w ← w − u
    φ = 1 where u·g > 0, else 0
    w ← w(1 − ηλ) − u·φ / max(mean(φ), c)       c is ``floor``

The mean is over one parameter. A decay that is coupled is part of u, and φ asks the gradient without it.

Source: Liang, Chen, Liu & Liu, "Cautious Optimizers: Improving Training with One Line of Code", 2024, arXiv:2411.16085,
Algorithm 1. It divides by (nnz(φ) + ξ)/dim with ξ = 1; the authors' code, like the packages that took it over, has the
mean, at least 1e-3, as here. Where the paper's φ has ≥ 0, an element without gradient counts, the code's has > 0.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from refimpl.ranges import Portion, check_fields
from refimpl.reductions import total
from refimpl.types import Array, Decay, Optimizer, State


@dataclass(frozen=True, kw_only=True)
class Cautious:
    """State: that of ``inner``."""

    inner: Optimizer
    floor: Portion = 0.001

    def __post_init__(self) -> None:
        check_fields(self)

    @property
    def decay(self) -> Decay:
        return self.inner.decay

    def init(self, param: Array) -> State:
        return self.inner.init(param)

    def step(self, param: Array, grad: Array, state: State) -> tuple[Array, State]:
        inner: Any = self.inner
        decoupled = inner.decay == "decoupled" and hasattr(inner, "weight_decay")
        after, state = (replace(inner, weight_decay=0) if decoupled else inner).step(param, grad, state)
        u = param - after
        mask = np.where(u * grad > 0, 1 + 0 * u, 0 * u)  # φ
        mean = (total(mask) / param[0].size).reshape(-1, *(1,) * (param.ndim - 1))  # of one parameter
        if decoupled:
            param = param * (1 - inner.lr * inner.weight_decay)  # w(1 − ηλ)
        return param - u * mask / np.maximum(mean, self.floor), state  # w − u·φ / max(mean(φ), c)
