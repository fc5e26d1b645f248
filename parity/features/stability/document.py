"""The document of ``parity stability``."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Literal

import msgspec

from parity.document import Document, Number

if TYPE_CHECKING:
    from parity.features.stability.stability import Stability
    from refimpl.exact.stability import Growth

Prediction = Literal["converges", "diverges", "drifts"]


class RateRecord(msgspec.Struct, frozen=True, kw_only=True):
    """One learning rate: the factor of an error per epoch, what that predicts, and the training loss of a run; null
    where it overflowed.
    """

    lr: float
    growth: Number
    predicted: Prediction
    train_loss: float | None


class StabilityDocument(Document, frozen=True, kw_only=True, tag="stability"):
    """Whether descent diverges, and from which learning rate and λ on.

    ``curvature``: the least and the largest of a batch; ``reach``: the largest stable η·curvature; ``batch_limit``: of
    η where one batch came again and again, ``lr_limit``: of the batches in turns; ``stable_strengths``: from which to
    which λ the experiment's own η is stable, null where it is nowhere; ``left_out``: penalties that are.
    """

    schema: Literal[1]
    experiment: str
    lam: Number
    curvature: list[Number]
    mean_curvature: Number
    reach: Number
    batch_limit: Number
    lr_limit: Number
    stable_strengths: list[Number] | None
    growth: Number
    predicted: Prediction
    left_out: list[str]
    first_loss: Number
    rows: list[RateRecord]


def document(forecast: Stability) -> StabilityDocument:
    """The document of a prediction."""
    strengths = forecast.stable_strengths
    return StabilityDocument(
        schema=1,
        experiment=forecast.experiment.name,
        lam=forecast.lam,
        curvature=list(forecast.curvature),
        mean_curvature=forecast.mean_curvature,
        reach=forecast.reach,
        batch_limit=forecast.batch_limit,
        lr_limit=forecast.lr_limit,
        stable_strengths=None if strengths is None else list(strengths),
        growth=forecast.growth.largest,
        predicted=predicted(forecast, forecast.growth),
        left_out=list(forecast.bounded),
        first_loss=forecast.first_loss,
        rows=[
            RateRecord(
                lr=row.lr,
                growth=row.growth.largest,
                predicted=predicted(forecast, row.growth),
                train_loss=row.train_loss if math.isfinite(row.train_loss) else None,
            )
            for row in forecast.rows
        ],
    )


def predicted(forecast: Stability, growth: Growth) -> Prediction:
    """The prediction in a word: a run whose errors shrink drifts where the objective has no minimum to converge to."""
    if growth.diverges:
        return "diverges"
    return "drifts" if forecast.bottomless else "converges"
