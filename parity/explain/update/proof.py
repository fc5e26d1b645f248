"""What may be said: an explanation is one only if its rule brings every recorded number within its bound."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np

from parity.explain.replay import share_of
from parity.explain.update.program import CannotRun
from parity.explain.update.trial import UpdateRecord, first_wrong


@dataclass(frozen=True, kw_only=True)
class Part:
    """One thing that is not as asked: ``say``: what is done, and what to do instead, put in words when it is proven."""

    id: str
    say: Callable[[], tuple[str, str]]

    @classmethod
    def said(cls, id: str, text: str, right: str) -> Part:
        """A part whose words are known already."""
        return cls(id=id, say=lambda: (text, right))


@dataclass(frozen=True, kw_only=True)
class Candidate:
    """``rules`` by parameter that may have been executed, and in what they differ from the asked ones.

    ``partly``: a parameter that the asked rule explains may have been left as asked. ``screened``: it must come near in
    plain arithmetic, which rules with numbers that are kept in less than float64 do not.
    """

    parts: tuple[Part, ...]
    rules: Mapping[str, Any]
    partly: bool = True
    screened: bool = True


@dataclass(frozen=True, kw_only=True)
class ProvenUpdate:
    """``rules``: of every parameter, each an optimizer that brings all that was recorded within its bound; ``changed``:
    the parameters whose rule is not the asked one; ``share``: the largest share of the bound that they use."""

    id: str
    text: str
    change: str
    evidence: str
    parts: int
    rules: Mapping[str, Any]
    changed: tuple[str, ...]
    share: float


@dataclass
class Court:
    """The records of all parameters, and the proofs that were made."""

    records: Sequence[UpdateRecord]
    proofs: int = 0
    shares: dict[tuple[str, int], float] = field(default_factory=dict)
    kept: list[Any] = field(default_factory=list)

    @cached_property
    def wrong(self) -> list[UpdateRecord]:
        """The parameters in which the asked optimizer is refuted, the largest first."""
        return sorted((r for r in self.records if r.wrong), key=lambda r: -r.weights[0].size)

    def likely(self, candidate: Candidate) -> bool:
        """Whether its rules come near in plain arithmetic."""
        rules = [candidate.rules[record.name] for record in self.wrong]
        return None not in rules and all(r.near(rule) for r, rule in zip(self.wrong, rules, strict=True))

    def judge(self, candidate: Candidate) -> ProvenUpdate | None:
        """The explanation, if it is one."""
        if candidate.screened and not self.likely(candidate):
            return None
        rules: dict[str, Any] = {}
        worst = 0.0
        for record in [*self.wrong, *(r for r in self.records if not r.wrong)]:
            rule = candidate.rules[record.name]
            share = self._share(record, rule)
            if share > 1:
                if record.wrong or not candidate.partly:
                    return None
                rule, share = record.asked, float(record.share.max())
            rules[record.name], worst = rule, max(worst, share)
        asked = {record.name: record.asked for record in self.records}
        changed = tuple(n for n, rule in rules.items() if rule is candidate.rules[n] and rule is not asked[n])
        of = "" if len(changed) == len(self.records) else f" (of {' and '.join(changed)} only)"
        texts, rights = zip(*(part.say() for part in candidate.parts), strict=True)
        return ProvenUpdate(
            id="+".join(part.id for part in candidate.parts),
            text="; and ".join(texts) + of,
            change="; ".join(dict.fromkeys(rights)),
            evidence=f"{self._refuted()}; with this, all {self._count():,} recorded weights lie within their bounds, "
            f"at most {worst:.2g} of them used",
            parts=len(candidate.parts),
            rules=rules,
            changed=changed,
            share=worst,
        )

    def first(self, candidates: Iterator[Candidate], most: int = 3) -> list[ProvenUpdate]:
        """The first few candidates that are proven."""
        found: list[ProvenUpdate] = []
        for candidate in candidates:
            explanation = self.judge(candidate)
            if explanation is not None:
                found.append(explanation)
            if len(found) == most:
                break
        return found

    def _share(self, record: UpdateRecord, rule: Any) -> float:
        key = (record.name, id(rule))
        if key not in self.shares:
            self.proofs += 1
            self.kept.append(rule)  # an id is of this rule as long as it is kept
            self.shares[key] = self._of(rule, record)
        return self.shares[key]

    def _of(self, rule: Any, record: UpdateRecord) -> float:
        try:
            return share_of(rule, [record.motion])
        except CannotRun:
            return np.inf

    def _count(self) -> int:
        return sum(record.weights[1 : record.steps + 1].size for record in self.records)

    def _refuted(self) -> str:
        step = first_wrong(self.records)
        record = max(self.wrong, key=lambda r: float(r.share[step].max()) if step < len(r.share) else 0.0)
        of_step = record.share[step]
        at = ", ".join(str(int(i)) for i in np.unravel_index(int(of_step.argmax()), of_step.shape))
        return f"as asked, {record.name}[{at}] after step {step} is off by {of_step.max():.3g} times its bound"
