"""The learning rate that never changes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from refimpl.ranges import check_fields
from refimpl.types import Number


@dataclass(frozen=True, kw_only=True)
class Constant:
    """η_k = η₀."""

    per: Literal["epoch", "step"] = "epoch"

    def __post_init__(self) -> None:
        check_fields(self)

    def at(self, count: Any, base: Mapping[str, Number]) -> dict[str, Number]:
        del count, base
        return {}
