"""R's glmnet, family gaussian: half the mean, and a squared penalty that depends on the unit of y.

Documented is ``½·mean(r²) + λ(α‖w‖₁ + (1 − α)/2·‖w‖²)``. Computed is something else where α < 1: y is divided by its
standard deviation s (with 1/n), and so is a λ that the user gives. With ``w = sv`` the program minimises::

    ½·mean((y/s − Xv)²) + (λ/s)·(α‖v‖₁ + (1 − α)/2·‖v‖²)
    = s⁻²·[½·mean((y − Xw)²) + λα‖w‖₁ + (λ/s)·(1 − α)/2·‖w‖²]      because ‖v‖₁ = ‖w‖₁/s and ‖v‖² = ‖w‖²/s²

    c = ½, mean;  λ₁ = λα,  λ₂ = λ(1 − α)/s

so a lasso is as documented, and a ridge has a λ that is s times larger than elsewhere. The other way:
``λ = λ₁ + sλ₂`` and ``α = λ₁/λ``. Numbers of glmnet 4.1-6 agree with this to 14 digits, with or without
``standardize`` (tests/refimpl/test_conventions.py). ``standardize=TRUE``, the default, puts the penalty on ``sⱼwⱼ``,
with sⱼ the standard deviation of column j with 1/n. The intercept is not penalised; without one, s is √mean(y²).

Source: Friedman, Hastie & Tibshirani 2010, *Regularization Paths for Generalized Linear Models via Coordinate
Descent*, §2; https://glmnet.stanford.edu/articles/glmnet.html, on "linear regression: family gaussian".
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal, Self

from refimpl.objective import LOSSES, Facts, Objective, Share, Strength, number, ratio
from refimpl.ranges import check_fields


@dataclass(frozen=True, kw_only=True)
class Glmnet:
    """``½·mean(r²) + lambda·alpha·‖w‖₁ + lambda·(1 − alpha)/(2·sd_y)·‖w‖²``; defaults as in R."""

    lambda_: Strength
    alpha: Share = 1.0
    standardize: Literal["TRUE", "FALSE"] = "TRUE"

    name: ClassVar = "glmnet"
    lambda1: ClassVar = "lambda·alpha"
    lambda2: ClassVar = "lambda·(1 − alpha)/sd_y"
    intercept: ClassVar = "free"
    link: ClassVar = "https://glmnet.stanford.edu/articles/glmnet.html"
    losses: ClassVar[tuple[str, ...]] = ("half-mse",)

    def __post_init__(self) -> None:
        check_fields(self)

    @property
    def formula(self) -> str:
        columns = ", w on columns ÷ sⱼ" if self.standardize == "TRUE" else ""
        return f"½·mean(r²) + lambda·(alpha·‖w‖₁ + (1 − alpha)/(2·sd_y)·‖w‖²){columns}"

    @property
    def call(self) -> str:
        numbers = f"lambda={number(self.lambda_)}, alpha={number(self.alpha)}"
        return f"glmnet(X, y, {numbers}, standardize={self.standardize})"

    def ours(self, facts: Facts) -> Objective:
        l1, squared = self.lambda_ * self.alpha, self.lambda_ * (1 - self.alpha)  # λα, λ(1 − α)
        l2 = squared / facts.known_sd_y if squared else 0.0  # λ(1 − α)/s
        return Objective(loss=LOSSES["half-mse"], l1=l1, l2=l2, standardised=self.standardize == "TRUE")

    @classmethod
    def of(cls, objective: Objective, facts: Facts, loss: str) -> Self:
        same = objective.in_loss(LOSSES[loss], facts)
        squared = same.l2 * facts.known_sd_y if same.l2 else 0.0  # sλ₂
        lam = same.l1 + squared  # λ₁ + sλ₂
        standardize: Literal["TRUE", "FALSE"] = "TRUE" if objective.standardised else "FALSE"
        return cls(lambda_=lam, alpha=ratio(same.l1, lam), standardize=standardize)
