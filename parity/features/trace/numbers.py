"""Numbers in words: short in formulas, with all digits beside them, and distances in units in the last place."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

DIGITS = 5
"""Significant digits of a number in a formula."""
SUPERSCRIPTS = str.maketrans("0123456789−t", "⁰¹²³⁴⁵⁶⁷⁸⁹⁻ᵗ")
NARROW: dict[str, Callable[[float], Any]] = {"float32": np.float32, "float16": np.float16}
"""Dtypes whose numbers NumPy writes with as few digits as tell them apart."""


def short(value: Any) -> str:
    """The number with at most 5 significant digits, ``−1.2×10⁻⁵``."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if not math.isfinite(value):
        return {math.inf: "∞", -math.inf: "−∞"}.get(value, "not a number")
    text = str(value) if isinstance(value, int) else f"{value or 0:.{DIGITS}g}"  # −0 is 0
    digits, _, exponent = text.partition("e")
    if exponent:
        digits += f"×10{str(int(exponent)).replace('-', '−').translate(SUPERSCRIPTS)}"
    return digits.replace("-", "−")


def digits(value: Any, dtype: str = "float64") -> str:
    """The number with as many digits as tell it from its neighbours in the dtype."""
    if isinstance(value, bool | int):
        return short(value)
    text = f"{value:.4g}" if dtype == "bfloat16" else str(NARROW.get(dtype, float)(value))
    return text.replace("-", "−")


def distance(ulps: int | None) -> str:
    """``0``, ``+1``; in thousands and more as a power of ten."""
    if ulps is None:
        return ""
    return short(float(ulps)) if abs(ulps) >= 10**6 else f"{ulps:+d}".replace("-", "−") if ulps else "0"
