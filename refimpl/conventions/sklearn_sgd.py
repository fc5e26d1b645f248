"""scikit-learn's ``SGDRegressor``: half a square for each row, and the penalty again with each row::

    1/n·Σ ½rᵢ² + alpha·(l1_ratio·‖w‖₁ + (1 − l1_ratio)/2·‖w‖²)     c = ½, mean
    λ₁ = alpha·l1_ratio,  λ₂ = alpha·(1 − l1_ratio)                l1_ratio = 0 is penalty='l2', 1 is penalty='l1'

A step with row i descends ``½rᵢ² + alpha·R(w)``, so an epoch of small steps descends n times the mean over the rows:
the objective of ``ElasticNet``. The intercept is not penalised. With a constant rate it ends beside the minimum.

Source: https://scikit-learn.org/stable/modules/sgd.html#mathematical-formulation
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Self

from refimpl.objective import LOSSES, Facts, Objective, Share, Strength, number, ratio
from refimpl.ranges import check_fields


@dataclass(frozen=True, kw_only=True)
class SGDRegressor:
    """``½·mean(r²) + alpha·(l1_ratio·‖w‖₁ + (1 − l1_ratio)/2·‖w‖²)``; the library's default penalty is 'l2'."""

    alpha: Strength
    l1_ratio: Share = 0.0

    name: ClassVar = "sklearn.SGDRegressor"
    lambda1: ClassVar = "alpha·l1_ratio"
    lambda2: ClassVar = "alpha·(1 − l1_ratio)"
    intercept: ClassVar = "free"
    link: ClassVar = "https://scikit-learn.org/stable/modules/sgd.html#mathematical-formulation"
    losses: ClassVar[tuple[str, ...]] = ("half-mse",)

    def __post_init__(self) -> None:
        check_fields(self)

    @property
    def formula(self) -> str:
        return "1/n·Σ½r² + alpha·(l1_ratio·‖w‖₁ + (1 − l1_ratio)/2·‖w‖²)"

    @property
    def call(self) -> str:
        numbers = f"alpha={number(self.alpha)}, l1_ratio={number(self.l1_ratio)}"
        return f"SGDRegressor(penalty='elasticnet', {numbers})"

    def ours(self, facts: Facts) -> Objective:
        del facts
        l1, l2 = self.alpha * self.l1_ratio, self.alpha * (1 - self.l1_ratio)  # λ₁, λ₂
        return Objective(loss=LOSSES["half-mse"], l1=l1, l2=l2)

    @classmethod
    def of(cls, objective: Objective, facts: Facts, loss: str) -> Self:
        same = objective.in_loss(LOSSES[loss], facts)
        alpha = same.l1 + same.l2  # λ₁ + λ₂
        return cls(alpha=alpha, l1_ratio=ratio(same.l1, alpha))
