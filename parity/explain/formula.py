"""A law as a formula: ``Δw = −0.0200·∇L − 0.0300·w``, with as many digits as are known."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

import numpy as np

DIGITS = 10
"""Significant digits that are shown at most; three at least, where the error bar has them."""


@dataclass(frozen=True)
class Term:
    """``coefficient · term``; what was executed is within ``error``."""

    term: str
    coefficient: float
    error: float

    @property
    def size(self) -> str:
        """``0.0300·w``, without the sign."""
        factor = "" if self.term == "1" else f"·{self.term.removesuffix('·1')}"
        return f"{number(abs(self.coefficient), self.error)}{factor}"

    def __str__(self) -> str:
        return f"{'−' if self.coefficient < 0 else ''}{self.size}"


def formula(terms: Sequence[Term]) -> str:
    """``Δw = −0.0200·∇L − 0.0300·w``."""
    text = " ".join(f"{'−' if t.coefficient < 0 else '+'} {t.size}" for t in terms).removeprefix("+ ")
    text = f"−{text[2:]}" if text.startswith("− ") else text or "0"
    scheduled = any(t.term.startswith(("s·", "s/")) for t in terms)
    return f"Δw = {text}{', s = η_k/η₀' if scheduled else ''}"


def number(value: float, error: float) -> str:
    """As many digits as the error bar supports; with the bar where it supports fewer than three."""
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


def letters(parameter: str, text: str) -> str:
    """A bias is called b."""
    return re.sub(r"(?<![a-z])w(?![a-z])", "b", text) if parameter == "bias" else text
