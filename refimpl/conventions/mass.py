"""``lm.ridge`` of R's MASS: the sum of squares, on columns that it standardises itself::

    Σr² + lambda·Σ(sⱼwⱼ)²      c = 1, sum;  λ₂/2 = lambda on w′ⱼ = sⱼwⱼ;  sⱼ² = mean over the rows of (xᵢⱼ − x̄ⱼ)²

X is centred and each column divided by sⱼ (with 1/n, not 1/(n − 1)); then ``d·Uᵀy/(d² + lambda)`` with the singular
values d of that matrix. Its ``coef()`` are the wⱼ of the columns as given, ``$coef`` the w′ⱼ. The intercept is not
penalised. So it is ``Ridge(alpha=lambda)`` of scikit-learn on columns ÷ sⱼ, and on no others.

Source: Venables & Ripley, *Modern Applied Statistics with S*, §6.9;
https://stat.ethz.ch/R-manual/R-devel/library/MASS/html/lm.ridge.html
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Self

from refimpl.objective import LOSSES, Facts, Objective, Strength, number
from refimpl.ranges import check_fields


@dataclass(frozen=True, kw_only=True)
class LmRidge:
    """``Σr² + lambda·Σ(sⱼwⱼ)²``."""

    lambda_: Strength

    name: ClassVar = "MASS.lm.ridge"
    lambda1: ClassVar = "0"
    lambda2: ClassVar = "2·lambda"
    intercept: ClassVar = "free"
    link: ClassVar = "https://stat.ethz.ch/R-manual/R-devel/library/MASS/html/lm.ridge.html"
    losses: ClassVar[tuple[str, ...]] = ("sse",)

    def __post_init__(self) -> None:
        check_fields(self)

    @property
    def formula(self) -> str:
        return "Σr² + lambda·‖w‖², w on columns ÷ sⱼ"

    @property
    def call(self) -> str:
        return f"lm.ridge(y ~ X, lambda={number(self.lambda_)})"

    def ours(self, facts: Facts) -> Objective:
        del facts
        return Objective(loss=LOSSES["sse"], l2=2 * self.lambda_, standardised=True)  # λ₂/2 = lambda

    @classmethod
    def of(cls, objective: Objective, facts: Facts, loss: str) -> Self:
        objective.refuse("l1", cls.name)
        return cls(lambda_=objective.in_loss(LOSSES[loss], facts).l2 / 2)  # lambda = λ₂/2
