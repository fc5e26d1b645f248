"""Shampoo: AdaGrad with a matrix for each axis of an array in the place of one for all its elements.

::

    g ← g + μ(d − g)                momentum: d of the step before, at first g;  then g ← g + λw
    Hᵢ ← Hᵢ + GᵢGᵢᵀ                 of each of k axes, from εI; Gᵢ: g with axis i as rows, all others as columns
    d = g, each Gᵢ ← Hᵢ^(−1/2k) Gᵢ  of a matrix L^(−1/4) G R^(−1/4), L = H₁ and R = H₂; of a vector H^(−1/2) g
    w ← w − ηd

The roots are those of every ``update_freq``-th step, from the first on. A parameter without axes is stepped by g.

Source: Gupta, Koren & Singer, "Shampoo: Preconditioned Stochastic Tensor Optimization", ICML 2018, arXiv:1802.09568,
Algorithms 1 and 2, which have neither momentum nor decay. Both are as in published code, where momentum mixes the last
*preconditioned* step into the gradient before the statistics see it.

``pytorch-optimizer`` is the same with ``update_freq`` = 1; with another one its first steps have no root yet and do not
move. ``torch-optimizer`` has Hᵢ^(−1/k), the square of each root, and adds to H₂ the gradient that H₁ has already
preconditioned: neither is in the paper.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from refimpl.arithmetic.kernels import lerp
from refimpl.arithmetic.roots import times_inverse_root
from refimpl.ranges import NonNegative, Rate, check_fields, check_integers
from refimpl.stepping import count_step, is_zero
from refimpl.types import Array, Decay, State


@dataclass(frozen=True, kw_only=True)
class Shampoo:
    """State: ``step`` ``(runs,)``; ``precond_i`` Hᵢ ``(runs, nᵢ, nᵢ)`` of each axis; ``rooted_i``, the Hᵢ whose root is
    in use, where that is not the newest; ``momentum_buffer`` d, of the parameter's shape, with momentum.

    All of it is absent before the first step.
    """

    decay: ClassVar[Decay] = "coupled"
    lr: NonNegative = 0.1
    momentum: Rate = 0.0
    weight_decay: NonNegative = 0.0
    eps: NonNegative = 1e-4
    update_freq: int = 1

    def __post_init__(self) -> None:
        check_fields(self)
        check_integers(self, update_freq=1)

    def init(self, param: Array) -> State:
        del param
        return {}

    def step(self, param: Array, grad: Array, state: State) -> tuple[Array, State]:
        count, _ = count_step(state, param)
        g = grad
        if not is_zero(self.momentum):
            g = lerp(g, state.get("momentum_buffer", grad), self.momentum)  # g + μ(d − g)
        if not is_zero(self.weight_decay):
            g = g + self.weight_decay * param  # g + λw
        d, after = g, {"step": count}
        k = param.ndim - 1
        renewed = (count.reshape(-1, 1, 1) - 1) % self.update_freq < 1
        for i in range(k):
            G = unfolded(g, i)
            begin = of_matrices(self.eps) * np.eye(G.shape[1], dtype=int)  # εI
            H = state.get(f"precond_{i}", begin) + G @ G.swapaxes(-1, -2)  # Hᵢ + GᵢGᵢᵀ
            rooted = H if self.update_freq == 1 else np.where(renewed, H, state.get(f"rooted_{i}", H))
            turned = times_inverse_root(rooted, 2 * k, unfolded(d, i))  # Hᵢ^(−1/2k) Gᵢ
            d = turned.reshape(*d.swapaxes(1, i + 1).shape).swapaxes(1, i + 1)
            after[f"precond_{i}"] = H
            if self.update_freq > 1:
                after[f"rooted_{i}"] = rooted
        if not is_zero(self.momentum):
            after["momentum_buffer"] = d
        return param - self.lr * d, after  # w − ηd


def of_matrices(number: Any) -> Any:
    """A number, or one for each run, shaped to meet ``(runs, n, n)``."""
    return number.reshape(-1, 1, 1) if getattr(number, "ndim", 0) else number


def unfolded(x: Any, axis: int) -> Any:
    """``(runs, nᵢ, rest)``: one axis as rows, all others as columns, in an order that GGᵀ does not depend on."""
    moved = x.swapaxes(1, axis + 1)
    return moved.reshape(*moved.shape[:2], -1)
