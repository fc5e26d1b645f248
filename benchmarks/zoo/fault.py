"""What is known of a fault of a published package."""

from __future__ import annotations

from dataclasses import dataclass

NUMBERS = ("update", "decay")
"""Ids of findings that say: these are not the reference's numbers."""
ROUNDED = "the weights are float64 tensors and no document says that they are kept to float32 only"


@dataclass(frozen=True, kw_only=True)
class Fault:
    """``id``: the script; ``where``: file and line in the package; ``contradicts``: what it breaks, in whose words."""

    id: str
    package: str
    classes: tuple[str, ...]
    explains: tuple[str, ...]
    title: str
    where: str
    measured: str
    contradicts: str
