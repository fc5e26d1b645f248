"""Every named fault with a number that it is tried with, for records that are compared after several steps."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from parity.explain.catalogue import NAMES, Name
from parity.explain.cause import cause_of
from parity.step.design import Design

TIMES = ("loss-other-factor", "lr-other", "penalty-other-strength")
"""Faults whose number is a factor: what counts several times, or is divided, is seen at small integers."""
FAR = 1e4
"""Distance from which on a fault is not held to its bound: it may have other allowances, but not that much other."""
VERIFIED = 24
"""Faults, the nearest first, that are."""
WHOLE = (2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0, 10.0, 16.0)


@dataclass(frozen=True)
class NamedFault:
    """A name with one of its numbers, nan where it has none."""

    name: Name
    value: float

    @property
    def id(self) -> str:
        return self.name.id

    @property
    def text(self) -> str:
        return self.name.text.format(value=self.value)


def named(design: Design) -> Iterator[tuple[NamedFault, Design]]:
    """Each fault of the catalogue, and what it makes of correct code."""
    for name in NAMES.values():
        more = [*WHOLE, *(1 / value for value in WHOLE)] if name.id in TIMES else []
        for value in dict.fromkeys((*name.values, *more)):
            if (changed := cause_of(name, value).to(design)) is not None and changed.consistent:
                yield NamedFault(name, value), changed
