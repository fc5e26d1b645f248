"""The form of a named fault."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from parity.step.design import Design

Kind = Literal["loss", "penalty", "optimizer", "gradient", "data", "schedule", "precision"]
Apply = Callable[[Design, float], Design | None]
"""The design with the fault in it, or None where it makes no sense; the number is one of ``values``."""


@dataclass(frozen=True, kw_only=True)
class Name:
    """A fault with a name; ``names.toml`` beside this file says what each part means."""

    id: str
    kind: Kind
    text: str
    change: str
    probe: str
    apply: Apply
    values: tuple[float, ...] = (math.nan,)
    free: bool = False
    rare: bool = False
