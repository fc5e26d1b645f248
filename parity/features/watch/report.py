"""What a watch has seen: how much was judged, how close it came, and every number that no correct step can leave."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from parity.shown import Documented

if TYPE_CHECKING:
    from parity.features.watch.document import WatchDocument
    from parity.features.watch.notes import Note

SHOWN = 10
"""Violations that a report prints; all of them are in ``violations``."""


@dataclass(frozen=True, kw_only=True)
class Violation:
    """The worst element of one quantity of one parameter after one step.

    ``quantity``: ``parameter`` itself, the name of a state tensor, or what must not have moved: ``grad untouched``.
    ``index``: of the element in the parameter. ``missing``: which side does not keep this state at all.
    """

    parameter: str
    group: int
    step: int
    quantity: str
    index: tuple[int, ...]
    candidate: float
    expected: float
    allowance: float
    missing: str = ""

    def __str__(self) -> str:
        index = f"[{', '.join(map(str, self.index))}]" if self.index else ""
        what = f"{index} (group {self.group})"
        if self.quantity != "parameter":
            what = f" (group {self.group}): {self.quantity}{index}"
        if self.missing:
            return f"step {self.step}, {self.parameter} (group {self.group}): no {self.quantity} in the {self.missing}"
        numbers = f"is {self.candidate!r}, expected {self.expected!r} ± {self.allowance:.3g}"
        return f"step {self.step}, {self.parameter}{what} {numbers}"


@dataclass(kw_only=True, repr=False)
class WatchReport(Documented):
    """``optimizer``: its class. ``steps``: made while it was watched; ``judged``: of these, the sampled ones.

    ``numbers``: compared; ``unbounded``: which no correct implementation can be held to, because they may overflow or a
    divisor may underflow to 0. ``shares``: by quantity the largest error ÷ tolerance. ``unsupported``: why a step or a
    parameter was not judged. ``notes``: what was seen beside the steps. ``seconds``: spent.
    """

    optimizer: str
    steps: int = 0
    judged: int = 0
    numbers: int = 0
    unbounded: int = 0
    shares: dict[str, float] = field(default_factory=dict)
    violations: list[Violation] = field(default_factory=list)
    unsupported: list[str] = field(default_factory=list)
    notes: list[Note] = field(default_factory=list)
    seconds: float = 0.0

    def _document(self) -> WatchDocument:
        from parity.features.watch.document import document

        return document(self)

    def __str__(self) -> str:
        lines = [f"{self.optimizer}: {self.judged} of {self.steps} steps judged, {self.numbers:,} numbers compared"]
        if self.judged:
            lines[0] += f", {self.seconds:.3g} s ({self.seconds / self.judged:.2g} s for each)"
        if self.unbounded:
            lines.append(f"{self.unbounded:,} more have no bound: a divisor may underflow, or they overflow")
        if self.shares:
            shares = ", ".join(f"{quantity} {share:.2f}" for quantity, share in self.shares.items())
            lines.append(f"largest share of the tolerance: {shares} (correct code uses up to 1)")
        lines += [f"unsupported: {text}" for text in self.unsupported]
        if self.numbers:
            lines.append(listed(self.violations) if self.violations else "no violation")
        else:
            lines.append("nothing was judged")
        lines += [f"note: {note}" for note in self.notes]
        return "\n".join(lines)


class Violated(AssertionError):
    """A step left numbers that no correct implementation can have; ``report`` has all of them."""

    def __init__(self, text: str, report: WatchReport) -> None:
        super().__init__(text)
        self.report = report


def listed(violations: list[Violation]) -> str:
    """How many, and the first of them, a line each."""
    count = len(violations)
    shown = [f"  {violation}" for violation in violations[:SHOWN]]
    more = [f"  and {count - SHOWN} more"] if count > SHOWN else []
    return "\n".join([f"{count} violation{'s' if count > 1 else ''}:", *shown, *more])
