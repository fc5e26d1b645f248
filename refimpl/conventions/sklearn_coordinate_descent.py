"""scikit-learn's ``Lasso`` and ``ElasticNet``: half the mean, and a strength with a mixing ratio::

    ElasticNet   1/(2n)·Σr² + alpha·l1_ratio·‖w‖₁ + alpha·(1 − l1_ratio)/2·‖w‖²
                 c = ½, mean;  λ₁ = alpha·l1_ratio,  λ₂ = alpha·(1 − l1_ratio)
    Lasso        l1_ratio = 1

The other way: ``alpha = λ₁ + λ₂`` and ``l1_ratio = λ₁/(λ₁ + λ₂)``. The intercept is not penalised. Beside ``Ridge``:
``ElasticNet(alpha, l1_ratio=0)`` is ``Ridge(n·alpha)``.

Source: https://scikit-learn.org/stable/modules/generated/sklearn.linear_model.ElasticNet.html
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Self

from refimpl.objective import LOSSES, Facts, Objective, Share, Strength, number, ratio
from refimpl.ranges import check_fields


@dataclass(frozen=True, kw_only=True)
class ElasticNet:
    """``½·mean(r²) + alpha·l1_ratio·‖w‖₁ + alpha·(1 − l1_ratio)/2·‖w‖²``; the library's default ratio."""

    alpha: Strength
    l1_ratio: Share = 0.5

    name: ClassVar = "sklearn.ElasticNet"
    lambda1: ClassVar = "alpha·l1_ratio"
    lambda2: ClassVar = "alpha·(1 − l1_ratio)"
    intercept: ClassVar = "free"
    link: ClassVar = "https://scikit-learn.org/stable/modules/generated/sklearn.linear_model.ElasticNet.html"
    losses: ClassVar[tuple[str, ...]] = ("half-mse",)

    def __post_init__(self) -> None:
        check_fields(self)

    @property
    def formula(self) -> str:
        return "½·mean(r²) + alpha·l1_ratio·‖w‖₁ + alpha·(1 − l1_ratio)/2·‖w‖²"

    @property
    def call(self) -> str:
        return f"ElasticNet(alpha={number(self.alpha)}, l1_ratio={number(self.l1_ratio)})"

    def ours(self, facts: Facts) -> Objective:
        del facts
        l1, l2 = self.alpha * self.l1_ratio, self.alpha * (1 - self.l1_ratio)  # λ₁, λ₂
        return Objective(loss=LOSSES["half-mse"], l1=l1, l2=l2)

    @classmethod
    def of(cls, objective: Objective, facts: Facts, loss: str) -> Self:
        same = objective.in_loss(LOSSES[loss], facts)
        alpha = same.l1 + same.l2  # λ₁ + λ₂
        return cls(alpha=alpha, l1_ratio=ratio(same.l1, alpha))


@dataclass(frozen=True, kw_only=True)
class Lasso:
    """``½·mean(r²) + alpha·‖w‖₁``."""

    alpha: Strength

    name: ClassVar = "sklearn.Lasso"
    lambda1: ClassVar = "alpha"
    lambda2: ClassVar = "0"
    intercept: ClassVar = "free"
    link: ClassVar = "https://scikit-learn.org/stable/modules/generated/sklearn.linear_model.Lasso.html"
    losses: ClassVar[tuple[str, ...]] = ("half-mse",)

    def __post_init__(self) -> None:
        check_fields(self)

    @property
    def formula(self) -> str:
        return "½·mean(r²) + alpha·‖w‖₁"

    @property
    def call(self) -> str:
        return f"Lasso(alpha={number(self.alpha)})"

    def ours(self, facts: Facts) -> Objective:
        del facts
        return Objective(loss=LOSSES["half-mse"], l1=self.alpha)  # λ₁ = alpha

    @classmethod
    def of(cls, objective: Objective, facts: Facts, loss: str) -> Self:
        objective.refuse("l2", cls.name)
        return cls(alpha=objective.in_loss(LOSSES[loss], facts).l1)
