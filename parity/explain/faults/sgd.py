"""Momentum as people get it wrong.

Right is, with the first step undampened (:mod:`refimpl.optimizers.sgd`)::

    b ← g, later μb + (1 − τ)g;    w ← w − η·b
"""

from __future__ import annotations

from dataclasses import dataclass

from refimpl.optimizers import SGD
from refimpl.reductions import norm, total
from refimpl.types import Array, State, off


@dataclass(frozen=True, kw_only=True)
class FaultySGD(SGD):
    """``first_dampened``: b ← (1 − τ)g at the first step, too. ``rate_inside``: the velocity holds ηg,
    v ← μv + (1 − τ)ηg, w ← w − v, which differs where η changes."""

    first_dampened: bool = False
    rate_inside: bool = False

    def step(self, param: Array, grad: Array, state: State) -> tuple[Array, State]:
        if off(self.momentum):
            return super().step(param, grad, state)
        g = -grad if self.maximize else grad
        if not off(self.weight_decay):
            g = g + self.weight_decay * param  # g + λw
        rate = self.lr if self.rate_inside else 1
        before = state.get("momentum_buffer")
        undampened = before is None and not self.first_dampened
        new = rate * g if undampened else (1 - self.dampening) * (rate * g)
        b = new if before is None else self.momentum * before + new  # μb + (1 − τ)g
        d = rate * g + self.momentum * b if self.nesterov else b
        return param - (d if self.rate_inside else self.lr * d), {"momentum_buffer": b}


@dataclass(frozen=True, kw_only=True)
class WeightNormSGD(SGD):
    """Plain SGD on the length ℓ and the direction v of ``w = ℓ·v/‖v‖``, which begins with v = w::

        v ← v − η·(ℓ/‖v‖)·(g − ŵ(ŵ·g)),    ℓ ← ℓ − η·ŵ·g,    ŵ = w/‖w‖

    Of v its length is enough to know, since it has the direction of w.
    """

    def step(self, param: Array, grad: Array, state: State) -> tuple[Array, State]:
        length = norm(param).reshape(-1, *(1,) * (param.ndim - 1))
        of_v = state.get("length", length)
        unit = param / length
        along = total(unit * grad).reshape(length.shape)
        v = of_v * unit - self.lr * (length / of_v) * (grad - along * unit)
        new = norm(v).reshape(length.shape)
        return (length - self.lr * along) * (v / new), {"length": new}
