"""Freezing: parameters that some steps leave alone, gradient, state and decay included.

A frozen parameter has no gradient, so it counts neither for the norm of the gradients nor for its optimizer, which does
not see it: its state, its count of steps and the weight itself stay what they were.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from refimpl.errors import ParameterError
from refimpl.ranges import check_integers
from refimpl.types import Array


@dataclass(frozen=True, kw_only=True)
class Freeze:
    """The ``parameters`` that do not train in the steps ``from_step`` … ``to_step − 1``, or up to the end."""

    parameters: tuple[str, ...]
    from_step: int = 0
    to_step: int | None = None

    def __post_init__(self) -> None:
        check_integers(self, from_step=0)
        if self.to_step is not None:
            check_integers(self, to_step=self.from_step + 1)
        if not self.parameters:
            raise ParameterError("parameters", given="none", allowed="names of parameters", remedy="name them")

    def holds(self, steps: int) -> Array:
        """Whether each of so many steps leaves the parameters alone, ``(steps,)``."""
        k = np.arange(steps)
        return (k >= self.from_step) & (k < (steps if self.to_step is None else self.to_step))


def live(freezes: Sequence[Freeze], steps: int) -> dict[str, Array]:
    """Which steps train each parameter that is frozen at some time, ``(steps,)`` by name."""
    trained: dict[str, Array] = {}
    for freeze in freezes:
        for name in freeze.parameters:
            trained[name] = trained.get(name, np.ones(steps, bool)) & ~freeze.holds(steps)
    return trained
