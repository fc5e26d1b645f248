"""Integer data for exact probes: every sum and product below is exact in float64::

    X, w*, b* ∈ {low, …, high}          uniform
    y = Xw* + b* + r                    r ∈ {−residual, …, residual}, uniform; 0 by default

With ``m = max(|low|, |high|)`` no intermediate exceeds ``p·m² + m + residual``, which must stay within 2⁵³.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from refimpl.datasets.dataset import Dataset, check_integer
from refimpl.errors import ParameterError

EXACT = 2**53
"""Every integer up to this magnitude is a float64."""


@dataclass(frozen=True, kw_only=True)
class Integers:
    """``rows`` rows of ``features`` integer features with an integer truth; without residual it fits exactly.

    What is drawn from the generator, in this order: features, weight, bias, and offsets where ``residual`` > 0.
    """

    rows: int
    features: int
    low: int = -3
    high: int = 3
    residual: int = 0

    def __post_init__(self) -> None:
        check_integer("rows", self.rows, low=1)
        check_integer("features", self.features, low=1)
        check_integer("low", self.low)
        check_integer("high", self.high)
        check_integer("residual", self.residual, low=0)
        if self.low > self.high:
            raise ParameterError(
                "low",
                given=f"low {self.low} above high {self.high}",
                allowed="low ≤ high",
                remedy="exchange the two",
            )
        # int(): numpy integers would wrap around silently.
        most = max(abs(int(self.low)), abs(int(self.high)))
        largest = int(self.features) * most**2 + most + int(self.residual)
        if largest > EXACT:
            raise ParameterError(
                "low, high, features, residual",
                given=f"numbers that make |y| as large as {largest}",
                allowed="features·max(|low|, |high|)² + max(|low|, |high|) + residual ≤ 2⁵³, so that y is exact",
                remedy="choose a smaller range, fewer features or a smaller residual",
            )

    def make(self, rng: np.random.Generator) -> Dataset:
        """Draw the data; truth: ``weight`` ``(1, 1, p)``, ``bias`` ``(1, 1)``; no validation."""
        X = rng.integers(self.low, self.high, size=(1, self.rows, self.features), endpoint=True)
        weight = rng.integers(self.low, self.high, size=(1, 1, self.features), endpoint=True)
        bias = rng.integers(self.low, self.high, size=(1, 1), endpoint=True)
        y = np.sum(X * weight, axis=-1, keepdims=True) + bias  # Xw* + b*
        if self.residual:
            y = y + rng.integers(-self.residual, self.residual, size=y.shape, endpoint=True)  # + r
        return Dataset(
            X=X.astype(np.float64),
            y=y.astype(np.float64),
            truth={"weight": weight.astype(np.float64), "bias": bias.astype(np.float64)},
        )
