"""Squared error, ``c·Σᵢrᵢ²`` or ``c·mean(rᵢ²)``, with the factor ``c`` and the reduction explicit.

Residual ``rᵢ = ŷᵢ − yᵢ``; ``m`` is the number of residuals of a run; ``N = m`` for the mean and ``1``
for the sum::

    L       = (c/N) Σᵢ rᵢ²
    ∂L/∂ŷᵢ  = (2c/N) rᵢ          because ∂rᵢ²/∂ŷᵢ = 2rᵢ
    ∂²L/∂ŷᵢ² = 2c/N,  ∂²L/∂ŷᵢ∂ŷⱼ = 0 for i ≠ j

``c = 1`` with the mean is ``torch.nn.MSELoss()``; ``c = ½`` is the loss of most textbooks, whose
gradient has no factor 2. Half of all mismatches between two programs are this factor.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

import numpy as np

from refimpl.errors import ParameterError
from refimpl.ranges import Range, check_fields
from refimpl.reductions import squared_norm
from refimpl.types import Array, Number


@dataclass(frozen=True, kw_only=True)
class SquaredError:
    """``factor · reduce((ŷ − y)²)``.

    ``factor``: ½ or 1 by convention, any number ≥ 0 by definition. ``reduction``: over the rows.
    """

    factor: Annotated[Number, Range(low=0)]
    reduction: Literal["mean", "sum"]

    def __post_init__(self) -> None:
        check_fields(self)
        if isinstance(self.factor, np.ndarray) and self.factor.ndim:
            raise ParameterError(
                "factor", given=f"{len(self.factor)} values", allowed="one", remedy="make a problem for each convention"
            )

    def divisor(self, outputs: Array) -> int:
        """N: the number of residuals in a run for the mean, 1 for the sum."""
        return outputs[0].size if self.reduction == "mean" else 1

    def value(self, outputs: Array, targets: Array) -> Array:
        """L, ``(runs,)``, from outputs and targets ``(runs, n, outputs)``."""
        r = outputs - targets
        return self.factor * squared_norm(r) / self.divisor(outputs)  # (c/N) Σ rᵢ²

    def gradient(self, outputs: Array, targets: Array) -> Array:
        """∂L/∂ŷ, of the shape of ``outputs``."""
        r = outputs - targets
        return (self.factor / self.divisor(outputs)) * (2 * r)  # (2c/N) rᵢ

    def hessian(self, outputs: Array, targets: Array) -> Array:
        """The diagonal of ∂²L/∂ŷ², of the shape of ``outputs``; it does not depend on the targets."""
        del targets
        return np.full(outputs.shape, 2 * self.factor / self.divisor(outputs))  # 2c/N
