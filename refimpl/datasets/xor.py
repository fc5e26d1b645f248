"""Exclusive or, ``y = x₁ ⊕ x₂``: the four rows that no linear model can fit (SOURCES: S1).

The best linear fit is ``ŷ = ½`` everywhere, with weight 0 and mean squared error ¼.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from refimpl.datasets.dataset import Dataset


@dataclass(frozen=True, kw_only=True)
class XOR:
    """Rows (0,0), (0,1), (1,0), (1,1); no validation, no truth, nothing random."""

    def make(self, rng: np.random.Generator) -> Dataset:
        """``X`` ``(1, 4, 2)``, ``y`` ``(1, 4, 1)``; ``rng`` is not used."""
        del rng
        X = np.array([[[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]]])
        y = np.array([[[0.0], [1.0], [1.0], [0.0]]])  # x₁ ⊕ x₂
        return Dataset(X=X, y=y)
