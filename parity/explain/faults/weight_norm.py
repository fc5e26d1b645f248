"""Plain SGD of a weight that is trained as length times direction."""

from __future__ import annotations

from dataclasses import dataclass

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
        length = norm(param).reshape(-1, *(1,) * (param.ndim - 1))
        of_v = state.get("length", length)
        unit = param / length
        along = total(unit * grad).reshape(length.shape)
        v = of_v * unit - self.lr * (length / of_v) * (grad - along * unit)
        new = norm(v).reshape(length.shape)
        return (length - self.lr * along) * (v / new), {"length": new}
