"""Features of mean 0 and standard deviation 1 over the training rows::

    x′ = (x − m)/s        m = (1/n) Σ xᵢ        s = √((1/n) Σ (xᵢ − m)²)

Validation rows are shifted and scaled by the m and s of the training rows. The target stays as it is.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from refimpl.datasets.dataset import Dataset
from refimpl.errors import DataError


def standardised(where: str, data: Dataset) -> Dataset:
    """The data with standardised features. Raises :class:`DataError` for a feature that is the same in all rows."""
    with np.errstate(over="ignore", invalid="ignore"):  # Dataset says where
        m = data.X.mean(axis=1, keepdims=True)
        s = np.sqrt(np.square(data.X - m).mean(axis=1, keepdims=True))
    constant = np.flatnonzero((data.X[:, :1] == data.X).all(axis=(0, 1)))
    if len(constant):
        raise DataError(
            where,
            given=f"the feature {constant[0] + 1}, which is {data.X[0, 0, constant[0]]:g} in every training row",
            allowed="features that vary, with standardise = true",
            remedy="ignore its column, or set standardise = false",
        )
    with np.errstate(over="ignore", invalid="ignore"):
        validation = None if data.X_validation is None else (data.X_validation - m) / s
        return replace(data, X=(data.X - m) / s, X_validation=validation)
