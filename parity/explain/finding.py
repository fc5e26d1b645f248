"""What a check found, as data: reports are made from it and compute nothing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from parity.explain.words import words_of
from refimpl.types import Array

if TYPE_CHECKING:
    from parity.explain.effects import Effects
    from parity.explain.measure.summary import Link
    from parity.explain.pattern import Pattern
    from parity.explain.why import Explanation

CheckVerdict = Literal["agree", "disagree", "undecidable", "unsupported", "error"]


@dataclass(frozen=True, kw_only=True)
class Finding:
    """One difference.

    ``evidence``: the numbers that show it. ``change``: what to change in the code. ``alike``: faults by name with their
    text that this record cannot tell from it, and ``probe``: what would. ``short``: the text in a line, where it
    is long.
    """

    id: str
    text: str
    evidence: str
    change: str = ""
    probe: str = ""
    alike: Mapping[str, str] = field(default_factory=dict)
    short: str = ""


def finding(id: str, evidence: str, *, of: str = "", **measured: Any) -> Finding:
    """A difference by its name; ``of``: the entry of the words where it is not the name's own."""
    words = words_of(of or id, measured)
    return Finding(id=id, text=words.text, evidence=evidence, change=words.change, probe=words.probe)


@dataclass(frozen=True)
class JudgedDtype:
    """What was judged in one ``dtype``: how many ``steps`` and ``numbers``, and the largest error ÷ allowance."""

    dtype: str
    steps: int
    numbers: int
    share: float


@dataclass(frozen=True, kw_only=True)
class Diagnosis:
    """Everything that a record shows.

    ``verdict`` and ``text``: why, in a line. ``against``: what it was held to. ``share``: the largest error ÷
    allowance of correct code. ``links``: what was measured of each link of the steps. ``family``: the optimizer
    whose recurrence the record follows, if any, as it would be written. ``findings``: in the order of their weight.
    ``patterns``: where the errors are that nothing explains. ``effects``: what each difference did. ``unseen``:
    hyper-parameters that this record does not show. ``notes``: what else is to be known of it. ``residual``: the
    largest error ÷ allowance after each step, by what was held to it. ``explanations``: all that were proven, the
    likeliest first. ``dtype``: of a log, what it was taken for. ``dtypes``: what was judged in each.
    """

    verdict: CheckVerdict
    text: str
    against: str
    share: float
    links: tuple[Link, ...] = ()
    family: str = ""
    findings: tuple[Finding, ...] = ()
    patterns: tuple[Pattern, ...] = ()
    effects: Effects | None = None
    unseen: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    residual: Mapping[str, Array] = field(default_factory=dict)
    explanations: tuple[Explanation, ...] = ()
    dtype: str = ""
    dtypes: tuple[JudgedDtype, ...] = ()
