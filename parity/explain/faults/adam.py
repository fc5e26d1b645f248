"""Adam and AdamW as people get them wrong: one switch for each fault.

Right is, with t counted from 1 (:mod:`refimpl.optimizers.adam`)::

    m ← β₁m + (1 − β₁)g      v ← β₂v + (1 − β₂)g²
    w ← w − (η/(1 − β₁ᵗ))·m / (√v/√(1 − β₂ᵗ) + ε)
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from refimpl.optimizers import Adam
from refimpl.types import Array, State, counted, off


@dataclass(frozen=True, kw_only=True)
class FaultyAdam(Adam):
    """``uncorrected_first``, ``uncorrected_second``: no bias correction of m, of v. ``late``: by how many steps the
    count lags, at least 1. ``eps_place``: "outside" is right; "inside" √(v̂ + ε), "before" (√v + ε)/√c₂, "nowhere".
    ``corrected_maximum``: amsgrad over v̂. ``second_of``: v averages the square of the gradient "as given" or
    "decayed", g + λw. ``undamped_second``: v ← β₂v + g².
    """

    uncorrected_first: bool = False
    uncorrected_second: bool = False
    late: int = 0
    eps_place: str = "outside"
    corrected_maximum: bool = False
    second_of_decayed: bool = False
    undamped_second: bool = False

    def step(self, param: Array, grad: Array, state: State) -> tuple[Array, State]:
        beta1, beta2 = self.betas
        count, t = counted(state, param)
        t = np.maximum(t - self.late, 1)
        g = -grad if self.maximize else grad
        squared = g
        if not off(self.weight_decay):
            if self.second_of_decayed:
                squared = g + self.weight_decay * param
            if self.decoupled_weight_decay:
                param = param * (1 - self.lr * self.weight_decay)  # w(1 − ηλ)
            else:
                g = squared = g + self.weight_decay * param  # g + λw
        m = beta1 * state.get("exp_avg", 0) + (1 - beta1) * g
        new = squared * squared if self.undamped_second else (1 - beta2) * squared * squared
        v = beta2 * state.get("exp_avg_sq", 0) + new
        after = {"step": count, "exp_avg": m, "exp_avg_sq": v}
        c1 = 1 if self.uncorrected_first else 1 - beta1**t
        c2 = 1 if self.uncorrected_second else 1 - beta2**t
        if self.amsgrad:
            v = np.maximum(state.get("max_exp_avg_sq", 0), v / c2 if self.corrected_maximum else v)
            after["max_exp_avg_sq"] = v
            c2 = 1 if self.corrected_maximum else c2
        if self.eps_place == "inside":
            denominator = np.sqrt(v / c2 + self.eps)
        elif self.eps_place == "before":
            denominator = (np.sqrt(v) + self.eps) / np.sqrt(c2)
        elif self.eps_place == "nowhere":
            denominator = np.sqrt(v) / np.sqrt(c2)
        else:
            denominator = np.sqrt(v) / np.sqrt(c2) + self.eps
        return param - self.lr / c1 * m / denominator, after
