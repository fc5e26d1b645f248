"""SparseAdam, as ``torch.optim.SparseAdam``: Adam that touches only the elements which a sparse gradient holds.

::

    g ← −g (maximize)
    c₁ = 1 − β₁ᵗ,  c₂ = 1 − β₂ᵗ         t counts every step
    for each element that the gradient holds, be its value 0 or not:
        m ← m + (1 − β₁)(g − m)         v ← v + (1 − β₂)(g² − v)
        w ← w − (η√c₂/c₁) · m / (√v + ε)
    every other element of w, m and v stays what it is

Source: documentation of ``torch.optim.SparseAdam``; Kingma & Ba, "Adam: A Method for Stochastic Optimization", ICLR
2015, whose reordered form (end of §2) this is: ε is added before the correction, so it counts 1/√c₂ times as much as in
``torch.optim.Adam``. It is not Adam with zeros filled in, whose averages decay at every step: here those of an absent
element do not decay, while its correction goes on with t. A gradient that holds nothing still counts as a step.
torch wants η > 0 and ε > 0, sums up indices that are given twice, and has neither decay nor amsgrad.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from refimpl.ranges import NonNegative, Rates, check_fields
from refimpl.stepping import count_step
from refimpl.types import Array, Decay, State


@dataclass(frozen=True, kw_only=True)
class SparseAdam:
    """State: ``step`` ``(runs,)``; of the parameter's shape ``exp_avg`` m and ``exp_avg_sq`` v.

    All of it is absent before the first step, when it counts as 0. Arrays are dense; ``step_sparse`` is told which
    elements the gradient holds, because a 0 that is held is not an element that is absent.
    """

    decay: ClassVar[Decay] = "coupled"
    lr: NonNegative = 0.001
    betas: Rates = (0.9, 0.999)
    eps: NonNegative = 1e-8
    maximize: bool = False

    def __post_init__(self) -> None:
        check_fields(self)

    def init(self, param: Array) -> State:
        del param
        return {}

    def step(self, param: Array, grad: Array, state: State) -> tuple[Array, State]:
        """The step of a gradient that holds every element."""
        return self.step_sparse(param, grad, np.full(grad.shape, True), state)

    def step_sparse(self, param: Array, grad: Array, held: Array, state: State) -> tuple[Array, State]:
        """``held``: true where the gradient holds an element; ``grad`` is without effect elsewhere.

        It broadcasts against the parameter: ``(runs, rows, 1)`` for a gradient that holds whole rows.
        """
        beta1, beta2 = self.betas
        count, t = count_step(state, param)
        g = -grad if self.maximize else grad
        old_m, old_v = state.get("exp_avg", 0), state.get("exp_avg_sq", 0)
        m = old_m + (1 - beta1) * (g - old_m)  # m + (1 − β₁)(g − m)
        v = old_v + (1 - beta2) * (g * g - old_v)  # v + (1 − β₂)(g² − v)
        c1, c2 = 1 - beta1**t, 1 - beta2**t  # 1 − βᵗ
        moved = param - self.lr * np.sqrt(c2) / c1 * (m / (np.sqrt(v) + self.eps))  # w − (η√c₂/c₁)·m/(√v + ε)
        kept = np.where(held, moved, param)
        return kept, {"step": count, "exp_avg": np.where(held, m, old_m), "exp_avg_sq": np.where(held, v, old_v)}
