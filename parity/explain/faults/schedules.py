"""Rates as they were executed, whatever made them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from refimpl.types import Number


@dataclass(frozen=True)
class Listed:
    """η of each step as a list: after k advances it is ``rates[k]``."""

    rates: tuple[float, ...]

    @property
    def per(self) -> Literal["epoch", "step"]:
        return "step"

    def at(self, count: Any, base: Mapping[str, Number]) -> dict[str, Number]:
        """The listed rate, in the arithmetic of ``base``."""
        none: Any = 0 * base["lr"]
        return {"lr": none + np.asarray(self.rates)[np.asarray(count, int)]}
