"""Reductions over everything but the axis of runs, and those of layers, which have no such axis."""

from __future__ import annotations

from typing import Literal, TypeAlias

import numpy as np

from refimpl.types import Array

Reduction: TypeAlias = Literal["mean", "sum", "none"]
"""What a loss does with the losses of its elements, as torch names it."""


def total(x: Array) -> Array:
    """Σ over all axes but the first: ``(runs, …) → (runs,)``."""
    summed: Array = x.reshape(len(x), -1).sum(axis=1)
    return summed


def squared_norm(*arrays: Array) -> Array:
    """‖w‖² = Σᵢ wᵢ² over several arrays ``(runs, …)`` together: ``(runs,)``."""
    flats = [array.reshape(len(array), -1) for array in arrays]
    flat = np.concatenate(flats, axis=1) if len(flats) > 1 else flats[0]  # one sum, in any order
    squares: Array = np.vecdot(flat, flat)
    return squares


def norm(*arrays: Array) -> Array:
    """‖w‖₂ = √Σᵢ wᵢ² over several arrays ``(runs, …)`` together: ``(runs,)``."""
    root: Array = np.sqrt(squared_norm(*arrays))
    return root


def reduced(losses: Array, reduction: Reduction) -> Array:
    """Σ or mean over all axes, a number, or the losses as they are."""
    if reduction == "none":
        return losses
    summed: Array = losses.reshape(-1).sum(axis=0)
    return summed / losses.size if reduction == "mean" else summed


def of_each(upstream: Array, losses: Array, reduction: Reduction) -> Array:
    """∂L/∂loss of each element, for ``upstream`` = ∂L/∂reduced: 1/N of it for the mean of N, else all of it."""
    return upstream / losses.size if reduction == "mean" else upstream
