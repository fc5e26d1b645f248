"""Synthetic classes: clouds of points around a centre each, in any number of features.

::

    c_k ~ N(0, s²)          the centre of class k, s = spread
    y ∈ {0, …, classes − 1} uniform
    X = c_y + ε             ε ~ N(0, σ²), σ = noise
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from refimpl.datasets.dataset import Dataset, check_integer, check_scalars, rows_apart
from refimpl.ranges import NonNegative, check_fields


@dataclass(frozen=True, kw_only=True)
class Classes:
    """``train_rows`` + ``validation_rows`` independent rows; the defaults have the shape of images of digits.

    What is drawn from the generator, in this order: the centres, the classes of all rows, training rows first, and
    their noise, both standard normal and scaled afterwards.
    """

    train_rows: int
    validation_rows: int = 0
    features: int = 784
    classes: int = 10
    spread: NonNegative = 0.3
    noise: NonNegative = 1.0

    def __post_init__(self) -> None:
        check_fields(self)
        check_scalars(self)
        check_integer("train_rows", self.train_rows, low=1)
        check_integer("validation_rows", self.validation_rows, low=0)
        check_integer("features", self.features, low=1)
        check_integer("classes", self.classes, low=2)

    def make(self, rng: np.random.Generator) -> Dataset:
        """Draw the data. Raises :class:`refimpl.errors.DataError` where the numbers overflow float64."""
        rows = self.train_rows + self.validation_rows
        with np.errstate(over="ignore", invalid="ignore"):  # Dataset says where
            centres = self.spread * rng.standard_normal((self.classes, self.features))  # c ~ N(0, s²)
            y = rng.integers(self.classes, size=rows)
            X = centres[y] + self.noise * rng.standard_normal((rows, self.features))  # c_y + ε
        return rows_apart(X[None], y[None, :, None].astype(float), self.train_rows)
