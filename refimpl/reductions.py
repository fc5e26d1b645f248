"""Reductions over everything but the axis of runs."""

from __future__ import annotations

import numpy as np

from refimpl.types import Array


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
