"""Proximal stochastic gradient descent: the loss by its gradient, the penalty by its proximal operator.

::

    w ← prox_{ηΩ}(w − ηg)

Source: Parikh & Boyd, "Proximal Algorithms", 2014, §4.2; with ``Ω = λ‖·‖₁`` and full batches it is ISTA (Beck &
Teboulle 2009), whose iterates have exact zeros. Without a penalty it is plain SGD. torch.optim has no such step.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from refimpl.ranges import NonNegative, check_fields
from refimpl.types import Array, Decay, Penalty, State


@dataclass(frozen=True, kw_only=True)
class ProximalSGD:
    """Stateless; ``penalty`` is Ω, of which only ``prox`` is used."""

    decay: ClassVar[Decay] = "proximal"
    lr: NonNegative
    penalty: Penalty | None = None

    def __post_init__(self) -> None:
        check_fields(self)

    def init(self, param: Array) -> State:
        del param
        return {}

    def step(self, param: Array, grad: Array, state: State) -> tuple[Array, State]:
        del state
        descended = param - self.lr * grad  # w − ηg
        return descended if self.penalty is None else self.penalty.prox(descended, self.lr), {}  # prox_{ηΩ}
