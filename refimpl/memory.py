"""How much memory this machine has, and how a number of bytes is written."""

from __future__ import annotations

import math
import os


def memory() -> float:
    """The bytes of this machine's memory; infinite where the system does not say."""
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") if hasattr(os, "sysconf") else math.inf


def gibibytes(size: float) -> str:
    """``1.5 GiB``."""
    return f"{size / 2**30:.3g} GiB"
