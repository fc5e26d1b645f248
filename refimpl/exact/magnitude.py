"""The numbers for which squares and products in twice the precision neither overflow nor underflow float64.

Float64 has magnitudes from 10⁻³⁰⁸ to 10³⁰⁸. With every column of X and y zero or of largest entry from 10⁻⁶⁰ to 10⁶⁰,
and any X that least squares can still solve (condition number κ ≤ 10¹⁶)::

    ‖x‖², ‖y‖²      ≤ n·10¹²⁰
    w               ≤ κ‖y‖/‖x‖ ≈ 10¹³⁶, and its square 10²⁷²
    ‖x‖², ‖x‖‖y‖    ≥ 10⁻¹²⁰, and their rounding errors in twice the precision, at 2⁻²¹² of them, 10⁻¹⁸⁴
"""

from __future__ import annotations

import numpy as np

from refimpl.errors import DataError
from refimpl.types import Array

SMALLEST = 1e-60
LARGEST = 1e60


def check_magnitudes(X: Array, y: Array) -> None:
    """Raise :class:`DataError` for the first column of ``X`` ``(1, n, p)``, or ``y`` ``(1, n, 1)``, out of range."""
    largest = np.append(np.max(np.abs(X[0]), axis=0), np.max(np.abs(y)))
    bad = (largest != 0) & ~((largest >= SMALLEST) & (largest <= LARGEST))
    if np.any(bad):
        j = int(np.argmax(bad))
        raise DataError(
            f"X[0, :, {j}]" if j < X.shape[2] else "y",
            given=f"numbers up to {largest[j]:.1e}",
            allowed=f"all 0, or a largest one from {SMALLEST:.0e} to {LARGEST:.0e}, so that squares fit float64",
            remedy="use other units",
        )
