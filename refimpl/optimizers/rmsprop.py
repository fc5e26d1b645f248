"""RMSprop, as ``torch.optim.RMSprop``: steps divided by the root of a running average of squared gradients.

::

    g ← −g (maximize);  g ← g + λw
    v ← αv + (1 − α)g²
    m ← m + (1 − α)(g − m) (centered)      = αm + (1 − α)g
    s = v − m² (centered) or v
    d = g / (√s + ε)                        w ← w − ηd
    b ← μb + g / (√s + ε),  d = b           when μ > 0

Sources: Hinton, Srivastava & Swersky, "Neural Networks for Machine Learning", lecture 6e, 2012; Graves, "Generating
Sequences With Recurrent Neural Networks", arXiv:1308.0850, 2013, eq. 38–45 (centered, with momentum). torch differs:
ε is added outside of the root, Graves' inside; η multiplies the velocity when it is applied, Graves' is stored in it.

The variance v − m² is not negative in exact arithmetic, but rounding can make it so where the gradient hardly varies.
torch takes its root all the same and gets nan; so it is nan here, and unbounded where rounding decides.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from refimpl.ranges import NonNegative, Rate, check_fields
from refimpl.stepping import count_step, is_zero
from refimpl.types import Array, Decay, State


@dataclass(frozen=True, kw_only=True)
class RMSprop:
    """State: ``step`` ``(runs,)``; of the parameter's shape ``square_avg`` v, ``grad_avg`` m, ``momentum_buffer`` b.

    All of it is absent before the first step, when it counts as 0; m is kept when centered only, b with momentum only.
    """

    decay: ClassVar[Decay] = "coupled"
    lr: NonNegative = 0.01
    alpha: Rate = 0.99
    eps: NonNegative = 1e-8
    weight_decay: NonNegative = 0.0
    momentum: NonNegative = 0.0
    centered: bool = False
    maximize: bool = False

    def __post_init__(self) -> None:
        check_fields(self)

    def init(self, param: Array) -> State:
        del param
        return {}

    def step(self, param: Array, grad: Array, state: State) -> tuple[Array, State]:
        count, _ = count_step(state, param)
        g = -grad if self.maximize else grad
        if not is_zero(self.weight_decay):
            g = g + self.weight_decay * param  # g + λw
        v = self.alpha * state.get("square_avg", 0) + (1 - self.alpha) * g * g  # αv + (1 − α)g²
        after = {"step": count, "square_avg": v}
        if self.centered:
            m = state.get("grad_avg", 0)
            m = m + (1 - self.alpha) * (g - m)  # m + (1 − α)(g − m)
            after["grad_avg"] = m
            v = v - m * m  # v − m²
            v = np.where(v < 0, np.nan, v)  # no clipping at 0
        direction = g / (np.sqrt(v) + self.eps)  # g/(√s + ε)
        if not is_zero(self.momentum):
            direction = self.momentum * state.get("momentum_buffer", 0) + direction  # μb + g/(√s + ε)
            after["momentum_buffer"] = direction
        return param - self.lr * direction, after  # w − ηd
