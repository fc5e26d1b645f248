"""A regularised least-squares objective as numbers, and the protocol of a library's way to write it.

In the notation of the project, with residuals ``rᵢ = xᵢ·w + b − yᵢ`` over n rows::

    J = (c/N)·Σrᵢ² + λ₁·Σ|dⱼwⱼ| + λ₂/2·Σ(dⱼwⱼ)²     N = n for the mean and 1 for the sum

``dⱼ`` is 1, or the standard deviation of column j with 1/n where a library standardises the columns by itself. The
intercept b is not penalised. A positive factor moves no minimum, so another loss ``c′, N′`` has the same one with::

    λ₁′ = tλ₁,  λ₂′ = tλ₂,   t = (c′/N′)/(c/N)

c = 1, N = 1 is the sum of squares, the common ground: ``Σr² + a₁‖w‖₁ + a₂‖w‖²`` has ``a₁ = λ₁N/c``, ``a₂ = λ₂N/(2c)``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar, Protocol, Self, TypeAlias

from refimpl.errors import ParameterError
from refimpl.losses.squared_error import SquaredError
from refimpl.ranges import Range, check_fields

Strength: TypeAlias = Annotated[float, Range(low=0)]
Share: TypeAlias = Annotated[float, Range(low=0, high=1)]

LOSSES = {
    "mse": SquaredError(factor=1.0, reduction="mean"),
    "half-mse": SquaredError(factor=0.5, reduction="mean"),
    "sse": SquaredError(factor=1.0, reduction="sum"),
    "half-sse": SquaredError(factor=0.5, reduction="sum"),
}
"""The four ways in which people write the squared error."""


@dataclass(frozen=True, kw_only=True)
class Facts:
    """What a conversion may have to know of the data: the number of rows, and the standard deviation of y with 1/n."""

    rows: int | None = None
    sd_y: float | None = None

    def __post_init__(self) -> None:
        if self.rows is not None and not 1 <= self.rows <= 2**53:
            allowed = "an integer from 1 to 2⁵³"
            raise ParameterError("rows", given=self.rows, allowed=allowed, remedy="give the number of rows of X")
        if self.sd_y is not None and not 0 < self.sd_y < float("inf"):
            allowed = "a finite number > 0"
            raise ParameterError("sd-y", given=self.sd_y, allowed=allowed, remedy="give that of the targets, with 1/n")

    @property
    def known_rows(self) -> int:
        """n, where a sum meets a mean. Raises :class:`ParameterError` where it is not known."""
        if self.rows is None:
            remedy = "give it: one side sums over the rows, the other takes their mean"
            raise ParameterError("rows", given="none", allowed="an integer ≥ 1", remedy=remedy)
        return self.rows

    @property
    def known_sd_y(self) -> float:
        """The standard deviation of y. Raises :class:`ParameterError` where it is not known."""
        if self.sd_y is None:
            remedy = "give it: glmnet's squared penalty is λ(1 − α)/sd_y"
            raise ParameterError("sd-y", given="none", allowed="a finite number > 0", remedy=remedy)
        return self.sd_y


@dataclass(frozen=True, kw_only=True)
class Objective:
    """``loss + l1·‖Dw‖₁ + l2/2·‖Dw‖²``, D the standard deviations of the columns where ``standardised``, else 1."""

    loss: SquaredError
    l1: Strength = 0.0
    l2: Strength = 0.0
    standardised: bool = False

    def __post_init__(self) -> None:
        check_fields(self)

    def times(self, loss: SquaredError, facts: Facts) -> float:
        """t = (c′/N′)/(c/N), what J is multiplied with to have the loss ``loss``; n cancels where both are means."""
        t = loss.factor / self.loss.factor  # c′/c
        if loss.reduction != self.loss.reduction:
            n = facts.known_rows
            t = t * n if loss.reduction == "sum" else t / n  # N/N′
        return float(t)  # the factor of a loss may be one value per run; of these it is a number

    def in_loss(self, loss: SquaredError, facts: Facts) -> Objective:
        """The objective with the same minimiser whose loss is ``loss``."""
        t = self.times(loss, facts)
        return Objective(loss=loss, l1=t * self.l1, l2=t * self.l2, standardised=self.standardised)  # tλ₁, tλ₂

    def sum_of_squares(self, facts: Facts) -> tuple[float, float]:
        """(a₁, a₂) of ``Σr² + a₁‖Dw‖₁ + a₂‖Dw‖²``."""
        common = self.in_loss(LOSSES["sse"], facts)
        return common.l1, common.l2 / 2  # λ₁N/c, λ₂N/(2c)

    def refuse(self, term: str, name: str) -> None:
        """Raise :class:`ParameterError` where the term ``l1`` or ``l2`` is there and ``name`` has no such term."""
        if getattr(self, term):
            penalty = {"l1": "‖w‖₁", "l2": "‖w‖²"}[term]
            remedy = f"{name} has no penalty on {penalty}: convert to a library that has"
            raise ParameterError(f"penalty on {penalty}", given=f"{getattr(self, term):g}", allowed="0", remedy=remedy)


class Convention(Protocol):
    """How one library writes the objective: a frozen dataclass whose fields are the library's own numbers.

    ``formula`` is what the library minimises in its own words; ``lambda1`` and ``lambda2`` are λ₁ and λ₂ in them, read
    by people and evaluated by the tests; ``intercept`` says what becomes of the intercept; ``losses`` are the names in
    :data:`LOSSES` that it may take, the first by default.
    """

    name: ClassVar[str]
    lambda1: ClassVar[str]
    lambda2: ClassVar[str]
    intercept: ClassVar[str]
    link: ClassVar[str]
    losses: ClassVar[tuple[str, ...]]

    def __hash__(self) -> int:
        """Frozen, so that it can be a key."""

    @property
    def formula(self) -> str:
        """The objective in the library's own words."""

    @property
    def call(self) -> str:
        """The numbers as one writes them there."""

    def ours(self, facts: Facts) -> Objective:
        """The objective in the notation of the project."""

    @classmethod
    def of(cls, objective: Objective, facts: Facts, loss: str) -> Self:
        """The library's numbers for the same minimiser. Raises :class:`ParameterError` where it has none."""


def text(loss: SquaredError) -> str:
    """``½·mean(r²)`` and the like."""
    return f"{'' if loss.factor == 1 else '½·'}{'mean(r²)' if loss.reduction == 'mean' else 'Σr²'}"


def number(value: float) -> str:
    """15 digits: conversions round a few times, by half a unit of the 16th each."""
    return f"{value:.15g}"


def ratio(part: float, whole: float) -> float:
    """part/whole; 0 where there is nothing to divide."""
    return part / whole if whole else 0.0
