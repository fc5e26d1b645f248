"""SignSGD: every weight moves by η, in the direction of the sign of the gradient, or of its average.

::

    m ← μm + (1 − μ)g                   m = g without momentum
    w ← w(1 − ηλ) − η·sign(m)           decoupled weight decay; sign(0) = 0

Source: Bernstein et al., "signSGD: Compressed Optimisation for Non-Convex Problems", ICML 2018, Algorithm 1, and with
momentum Algorithm 2 (Signum), whose option of a decay is λ in ``w − η(sign(m) + λw)``: the same, because m does not
depend on w. It is Lion with two equal β. Tiger (Su, 2023) is the same rule, too, with a rate that its own package
adapts to each parameter. ``optax`` has it as ``signum`` and ``sign_sgd``, ``pytorch-optimizer`` as ``SignSGD`` and
``Tiger``.

Where μm + (1 − μ)g nearly cancels, rounding decides the sign, and the step may be −η, 0 or η: the bound says so.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from refimpl.ranges import NonNegative, Rate, check_fields
from refimpl.stepping import is_zero
from refimpl.types import Array, Decay, State


@dataclass(frozen=True, kw_only=True)
class SignSGD:
    """State: with momentum ``momentum_buffer`` m, of the parameter's shape, absent before the first step, when it
    counts as 0.
    """

    decay: ClassVar[Decay] = "decoupled"
    lr: NonNegative = 0.001
    momentum: Rate = 0.9
    weight_decay: NonNegative = 0.0

    def __post_init__(self) -> None:
        check_fields(self)

    def init(self, param: Array) -> State:
        del param
        return {}

    def step(self, param: Array, grad: Array, state: State) -> tuple[Array, State]:
        if not is_zero(self.weight_decay):
            param = param * (1 - self.lr * self.weight_decay)  # w(1 − ηλ)
        if is_zero(self.momentum):
            return param - self.lr * np.sign(grad), {}  # − η·sign(g)
        m = self.momentum * state.get("momentum_buffer", 0) + (1 - self.momentum) * grad  # μm + (1 − μ)g
        return param - self.lr * np.sign(m), {"momentum_buffer": m}  # − η·sign(m)
