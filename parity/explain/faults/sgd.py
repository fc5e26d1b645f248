"""Momentum as people get it wrong.

Right is, with the first step undampened (:mod:`refimpl.optimizers.sgd`)::

    b ← g, later μb + (1 − τ)g;    w ← w − η·b
"""

from __future__ import annotations

from dataclasses import dataclass

from refimpl.optimizers import SGD
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
