"""Gaussian features and a linear truth, the data of the textbook experiments (SOURCES: S0, S3, S4)::

    X ~ N(0, s²)        elementwise, s = scale
    w* = weight · 1     the same in every coordinate
    y = Xw* + b* + ε    ε ~ N(0, σ²), σ = noise

S0 and S3 have 20 training rows, 100 validation rows and 200 features; the other defaults are theirs.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from refimpl.datasets.dataset import Dataset, check_integer, check_scalars
from refimpl.ranges import Finite, NonNegative, check_fields


@dataclass(frozen=True, kw_only=True)
class Gaussian:
    """``train_rows`` + ``validation_rows`` independent rows of ``features`` features; no validation by default.

    What is drawn from the generator, in this order: the features of all rows, row by row, training rows first; then
    the noise of all rows. The draws are standard normal and scaled afterwards, so that ``scale``, ``noise``,
    ``weight`` and ``bias`` can change without changing what is drawn.
    """

    train_rows: int
    validation_rows: int = 0
    features: int
    weight: Finite = 0.01
    bias: Finite = 0.05
    noise: NonNegative = 0.01
    scale: NonNegative = 1.0

    def __post_init__(self) -> None:
        check_fields(self)
        check_scalars(self)
        check_integer("train_rows", self.train_rows, low=1)
        check_integer("validation_rows", self.validation_rows, low=0)
        check_integer("features", self.features, low=1)

    def make(self, rng: np.random.Generator) -> Dataset:
        """Draw the data; truth: ``weight`` ``(1, 1, p)``, ``bias`` ``(1, 1)``.

        Raises :class:`DataError` where the numbers overflow float64.
        """
        n, p = self.train_rows, self.features
        weight, bias = np.full((1, 1, p), float(self.weight)), np.full((1, 1), float(self.bias))
        with np.errstate(over="ignore", invalid="ignore"):  # Dataset says where
            X = self.scale * rng.standard_normal((1, n + self.validation_rows, p))  # X ~ N(0, s²)
            noise = self.noise * rng.standard_normal((1, n + self.validation_rows, 1))  # ε ~ N(0, σ²)
            # Not X @ w: the order of summation in BLAS differs between machines, and so would the data.
            y = np.sum(X * weight, axis=-1, keepdims=True) + bias + noise  # y = Xw* + b* + ε
        return Dataset(
            X=X[:, :n],
            y=y[:, :n],
            X_validation=X[:, n:] if self.validation_rows else None,
            y_validation=y[:, n:] if self.validation_rows else None,
            truth={"weight": weight, "bias": bias},
        )
