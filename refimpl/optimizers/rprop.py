"""Resilient backpropagation, as ``torch.optim.Rprop``: only the sign of each derivative counts.

Every weight has its own step size Δ, which grows while the sign of its derivative stays and shrinks when it turns::

    g ← −g (maximize)
    q = sign(g·p)                           p: the gradient before, 0 at the first step
    Δ ← clip(Δ·η⁺ (q > 0), Δ·η⁻ (q < 0), Δ (q = 0);  Δ_min, Δ_max)
    g ← 0 where q < 0                       after a turn the weight rests for one step
    w ← w − sign(g)·Δ
    p ← g                                   so that q = 0 at the next step, and Δ stays

Sources: Riedmiller & Braun, "A Direct Adaptive Method for Faster Backpropagation Learning: The RPROP Algorithm", ICNN
1993; Igel & Hüsken, "Improving the Rprop Learning Algorithm", NC 2000, whose iRprop⁻ this is: the paper of 1993 takes
the last step of a weight back when its derivative turns. ``lr`` is the first Δ and has no effect later; a Δ_min above
it wins at once, so that ``lr = 0`` does not stop the weights. torch decides by the product g·p, which underflows to 0
(no turn) where both are small, and stores Δ, η⁺ and η⁻ in the parameter's dtype.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar

import numpy as np

from refimpl.errors import ParameterError
from refimpl.ranges import NonNegative, Range, check_fields, is_number
from refimpl.stepping import count_step
from refimpl.types import Array, Decay, Number, State


@dataclass(frozen=True, kw_only=True)
class Rprop:
    """State: ``step`` ``(runs,)``; of the parameter's shape ``prev`` p and ``step_size`` Δ.

    All of it is absent before the first step, when p counts as 0 and Δ as ``lr``. ``etas``: (η⁻, η⁺); ``step_sizes``:
    (Δ_min, Δ_max).
    """

    decay: ClassVar[Decay] = "coupled"
    lr: NonNegative = 0.01
    etas: Annotated[tuple[Number, Number], Range(low=0)] = (0.5, 1.2)
    step_sizes: Annotated[tuple[Number, Number], Range(low=0)] = (1e-6, 50.0)
    maximize: bool = False

    def __post_init__(self) -> None:
        check_fields(self)
        shrink, grow = self.etas
        if is_number(shrink) and is_number(grow) and not np.all((shrink > 0) & (shrink < 1) & (grow > 1)):
            raise ParameterError(
                "etas", given=repr(self.etas), allowed="a factor from 0 to 1 and one above 1", remedy="change etas"
            )

    def init(self, param: Array) -> State:
        del param
        return {}

    def step(self, param: Array, grad: Array, state: State) -> tuple[Array, State]:
        count, _ = count_step(state, param)
        shrink, grow = self.etas
        smallest, largest = self.step_sizes
        g = -grad if self.maximize else grad
        product = g * state.get("prev", 0)  # g·p
        factor = np.where(product > 0, grow, np.where(product < 0, shrink, 1))  # η⁺, η⁻ or 1
        step_size = state.get("step_size", self.lr) * factor
        step_size = np.minimum(np.maximum(step_size, smallest), largest)  # clip(Δ; Δ_min, Δ_max)
        g = np.where(product < 0, 0, g)  # rests after a turn
        return param - np.sign(g) * step_size, {"step": count, "prev": g, "step_size": step_size}  # w − sign(g)·Δ
