from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from refimpl.types import Array


@dataclass(frozen=True, kw_only=True)
class Observed:
    raw: Mapping[str, Array] = field(default_factory=dict)
    seen: Mapping[str, Array] = field(default_factory=dict)
    calls: Mapping[str, Array] = field(default_factory=dict)
    backwards: Array | None = None
    numbers: Mapping[str, Mapping[str, Array]] = field(default_factory=dict)
    optimizer: Mapping[str, str] = field(default_factory=dict)
