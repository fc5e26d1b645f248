"""One measurement of the judge, and what came of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

Kind = Literal["correct", "single", "pair", "smallest"]
Outcome = Literal["quiet", "alarm", "named", "caught", "undecidable", "equal", "missed", "measured", "error"]


@dataclass(frozen=True, kw_only=True)
class Trial:
    """``faults``: keys of ``MUTANTS``, none for correct code; ``seed``: added to the experiment's."""

    kind: Kind
    experiment: str
    dtype: str
    faults: tuple[str, ...] = ()
    seed: int = 0

    @property
    def id(self) -> str:
        parts = (self.kind, *self.faults, self.experiment, self.dtype, f"seed{self.seed}")
        return "/".join(parts)


@dataclass(frozen=True, kw_only=True)
class RightCause:
    """The places of the planted faults among the explanations.

    ``named``: how many of the faults the first class has, in one explanation. ``rank``: number of the class, from 1,
    that has all of them in one explanation, and ``place``: number of that explanation over all classes; None where
    none has. ``size``: explanations in the first class. ``findings``: names that were given, the likeliest first,
    with those that cannot be told from them.
    """

    named: int
    rank: int | None
    place: int | None
    size: int
    findings: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Result:
    """The result of a case.

    ``checks``: the largest error ÷ tolerance by check (:mod:`benchmarks.power.checks`). ``smallest``: by
    hyper-parameter, the smallest relative change that is seen, None where even half is not. ``unseen``: what the judge
    calls undecidable. ``steps``, ``numbers``: that were judged.
    """

    case: Trial
    outcome: Outcome
    text: str = ""
    checks: Mapping[str, float] = field(default_factory=dict)
    cause: RightCause | None = None
    smallest: Mapping[str, float | None] = field(default_factory=dict)
    unseen: tuple[str, ...] = ()
    steps: int = 0
    numbers: int = 0
    seconds: float = 0.0
