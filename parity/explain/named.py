"""Every named fault with a number that it is tried with, for records that are compared after several steps."""

from __future__ import annotations

from collections.abc import Iterator

from parity.explain.design import Design
from parity.explain.hypotheses import HYPOTHESES
from parity.explain.search import Fault

TIMES = ("loss-other-factor", "lr-other", "penalty-other-strength")
"""Faults whose number is a factor: what counts several times, or is divided, is seen at small integers."""
WHOLE = (2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0, 10.0, 16.0)


def named(design: Design) -> Iterator[tuple[Fault, Design]]:
    """Each fault of the catalogue, and what it makes of correct code."""
    for hypothesis in HYPOTHESES.values():
        more = [*WHOLE, *(1 / value for value in WHOLE)] if hypothesis.id in TIMES else []
        for value in dict.fromkeys((*hypothesis.values, *more)):
            fault = Fault(hypothesis, value)
            if (changed := fault.apply(design)) is not None and changed.consistent:
                yield fault, changed
