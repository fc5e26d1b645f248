"""What the step is divided by, of v, its correction c₂ = 1 − β₂ᵗ (1 where there is none) and ε."""

from __future__ import annotations

import numpy as np

from parity.explain.update.link import Link, Table

TABLE: Table = {
    "outside": Link(lambda v, c2, eps: np.sqrt(v) / np.sqrt(c2) + eps, "ε is added to √(v/c₂)"),
    "inside": Link(lambda v, c2, eps: np.sqrt(v / c2 + eps), "ε is inside the root: √(v + ε) in the place of √v + ε"),
    "before correction": Link(
        lambda v, c2, eps: (np.sqrt(v) + eps) / np.sqrt(c2),
        "ε is added to √v before the bias correction, (√v + ε)/√(1 − β₂ᵗ), so that the correction enlarges it",
    ),
    "inside before correction": Link(
        lambda v, c2, eps: np.sqrt((v + eps) / c2), "ε is inside the root and before the bias correction: √((v + ε)/c₂)"
    ),
    "inside squared": Link(lambda v, c2, eps: np.sqrt(v / c2 + eps * eps), "ε² is inside the root: √(v + ε²)"),
    "inside and outside": Link(
        lambda v, c2, eps: np.sqrt(v / c2 + eps) + eps, "ε is added twice, inside of the root and outside"
    ),
    "without ε": Link(lambda v, c2, _: np.sqrt(v) / np.sqrt(c2), "ε is missing from the divisor"),
    "at least ε": Link(
        lambda v, c2, eps: np.maximum(np.sqrt(v) / np.sqrt(c2), eps), "the divisor is max(√v, ε), not √v + ε"
    ),
    "no root": Link(lambda v, c2, eps: v / c2 + eps, "the root is missing: the step is divided by v + ε"),
    "correction without root": Link(
        lambda v, c2, eps: np.sqrt(v) / c2 + eps,
        "√v is divided by 1 − β₂ᵗ itself in the place of its root (v is corrected twice)",
    ),
    "correction multiplied": Link(
        lambda v, c2, eps: np.sqrt(v) * np.sqrt(c2) + eps,
        "√v is multiplied by √(1 − β₂ᵗ), by which it is to be divided",
    ),
}
