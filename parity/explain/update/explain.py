"""What an optimizer update did where it is not what was asked.

The asked update is put together of links (:mod:`parity.explain.update.rule`). What was recorded is held to every rule
that differs from it in one part (a link, a number, a counter, a sequence from step to step), then in two; first in
plain arithmetic, which costs little, and those that come near in running-error arithmetic. Only a rule that brings
every recorded number within its bound is an explanation; fewest parts win.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from parity.explain.motion import Motion
from parity.explain.update.candidates import (
    Base,
    clipped,
    links,
    look_aheads,
    near_ones,
    other_numbers,
    other_references,
    part_of,
    sequences,
    shared_states,
)
from parity.explain.update.counts import Place
from parity.explain.update.of import rule_of
from parity.explain.update.proof import Candidate, Court, Explanation
from parity.explain.update.rule import Rule
from parity.explain.update.structure import described
from parity.explain.update.trial import Record
from refimpl.types import Array, Optimizer

NEAREST = 5
"""Links that a second part is looked for beside."""


@dataclass(frozen=True, kw_only=True)
class UpdateExplanation:
    """``explanations``: proven ones, best first, such as the record cannot tell apart; ``structure``: what was
    measured, in sentences, where there is none."""

    explanations: tuple[Explanation, ...]
    structure: tuple[str, ...]

    @property
    def best(self) -> Explanation | None:
        return self.explanations[0] if self.explanations else None

    @property
    def text(self) -> str:
        """One line."""
        return self.explanations[0].text if self.explanations else "; ".join(self.structure)


def explain_update(
    asked: Mapping[str, Optimizer],
    motions: Sequence[Motion],
    *,
    epochs: Array | None = None,
    late: Mapping[str, int] | None = None,
) -> UpdateExplanation | None:
    """Why the motions are not those of the asked optimizers; None if they are.

    ``epochs`` ``(K,)``: of each step. ``late``: how many steps were made before a parameter's first gradient.
    """
    records = [Record(motion, asked[motion.parameter]) for motion in motions]
    records = [record for record in records if record.steps]
    if not any(record.wrong for record in records):
        return None
    return Search(records, asked, epochs, late or {}).run()


class Search:
    """One record and its explanations."""

    def __init__(
        self, records: Sequence[Record], asked: Mapping[str, Any], epochs: Array | None, late: Mapping[str, int]
    ) -> None:
        self.records = records
        self.asked = {record.name: asked[record.name] for record in records}
        self.steps = max(record.steps for record in records)
        self.court = Court(records)
        of_steps = np.zeros(self.steps, int) if epochs is None else np.asarray(epochs)
        self.places = {
            record.name: Place(
                index=i, parameters=len(records), epochs=of_steps[: record.steps], late=late.get(record.name, 0)
            )
            for i, record in enumerate(records)
        }
        self.base = Base({record.name: rule_of(record.asked, record.steps) for record in records})

    def run(self) -> UpdateExplanation:
        """The explanations with fewest parts, or the structure."""
        found = self.court.first(self._one())
        if not found:
            found = self.court.first(self._other(), most=1)
        if not found:
            found = self.court.first(self._two(), most=2)
        if not found and len(self.records) > 1:
            found = self._apart()
        structure = () if found else tuple(described(self.records, self.base.rules))
        return UpdateExplanation(explanations=tuple(found), structure=structure)

    def _one(self) -> Iterator[Candidate]:
        for _, candidate in links(self.base, self.places):
            yield candidate
        yield from shared_states(self.base, self.records, self.asked)
        yield from look_aheads(self.base, self.records)
        yield from other_numbers(self.base, self.records)
        yield from clipped(self.base, self.records)

    def _other(self) -> Iterator[Candidate]:
        """Another reference, or steps that change from one to the next."""
        yield from other_references(self.base, self.asked, self.steps)
        yield from sequences(self.base, self.records)

    def _two(self) -> Iterator[Candidate]:
        for kind, near in near_ones(self.base, self.places, self.records, NEAREST):
            del kind
            yield from other_numbers(near, self.records)
            yield from sequences(near, self.records)
        singles = list(links(self.base, self.places))
        for i, (change, _) in enumerate(singles):
            for other, _ in singles[i + 1 :]:
                if other.kind != change.kind:
                    rules: dict[str, Rule] = {}
                    for name, rule in self.base.rules.items():
                        place = self.places[name]
                        rules[name] = other.of(change.of(rule, place), place)
                    yield Candidate(parts=(part_of(change), part_of(other)), rules=rules)

    def _apart(self) -> list[Explanation]:
        """Each refuted parameter for itself: another cause for each."""
        found = []
        for record in self.court.wrong:
            own = Search([record], self.asked, None, {})
            own.places = {record.name: self.places[record.name]}
            best = own.court.first(own._one(), most=1) or own.court.first(own._other(), most=1)
            if not best:
                return []
            found.append(best[0])
        kept = [record for record in self.records if not record.wrong]
        return [
            Explanation(
                id="+".join(dict.fromkeys(one.id for one in found)),
                text="; ".join(f"{next(iter(one.rules))}: {one.text}" for one in found),
                change="; ".join(dict.fromkeys(one.change for one in found)),
                evidence=found[0].evidence,
                parts=sum(one.parts for one in found),
                rules={name: rule for one in found for name, rule in one.rules.items()}
                | {record.name: record.asked for record in kept},
                changed=tuple(name for one in found for name in one.changed),
                share=max(one.share for one in found),
            )
        ]
