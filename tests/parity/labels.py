"""Names of cases."""

from __future__ import annotations

import re


def label(value: object) -> str:
    """A name that is the same in every process: without the addresses of functions, and not too long."""
    return re.sub(r" at 0x[0-9a-f]+", "", str(value))[:120]
