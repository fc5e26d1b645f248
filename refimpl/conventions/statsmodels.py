"""statsmodels' ``OLS(y, X).fit_regularized``: half the mean, and the constant is a column like any other::

    ½·mean(r²) + alpha·((1 − L1_wt)/2·‖w‖² + L1_wt·‖w‖₁)     c = ½, mean
    λ₁ = alpha·L1_wt,  λ₂ = alpha·(1 − L1_wt)

One number for ``alpha`` penalises the coefficient of the constant, too. A vector with 0 in its place leaves it free:
``alpha=np.r_[0, np.full(p, alpha)]``.

Source: https://www.statsmodels.org/stable/generated/statsmodels.regression.linear_model.OLS.fit_regularized.html
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Self

from refimpl.objective import LOSSES, Facts, Objective, Share, Strength, number, ratio
from refimpl.ranges import check_fields


@dataclass(frozen=True, kw_only=True)
class FitRegularized:
    """``½·mean(r²) + alpha·((1 − L1_wt)/2·‖w‖² + L1_wt·‖w‖₁)``; the library's default weight."""

    alpha: Strength
    L1_wt: Share = 1.0

    name: ClassVar = "statsmodels"
    lambda1: ClassVar = "alpha·L1_wt"
    lambda2: ClassVar = "alpha·(1 − L1_wt)"
    intercept: ClassVar = "the constant is penalised, unless alpha is a vector with 0 in its place"
    link: ClassVar = (
        "https://www.statsmodels.org/stable/generated/statsmodels.regression.linear_model.OLS.fit_regularized.html"
    )
    losses: ClassVar[tuple[str, ...]] = ("half-mse",)

    def __post_init__(self) -> None:
        check_fields(self)

    @property
    def formula(self) -> str:
        return "½·mean(r²) + alpha·((1 − L1_wt)/2·‖w‖² + L1_wt·‖w‖₁)"

    @property
    def call(self) -> str:
        vector = f"alpha=np.r_[0, np.full(p, {number(self.alpha)})]"
        return f"OLS(y, add_constant(X)).fit_regularized({vector}, L1_wt={number(self.L1_wt)})"

    def ours(self, facts: Facts) -> Objective:
        del facts
        l1, l2 = self.alpha * self.L1_wt, self.alpha * (1 - self.L1_wt)  # λ₁, λ₂
        return Objective(loss=LOSSES["half-mse"], l1=l1, l2=l2)

    @classmethod
    def of(cls, objective: Objective, facts: Facts, loss: str) -> Self:
        same = objective.in_loss(LOSSES[loss], facts)
        alpha = same.l1 + same.l2  # λ₁ + λ₂
        return cls(alpha=alpha, L1_wt=ratio(same.l1, alpha))
