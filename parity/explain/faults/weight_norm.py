"""Plain SGD of a weight that is trained as length times direction."""

from __future__ import annotations

from dataclasses import dataclass

from parity.explain.faults.twists import beside
from refimpl.optimizers import SGD
from refimpl.reductions import norm, total
from refimpl.types import Array, State


@dataclass(frozen=True, kw_only=True)
class WeightNormSGD(SGD):
    """Plain SGD on the length ℓ and the direction v of ``w = ℓ·v/‖v‖``, which begins with v = w::

        v ← v − η·(ℓ/‖v‖)·(g − ŵ(ŵ·g)),    ℓ ← ℓ − η·ŵ·g,    ŵ = w/‖w‖

    Of v its length is enough to know, since it has the direction of w.
    """

    def step(self, param: Array, grad: Array, state: State) -> tuple[Array, State]:
        length = beside(param, norm(param))
        of_v = state.get("length", length)
        unit = param / length
        along = beside(param, total(unit * grad))
        v = of_v * unit - self.lr * (length / of_v) * (grad - along * unit)
        new = beside(param, norm(v))
        return (length - self.lr * along) * (v / new), {"length": new}
