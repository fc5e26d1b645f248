"""Numbers in words: with as many digits as are known."""

from __future__ import annotations

from decimal import Decimal

import numpy as np

DIGITS = 10
"""Significant digits that are shown at most; three at least, where the error bar has them."""


def number(value: float, error: float) -> str:
    """The number with as many digits as its error bar supports, and with the bar where that is fewer than three."""
    if not (value and np.isfinite(value) and np.isfinite(error)):
        return f"({value:.3g} ± {error:.3g})"
    size, bar = (np.floor(np.log10(x)) for x in (abs(value), max(error, 1e-300)))
    digits = int(min(size - bar, DIGITS))
    if digits < 3:
        places = max(int(-bar), 0) + 1
        return f"({value:.{places}f} ± {error:.1g})".replace("-", "−")
    rounded = Decimal(f"{value:.{digits - 1}e}").normalize()
    sign, digit, exponent = rounded.as_tuple()
    padded = Decimal((sign, (*digit, *(0,) * (3 - len(digit))), int(exponent) - max(3 - len(digit), 0)))
    return (f"{padded:f}" if 1e-5 <= abs(value) < 1e7 else f"{padded:e}").replace("-", "−")
