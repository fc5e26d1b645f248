"""AggMo: SGD with several momenta at once, whose steps are averaged.

::

    g ← g + λw                          coupled weight decay
    bᵢ ← βᵢbᵢ + g                       one buffer for each of the K ``betas``
    w ← w − (η/K)·Σbᵢ

Source: Lucas, Sun, Zemel & Grosse, "Aggregated Momentum: Stability Through Passive Damping", ICLR 2019, equation (3),
with bᵢ = −vᵢ. The paper's default has βᵢ = 1 − 0.1ⁱ for i = 0, 1, 2.

``torch-optimizer`` and ``pytorch-optimizer`` are the same; the latter may decouple its decay. Their buffers are a
mapping by βᵢ, so that two equal momenta share one, which then moves twice.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar

from refimpl.errors import ParameterError
from refimpl.ranges import NonNegative, Range, check_fields
from refimpl.stepping import is_zero
from refimpl.types import Array, Decay, Number, State


@dataclass(frozen=True, kw_only=True)
class AggMo:
    """State: ``momentum_buffer_0`` b₀, ``momentum_buffer_1`` b₁, …, of the parameter's shape.

    All of it is absent before the first step, when it counts as 0.
    """

    decay: ClassVar[Decay] = "coupled"
    lr: NonNegative = 0.001
    betas: Annotated[tuple[Number, ...], Range(low=0, high=1, open_high=True)] = (0.0, 0.9, 0.99)
    weight_decay: NonNegative = 0.0

    def __post_init__(self) -> None:
        check_fields(self)
        if not self.betas:
            raise ParameterError("betas", given="()", allowed="one number or more", remedy="give a momentum")

    def init(self, param: Array) -> State:
        del param
        return {}

    def step(self, param: Array, grad: Array, state: State) -> tuple[Array, State]:
        g = grad if is_zero(self.weight_decay) else grad + self.weight_decay * param  # g + λw
        after = {}
        for i, beta in enumerate(self.betas):
            key = f"momentum_buffer_{i}"
            b = beta * state.get(key, 0) + g  # βb + g
            param = param - self.lr / len(self.betas) * b  # w − (η/K)·b
            after[key] = b
        return param, after
