"""Keras' regularisers: added to the loss without a ½::

    MeanSquaredError + l1·‖w‖₁ + l2·‖w‖²      λ₁ = l1;  λ₂/2 = l2, so λ₂ = 2·l2
    Dense(1, kernel_regularizer=L1L2(l1, l2))

The loss is ``mean(r²)`` over the batch by default and ``Σr²`` with ``reduction='sum'``. The bias has a regulariser of
its own, ``bias_regularizer``, none by default. ``weight_decay`` of a Keras optimizer is another thing, w ← w − ηλw.

Source: https://keras.io/api/layers/regularizers/
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal, Self

from refimpl.objective import LOSSES, Facts, Objective, Strength, number, text
from refimpl.ranges import check_fields

WRITTEN = {"mse": "MeanSquaredError()", "sse": "MeanSquaredError(reduction='sum')"}


@dataclass(frozen=True, kw_only=True)
class Keras:
    """``loss + l1·‖w‖₁ + l2·‖w‖²``."""

    loss: Literal["mse", "sse"] = "mse"
    l1: Strength = 0.0
    l2: Strength = 0.0

    name: ClassVar = "keras"
    lambda1: ClassVar = "l1"
    lambda2: ClassVar = "2·l2"
    intercept: ClassVar = "free"
    link: ClassVar = "https://keras.io/api/layers/regularizers/"
    losses: ClassVar[tuple[str, ...]] = ("mse", "sse")

    def __post_init__(self) -> None:
        check_fields(self)

    @property
    def formula(self) -> str:
        terms = {"l1·‖w‖₁": self.l1, "l2·‖w‖²": self.l2}
        return " + ".join([text(LOSSES[self.loss]), *(term for term, strength in terms.items() if strength)])

    @property
    def call(self) -> str:
        strengths = f"l1={number(self.l1)}, l2={number(self.l2)}"
        return f"{WRITTEN[self.loss]}, Dense(1, kernel_regularizer=L1L2({strengths}))"

    def ours(self, facts: Facts) -> Objective:
        del facts
        return Objective(loss=LOSSES[self.loss], l1=self.l1, l2=2 * self.l2)  # λ₂/2 = l2

    @classmethod
    def of(cls, objective: Objective, facts: Facts, loss: str) -> Self:
        same = objective.in_loss(LOSSES[loss], facts)
        return cls(loss=loss, l1=same.l1, l2=same.l2 / 2)  # type: ignore[arg-type]  # one of the two: checked
