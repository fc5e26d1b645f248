"""A cause: what differs from what was asked, in words, and the design that it makes of correct code."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from parity.step.design import Design
from refimpl.errors import RefimplError


@dataclass(frozen=True, kw_only=True)
class Cause:
    """``text``: what is the case, with its numbers. ``change``: what to change in the code. ``probe``: what tells it
    from causes that look alike. ``apply``: the design with it in, None where it makes no sense. ``numbers``: how many
    numbers were measured for it: of two causes that explain a run, the one with fewer is meant. ``named``: False for a
    description of what was measured, which has no name. ``evidence``: what shows it beside the proof.
    ``variant``: tells causes of the same words apart, which differ in a number that nobody would name."""

    id: str
    text: str
    change: str
    apply: Callable[[Design], Design | None]
    probe: str = ""
    numbers: int = 0
    named: bool = True
    evidence: str = ""
    variant: float = 0.0

    def to(self, design: Design) -> Design | None:
        """The design with this cause in it; None where it makes no sense."""
        try:
            return self.apply(design)
        except RefimplError:
            return None


def causes_of(name: Any) -> Iterator[Cause]:
    """A name of the catalogue with each of its own numbers."""
    yield from (cause_of(name, value) for value in name.values)


def cause_of(name: Any, value: float = math.nan, *, numbers: int = 0) -> Cause:
    """A name of the catalogue, with a number."""
    return Cause(
        id=name.id,
        text=name.text.format(value=value),
        change=name.change,
        probe=name.probe,
        apply=lambda design: name.apply(design, value),
        numbers=numbers,
    )
