"""scikit-learn's ``Ridge``: the sum of squares, and no ½ anywhere::

    Σr² + alpha·‖w‖²      c = 1, sum;  λ₂/2 = alpha, so λ₂ = 2·alpha

The intercept is not penalised: X and y are centred first. Since rows are summed, the same data twice need twice the
``alpha``; for a mean over n rows ``c·mean(r²) + λ₂/2·‖w‖²`` it is ``alpha = nλ₂/(2c)``.

Source: https://scikit-learn.org/stable/modules/generated/sklearn.linear_model.Ridge.html
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Self

from refimpl.objective import LOSSES, Facts, Objective, Strength, number
from refimpl.ranges import check_fields


@dataclass(frozen=True, kw_only=True)
class Ridge:
    """``Σr² + alpha·‖w‖²``."""

    alpha: Strength

    name: ClassVar = "sklearn.Ridge"
    lambda1: ClassVar = "0"
    lambda2: ClassVar = "2·alpha"
    intercept: ClassVar = "free"
    link: ClassVar = "https://scikit-learn.org/stable/modules/generated/sklearn.linear_model.Ridge.html"
    losses: ClassVar[tuple[str, ...]] = ("sse",)

    def __post_init__(self) -> None:
        check_fields(self)

    @property
    def formula(self) -> str:
        return "Σr² + alpha·‖w‖²"

    @property
    def call(self) -> str:
        return f"Ridge(alpha={number(self.alpha)})"

    def ours(self, facts: Facts) -> Objective:
        del facts
        return Objective(loss=LOSSES["sse"], l2=2 * self.alpha)  # λ₂/2 = alpha

    @classmethod
    def of(cls, objective: Objective, facts: Facts, loss: str) -> Self:
        objective.refuse("l1", cls.name)
        return cls(alpha=objective.in_loss(LOSSES[loss], facts).l2 / 2)  # alpha = λ₂/2
