"""What ``benchmarks.power`` measured, as every report reads it: the JSON document of schema 2 or 1, checked."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any, Literal

import msgspec

from parity.errors import InputError

Share = float | str
"""A number, or ``"inf"``."""


class Said(msgspec.Struct, frozen=True, kw_only=True):
    """A case that is to be looked at."""

    id: str
    outcome: str
    text: str


class Correct(msgspec.Struct, frozen=True, kw_only=True):
    """Correct runs of one experiment in one dtype; ``checks``: the largest error ÷ tolerance of all."""

    experiment: str
    dtype: str
    runs: int
    steps: int
    numbers: int
    alarms: int
    undecidable: int
    unseen: list[str]
    checks: dict[str, Share]

    @property
    def used(self) -> float:
        """The largest share of all checks but that of the initial weights, which are rounded and so use up to all."""
        return max((float(share) for check, share in self.checks.items() if check != "initial"), default=0.0)


class Rates(msgspec.Struct, frozen=True, kw_only=True):
    """Runs with faults in one dtype, and of those caught how many had all their causes named, and where."""

    dtype: str
    cases: int
    caught: int
    undecidable: int
    equal: int
    missed: int
    errors: int
    first: int
    classes: int
    explanations: int
    one: int
    none: int
    mutants: int
    mutants_named: int
    median_size: float
    largest_size: int


class TrialReport(msgspec.Struct, frozen=True, kw_only=True):
    """One run with a fault, or with two."""

    faults: list[str]
    family: str
    experiment: str
    dtype: str
    outcome: str
    nameless: bool
    checks: dict[str, Share]
    named: int
    rank: int | None
    place: int | None
    size: int
    findings: list[str]
    text: str

    @property
    def caught(self) -> bool:
        return self.outcome in ("named", "caught")

    @property
    def where(self) -> str:
        return f"{self.experiment}, {self.dtype}"


class Smallest(msgspec.Struct, frozen=True, kw_only=True):
    """The smallest relative changes that are seen; None where even half is not."""

    experiment: str
    dtype: str
    numbers: dict[str, float | None]


class PowerDocument(msgspec.Struct, frozen=True, kw_only=True):
    """Schema 2. Schema 1, of the same shape, was measured before links were: its causes are of another explanation."""

    schema: Literal[1, 2]
    seed: int
    mutants: int
    alarms: list[Said]
    uncaught: list[Said]
    errors: list[Said]
    correct: list[Correct]
    caught: list[Rates]
    pairs: list[Rates]
    cases: list[TrialReport]
    smallest: list[Smallest]
    environment: dict[str, str]

    @property
    def singles(self) -> list[TrialReport]:
        return [case for case in self.cases if len(case.faults) == 1]

    @property
    def doubles(self) -> list[TrialReport]:
        return [case for case in self.cases if len(case.faults) == 2]

    @property
    def dtypes(self) -> list[str]:
        dtypes = [row.dtype for row in self.correct] + [case.dtype for case in self.cases]
        return list(dict.fromkeys(dtypes + [row.dtype for row in self.smallest]))


def read(document: Mapping[str, Any]) -> PowerDocument:
    """Raises :class:`InputError` where it is not of these."""
    try:
        return msgspec.convert(document, PowerDocument)
    except msgspec.ValidationError as error:
        raise InputError(f"not a document of benchmarks.power, schema 1 or 2: {error}; write it again") from error


def largest(cases: Iterable[TrialReport], check: str) -> float | None:
    """The largest error ÷ tolerance of a check, None where no case has it."""
    return max((float(case.checks[check]) for case in cases if check in case.checks), default=None)


def percent(part: int, whole: int) -> str:
    """``97.5 %``, rounded down, so that 100 % says all."""
    return f"{math.floor(1000 * part / whole) / 10:g} %" if whole else "–"


def change(delta: float | None) -> str:
    """``3.3e-16``, or that nothing is seen."""
    return "undecidable" if delta is None else f"{delta:.1e}".replace("e-0", "e-") if delta < 0.01 else f"{delta:.2g}"
