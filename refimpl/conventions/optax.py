"""optax: a loss as one writes it, and ``add_decayed_weights`` before the optimizer::

    optax.chain(optax.add_decayed_weights(λ), optax.sgd(η))      g ← g + λw: the penalty λ/2·‖w‖², λ₂ = weight_decay
    optax.squared_error is r², optax.l2_loss is ½r²; the mean or the sum over the rows is the caller's

It decays every parameter it is given, the bias too, unless a ``mask`` leaves it out. After the optimizer's own scaling
(``optax.adamw``) the decay is decoupled and belongs to no penalty, as with torch's AdamW.

Source: https://optax.readthedocs.io/en/latest/api/transformations.html#optax.add_decayed_weights
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal, Self

from refimpl.objective import LOSSES, Facts, Objective, Strength, number, text
from refimpl.ranges import check_fields

WRITTEN = {
    "mse": "squared_error(…).mean()",
    "half-mse": "l2_loss(…).mean()",
    "sse": "squared_error(…).sum()",
    "half-sse": "l2_loss(…).sum()",
}


@dataclass(frozen=True, kw_only=True)
class Optax:
    """``loss + weight_decay/2·‖w‖²``."""

    loss: Literal["mse", "half-mse", "sse", "half-sse"] = "mse"
    weight_decay: Strength

    name: ClassVar = "optax"
    lambda1: ClassVar = "0"
    lambda2: ClassVar = "weight_decay"
    intercept: ClassVar = "decayed like all parameters, unless a mask leaves it out"
    link: ClassVar = "https://optax.readthedocs.io/en/latest/api/transformations.html#optax.add_decayed_weights"
    losses: ClassVar[tuple[str, ...]] = tuple(LOSSES)

    def __post_init__(self) -> None:
        check_fields(self)

    @property
    def formula(self) -> str:
        return f"{text(LOSSES[self.loss])} + weight_decay/2·‖w‖²"

    @property
    def call(self) -> str:
        return f"{WRITTEN[self.loss]}, chain(add_decayed_weights({number(self.weight_decay)}, mask), sgd(η))"

    def ours(self, facts: Facts) -> Objective:
        del facts
        return Objective(loss=LOSSES[self.loss], l2=self.weight_decay)  # g ← g + λw

    @classmethod
    def of(cls, objective: Objective, facts: Facts, loss: str) -> Self:
        objective.refuse("l1", cls.name)
        same = objective.in_loss(LOSSES[loss], facts)
        return cls(loss=loss, weight_decay=same.l2)  # type: ignore[arg-type]  # one of the four: checked
