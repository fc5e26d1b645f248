"""What ``parity verify`` found, as every report reads it: the JSON document, checked and cleaned."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import msgspec

from parity.document import Document, Number
from parity.errors import InputError

# The order of columns.
IMPLEMENTATIONS = ("for-loop", "foreach", "fused", "capturable", "differentiable", "compile")
DTYPES = ("float64", "float32", "bfloat16", "float16", "complex128", "complex64")
Verdict = Literal["disagree", "error", "fixed", "known", "undecidable", "agree", "unsupported"]


@dataclass(frozen=True, kw_only=True)
class Look:
    """How a verdict is shown: never by its colour alone."""

    sign: str
    colour: str  # Okabe & Ito where it tells enough apart
    text: str  # the colour of letters on it
    meaning: str


# The worst first: a group of cases shows the first of these that it contains. One case that torch does not offer
# says nothing about its neighbours that agree, so ``unsupported`` comes last.
LOOKS: dict[Verdict, Look] = {
    "disagree": Look(
        sign="✗", colour="#c4262e", text="#ffffff", meaning="no correct implementation can have this number"
    ),
    "error": Look(sign="E", colour="#7b3294", text="#ffffff", meaning="the case broke"),
    "fixed": Look(sign="F", colour="#0067a5", text="#ffffff", meaning="a known deviation no longer happens: remove it"),
    "known": Look(sign="K", colour="#e69f00", text="#14161a", meaning="a known deviation, as described"),
    "undecidable": Look(
        sign="?", colour="#f0e442", text="#14161a", meaning="agrees, but would also without what it is to show"
    ),
    "agree": Look(sign="✓", colour="#009e73", text="#14161a", meaning="every number lies within its tolerance"),
    "unsupported": Look(sign="–", colour="#c9ccd1", text="#4a4f58", meaning="the framework does not offer it"),
}
FAILURES: tuple[Verdict, ...] = ("disagree", "error", "fixed")


class CaseReport(msgspec.Struct, frozen=True, kw_only=True):
    """One case of the matrix. ``used`` is the largest error ÷ tolerance; JSON spells infinity ``"inf"``."""

    id: str
    optimizer: str
    options: dict[str, Any]
    implementation: str
    dtype: str
    device: str
    situation: str
    size: int | list[int]
    verdict: Verdict
    check: str | None
    used: Number | None
    text: str
    rerun: str
    seconds: float | None

    @property
    def share(self) -> float | None:
        """``used`` as a number; one that is not a number is as bad as infinity."""
        share = None if self.used is None else float(self.used)
        return math.inf if share is not None and math.isnan(share) else share


class CaseRow(msgspec.Struct, frozen=True, kw_only=True):
    """How many cases one combination has and, where none, why."""

    optimizer: str
    situation: str
    implementation: str
    dtype: str
    cases: int
    reason: str | None


class Coverage(msgspec.Struct, frozen=True, kw_only=True):
    """Every combination of optimizer, situation, implementation and dtype."""

    rows: list[CaseRow]

    @property
    def covered(self) -> int:
        return sum(row.cases > 0 for row in self.rows)

    @property
    def unexplained(self) -> int:
        """Combinations without a case and without a reason."""
        return sum(row.cases == 0 and not row.reason for row in self.rows)


class VerifyDocument(Document, frozen=True, kw_only=True, tag="verify"):
    """What ``parity verify`` found. ``counts``: verdict → number of cases; ``environment``: versions and machine."""

    schema: Literal[1]
    cases: list[CaseReport]
    coverage: Coverage
    environment: dict[str, str]
    counts: dict[Verdict, int]


@dataclass(frozen=True)
class Cell:
    """The summary of several cases."""

    verdict: Verdict
    used: float | None
    cases: int


def read(document: Mapping[str, Any]) -> VerifyDocument:
    """The document, with U+FFFD for each character that a page or an XML file cannot carry.

    Raises :class:`InputError` where it is not of schema 1.
    """
    try:
        return msgspec.convert(_printable(document), VerifyDocument)
    except msgspec.ValidationError as error:
        raise InputError(f"not a document of parity verify, schema 1: {error}; write it again") from error


def _printable(value: Any) -> Any:
    if isinstance(value, str):
        return _UNPRINTABLE.sub("\N{REPLACEMENT CHARACTER}", value)
    if isinstance(value, Mapping):
        return {_printable(key): _printable(item) for key, item in value.items()}
    return [_printable(item) for item in value] if isinstance(value, list | tuple) else value


_UNPRINTABLE = re.compile("[^\t\n\u0020-\u007e\u00a0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")  # XML 1.0, no C1


def summary(cases: Iterable[CaseReport]) -> Cell:
    """The worst verdict and the largest share of all."""
    some = list(cases)
    present = {one.verdict for one in some}
    shares = [one.share for one in some if one.share is not None]
    return Cell(next(name for name in LOOKS if name in present), max(shares, default=None), len(some))


def cells(cases: Iterable[CaseReport], *axes: str) -> dict[tuple[str, ...], Cell]:
    """A summary for each combination of the fields named, such as ``cells(cases, "optimizer", "dtype")``."""
    groups: dict[tuple[str, ...], list[CaseReport]] = {}
    for one in cases:
        groups.setdefault(tuple(getattr(one, axis) for axis in axes), []).append(one)
    return {key: summary(group) for key, group in groups.items()}


def in_order(names: Iterable[str], known: Sequence[str]) -> list[str]:
    """Each name once, in the order of ``known``; others follow as they came."""
    return sorted(dict.fromkeys(names), key=lambda name: known.index(name) if name in known else len(known))


def number(used: float | None) -> str:
    """A share in at most five characters: ``0.97``, ``2.50``, ``37``, ``4e5``, ``∞``."""
    if used is None:
        return ""
    if math.isinf(used):
        return "∞"
    if used < 999.5:
        return f"{used:.2f}" if used < 9.995 else f"{used:.0f}"
    digit, exponent = f"{used:.0e}".split("e")
    return f"{digit}e{int(exponent)}"


def in_words(value: Any) -> str:
    """``{"lr": 0.1, "maximize": True}`` as ``lr=0.1, maximize=True``, ``[3, 5]`` as ``3×5``, None as nothing."""
    if isinstance(value, Mapping):
        return ", ".join(f"{name}={item}" for name, item in value.items())
    if isinstance(value, list | tuple):
        return "×".join(str(item) for item in value)
    return "" if value is None else str(value)
