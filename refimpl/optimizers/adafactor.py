"""Adafactor, as ``torch.optim.Adafactor``: the second moment of a matrix kept as one number per row and per column.

With RMS(x) = ‖x‖/√n over all n elements of the array, and the last two axes of a gradient being r × c::

    g ← −g                                                  maximize
    β = 1 − t^τ                                             τ is ``beta2_decay``
    α = max(ε₂, RMS(w))·min(η, 1/√t)                        of w before its decay
    w ← w(1 − ηλ)                                           decoupled weight decay
    R ← βR + (1 − β)·mean of g² over each row               two axes or more: one number per row,
    C ← βC + (1 − β)·mean of g² over each column            one per column,
    V = RC / max(mean of R over the rows, ε₁)               the rank-one estimate of the second moment
    V ← βV + (1 − β)g²                                      no or one axis: kept itself
    u = g / √max(V, ε₁²)
    w ← w − α·u / max(1, RMS(u)/d)                          clipped to RMS d

Source: Shazeer & Stern, "Adafactor: Adaptive Learning Rates with Sublinear Memory Cost", ICML 2018, Algorithms 4 and 5.
torch differs from it: (1) ε₁ is not added to g², but bounds the mean of R and √V from below, and is the machine epsilon
of the dtype by default, not 1e-30; (2) the relative step is min(η, 1/√t) with η = 0.01 by default, where the paper has
the constant, and η also multiplies the decay, of which the paper has none; (3) R and C are means, where the paper
has sums: the same V, because V is homogeneous of degree one in them, as long as ε₁ does not act; (4) no momentum.
The documentation of torch shows sums and max(√V, ε₁); the latter equals √max(V, ε₁²), which is computed.

min(η, 1/√t) is written η/max(1, √(η²t)), so that any arithmetic can take the root, and averages βx + (1 − β)y as
x + (1 − β)(y − x), so that they round where torch does; both are the same.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, ClassVar

import numpy as np

from refimpl.arithmetic.kernels import item, lerp, machine_epsilon, mean, norm
from refimpl.errors import ParameterError
from refimpl.ranges import NonNegative, Range, check_fields
from refimpl.stepping import count_step, is_zero
from refimpl.types import Array, Decay, Number, State


@dataclass(frozen=True, kw_only=True)
class Adafactor:
    """State: ``step`` ``(runs,)``, and ``row_var`` R ``(…, r, 1)``, ``col_var`` C ``(…, 1, c)`` or ``variance`` V.

    All of it is absent before the first step, when it counts as 0. ``eps``: (ε₁, ε₂), the former None for the machine
    epsilon of the parameter's format. RMS and means are of one run, never over the axis of runs.
    """

    decay: ClassVar[Decay] = "decoupled"
    lr: NonNegative = 0.01
    beta2_decay: Annotated[Number, Range(high=0)] = -0.8
    eps: Annotated[tuple[Number | None, Number], Range(low=0, optional=True)] = (None, 0.001)
    d: Annotated[Number, Range(low=1)] = 1.0
    weight_decay: NonNegative = 0.0
    maximize: bool = False

    def __post_init__(self) -> None:
        check_fields(self)
        if self.eps[1] is None:
            raise ParameterError("eps", given=repr(self.eps), allowed="ε₂ a number ≥ 0", remedy="change eps")

    def init(self, param: Array) -> State:
        del param
        return {}

    def step(self, param: Array, grad: Array, state: State) -> tuple[Array, State]:
        count, t = count_step(state, param)
        eps1 = machine_epsilon(param) if self.eps[0] is None else self.eps[0]
        eps2 = self.eps[1]
        g = -grad if self.maximize else grad
        rate = t**self.beta2_decay  # 1 − β
        relative = self.lr / np.maximum(1, np.sqrt(self.lr * self.lr * t))  # min(η, 1/√t)
        alpha = np.maximum(eps2, rms(param)) * relative  # max(ε₂, RMS(w))·min(η, 1/√t)
        if not is_zero(self.weight_decay):
            param = param * (1 - self.lr * self.weight_decay)  # w(1 − ηλ)
        if grad.ndim > 2:
            rows = norm(g)[..., :, None]
            columns = norm(g.swapaxes(-1, -2))[..., None, :]
            R = lerp(state.get("row_var", 0), rows * rows / g.shape[-1], rate)  # βR + (1 − β)·mean over the row
            C = lerp(state.get("col_var", 0), columns * columns / g.shape[-2], rate)  # the same for columns
            V = R * C / np.maximum(mean(R.swapaxes(-1, -2))[..., None], eps1)  # RC / max(mean of R, ε₁)
            after = {"step": count, "row_var": R, "col_var": C}
        else:
            V = lerp(state.get("variance", 0), g * g, rate)  # βV + (1 − β)g²
            after = {"step": count, "variance": V}
        u = 1 / np.sqrt(np.maximum(V, eps1 * eps1)) * g  # g / √max(V, ε₁²)
        return param - alpha / np.maximum(1, rms(u) / self.d) * u, after  # w − α·u / max(1, RMS(u)/d)


def rms(x: Array) -> Any:
    """√(Σxᵢ²/n) over all axes but that of runs, shaped to meet ``x``: ‖x‖ is read out of the tensor, then divided."""
    length = item(norm(x.reshape(len(x), -1)).reshape(-1, *(1,) * (x.ndim - 1)))
    return np.sqrt(length * length / (x.size // len(x)))
