"""A cause: what differs from what was asked, in words, and the design that it makes of correct code."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from parity.explain.catalogue import NAMES, Name
from parity.explain.words import words_of
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


def cause(
    id: str,
    apply: Callable[[Design], Design | None],
    *,
    of: str = "",
    numbers: int = 0,
    named: bool = True,
    evidence: str = "",
    variant: float = 0.0,
    **measured: Any,
) -> Cause:
    """A cause by its name. ``of``: the entry of the words where it is not the name's own; ``measured``: what stands in
    their places; the rest as in :class:`Cause`."""
    words = words_of(of or id, measured)
    return Cause(
        id=id,
        text=words.text,
        change=words.change,
        probe=words.probe,
        apply=apply,
        numbers=numbers,
        named=named,
        evidence=evidence,
        variant=variant,
    )
