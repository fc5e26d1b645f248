"""Adafactor as in the paper, and as in ``transformers`` and ``fairseq``; torch's form is another, beside this one.

With RMS(x) = ‖x‖/√n over all n elements of the array, and the last two axes of a gradient being r × c::

    β = 1 − t^τ                                             τ is ``decay_rate``
    ρ = min(η, 1/√t)                                        ``relative_step``, else η
    ρ = min(ηt/10⁴, 1/√t)                                   ``relative_step`` and ``warmup_init``
    α = max(ε₂, RMS(w))·ρ                                   ``scale_parameter``, else ρ
    R ← βR + (1 − β)·mean of g² + ε₁ over each row          two axes or more: one number per row,
    C ← βC + (1 − β)·mean of g² + ε₁ over each column       one per column,
    V = RC / mean of R over the rows                        the rank-one estimate of the second moment
    V ← βV + (1 − β)(g² + ε₁)                               no or one axis, or an axis that is too short: kept itself
    u = g / √V
    u ← α·u / max(1, RMS(u)/d)                              d is ``clip_threshold``
    m ← β₁m + (1 − β₁)u                                     where there is a ``beta1``; it takes the place of u
    w ← w(1 − αλ) − u                                       decoupled weight decay

Source: Shazeer & Stern, "Adafactor: Adaptive Learning Rates with Sublinear Memory Cost", ICML 2018, Algorithms 4 to 6.
η is the paper's constant 10⁻², from which its warm-up, 10⁻⁶t, follows. R and C are means, where the paper has sums: the
same V, because V is homogeneous of degree one in them. The decay is that of ``transformers``: the paper has none.

In ``transformers`` η is that constant where ``relative_step``, and ``lr`` is None. ``timm`` has no relative step and no
scale where a rate is given, and a ``min_dim_size_to_factor`` of 16. torch bounds with ε₁ where the paper adds it, and
multiplies its decay by η alone.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, ClassVar

import numpy as np

from refimpl.arithmetic.kernels import mean
from refimpl.ranges import NonNegative, Range, check_fields, check_integers
from refimpl.stepping import count_step, is_zero
from refimpl.types import Array, Decay, Number, State


@dataclass(frozen=True, kw_only=True)
class AdafactorPaper:
    """State: ``step`` ``(runs,)``; ``row_var`` R ``(…, r, 1)`` and ``col_var`` C ``(…, 1, c)``, or ``variance`` V, and,
    with ``beta1``, ``exp_avg`` m, of the parameter's shape.

    All of it is absent before the first step, when it counts as 0. ``eps``: (ε₁, ε₂). An array is factored where both
    of its last axes are longer than ``min_dim_size_to_factor``. RMS and means are of one run, never over the axis of
    runs.
    """

    decay: ClassVar[Decay] = "decoupled"
    lr: NonNegative = 0.01
    eps: Annotated[tuple[Number, Number], Range(low=0)] = (1e-30, 0.001)
    clip_threshold: Annotated[Number, Range(low=0)] = 1.0
    decay_rate: Annotated[Number, Range(high=0)] = -0.8
    beta1: Annotated[Number | None, Range(low=0, high=1, open_high=True, optional=True)] = None
    weight_decay: NonNegative = 0.0
    scale_parameter: bool = True
    relative_step: bool = True
    warmup_init: bool = False
    min_dim_size_to_factor: int = 0

    def __post_init__(self) -> None:
        check_fields(self)
        check_integers(self, min_dim_size_to_factor=0)

    def init(self, param: Array) -> State:
        del param
        return {}

    def step(self, param: Array, grad: Array, state: State) -> tuple[Array, State]:
        count, t = count_step(state, param)
        eps1, eps2 = self.eps
        g = grad
        beta = 1 - t**self.decay_rate  # 1 − t^τ
        rho = self.lr
        if self.relative_step:
            warm = self.lr * t / 10000 if self.warmup_init else self.lr  # ηt/10⁴ or η
            rho = warm / np.maximum(1, np.sqrt(warm * warm * t))  # min(η, 1/√t)
        alpha = np.maximum(eps2, rms(param)) * rho if self.scale_parameter else rho  # max(ε₂, RMS(w))·ρ
        squares = g * g + eps1  # g² + ε₁
        if grad.ndim > 2 and min(grad.shape[-2:]) > self.min_dim_size_to_factor:
            rows, columns = mean(squares)[..., :, None], mean(squares.swapaxes(-1, -2))[..., None, :]
            R = beta * state.get("row_var", 0) + (1 - beta) * rows  # βR + (1 − β)·mean over the row
            C = beta * state.get("col_var", 0) + (1 - beta) * columns  # the same for columns
            share = R / mean(R.swapaxes(-1, -2))[..., None]  # R/mean of R
            u = g / np.sqrt(share) / np.sqrt(C)  # g/√V
            after = {"step": count, "row_var": R, "col_var": C}
        else:
            V = beta * state.get("variance", 0) + (1 - beta) * squares  # βV + (1 − β)(g² + ε₁)
            u = g / np.sqrt(V)  # g/√V
            after = {"step": count, "variance": V}
        u = alpha * (u / np.maximum(1, rms(u) / self.clip_threshold))  # α·u/max(1, RMS(u)/d)
        if self.beta1 is not None:
            u = self.beta1 * state.get("exp_avg", 0) + (1 - self.beta1) * u  # β₁m + (1 − β₁)u
            after["exp_avg"] = u
        if not is_zero(self.weight_decay):
            param = param * (1 - alpha * self.weight_decay)  # w(1 − αλ)
        return param - u, after  # w − u


def rms(x: Array) -> Any:
    """√(Σxᵢ²/n) over all axes but that of runs, shaped to meet ``x``."""
    flat = x.reshape(len(x), -1)
    squares: Any = np.vecdot(flat, flat)
    return np.sqrt(squares / (x.size // len(x))).reshape(-1, *(1,) * (x.ndim - 1))
