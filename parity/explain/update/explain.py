"""What an optimizer update did where it is not what was asked.

The asked update is a program of lines (:mod:`parity.explain.update.program`). What was recorded is held to every
program that differs from it in one part (an edit, a number, a counter, a sequence from step to step), then in two;
first in plain arithmetic, which costs little, and those that come near in running-error arithmetic. Only a program that
brings every recorded number within its bound is an explanation; fewest parts win.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import chain
from typing import Any

import numpy as np

from parity.explain.motion import Motion
from parity.explain.pattern import places
from parity.explain.replay import Slot, with_numbers
from parity.explain.update.candidates import (
    clipped,
    look_aheads,
    of_some_elements,
    options,
    other_numbers,
    other_references,
    shared_states,
)
from parity.explain.update.counts import Place
from parity.explain.update.edits import Base, Edits, near_ones
from parity.explain.update.program import CannotRun
from parity.explain.update.proof import Candidate, Court, ProvenUpdate
from parity.explain.update.sequences import sequences
from parity.explain.update.series import ROUGH, listed, measure
from parity.explain.update.trial import UpdateRecord
from refimpl.types import Array, Optimizer

SOME = "{left}"
"""The place of the share that is left, of which parameters that are off alike have different ones."""
NEAREST = 4
"""Links that a second part is looked for beside."""


@dataclass(frozen=True, kw_only=True)
class UpdateExplanation:
    """``explanations``: proven ones, best first, such as the record cannot tell apart; ``structure``: what was
    measured, in sentences, where there is none."""

    explanations: tuple[ProvenUpdate, ...]
    structure: tuple[str, ...]

    @property
    def best(self) -> ProvenUpdate | None:
        return self.explanations[0] if self.explanations else None

    @property
    def text(self) -> str:
        """The explanation in one line."""
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
    records = [UpdateRecord(motion, asked[motion.parameter]) for motion in motions]
    records = [record for record in records if record.steps]
    if not any(record.wrong for record in records):
        return None
    return Search(records, asked, epochs, late or {}).run()


class Search:
    """One record and its explanations."""

    def __init__(
        self, records: Sequence[UpdateRecord], asked: Mapping[str, Any], epochs: Array | None, late: Mapping[str, int]
    ) -> None:
        self.records = records
        self.asked = {record.name: asked[record.name] for record in records}
        self.steps = max(record.steps for record in records)
        self.court = Court(records)
        of_steps = np.zeros(self.steps, int) if epochs is None else np.asarray(epochs)
        self.places = {
            record.name: Place(
                index=i,
                parameters=len(records),
                epochs=of_steps[: record.steps],
                late=late.get(record.name, 0),
                lates=tuple(late.get(each.name, 0) for each in records),
            )
            for i, record in enumerate(records)
        }
        self.base = Base({record.name: record.asked for record in records})
        self.edits = Edits(self.base, self.places)

    def run(self) -> UpdateExplanation:
        """The explanations with fewest parts, or the structure."""
        found = self._first(self.court, self._one(self.records)) or self.court.first(self._two(), most=1)
        if not found and len(self.records) > 1:
            found = self._apart()
        structure = () if found else tuple(described(self.records, self.base.rules))
        return UpdateExplanation(explanations=tuple(found), structure=structure)

    def _first(self, court: Court, ways: Iterator[Iterator[Candidate]]) -> list[ProvenUpdate]:
        """What the first way finds that finds something: of those with names all that the record cannot tell apart."""
        return next((found for i, way in enumerate(ways) if (found := court.first(way, most=1 if i else 3))), [])

    def _one(self, records: Sequence[UpdateRecord]) -> Iterator[Iterator[Candidate]]:
        """One edit, option, number or sequence, the likely ones first."""
        named = map(self.edits.candidate, self.edits.named)
        yield chain(named, options(self.base), shared_states(self.base, records, self.asked))
        yield chain(look_aheads(self.base, records), of_some_elements(self.edits, records))
        yield chain(other_numbers(self.base, records), clipped(self.base, records))
        yield map(self.edits.candidate, self.edits.every)
        yield other_references(self.base, self.asked)
        yield sequences(self.base, records)

    def _two(self) -> Iterator[Candidate]:
        """Two at once: one of those that come nearest, and another thing."""
        for first, near in near_ones(self.edits, self.records, NEAREST):
            for way in (other_numbers(near, self.records), sequences(near, self.records)):
                with suppress(CannotRun):
                    yield from way
            further = Edits(near, self.places)
            for own in (*further.named, *further.every):
                if next(iter(own.values())).kind != first.kind:
                    yield further.candidate(own)

    def _apart(self) -> list[ProvenUpdate]:
        """Each refuted parameter for itself: another cause for each."""
        found = []
        for record in self.court.wrong:
            best = _still(record) or next(iter(self._first(Court([record]), self._one([record]))), None)
            if best is None:
                return []
            found.append(best)
        kept = [record for record in self.records if not record.wrong]
        weights = sum(record.weights[1 : record.steps + 1].size for record in self.court.wrong)
        worst = max(one.share for one in found)
        return [
            ProvenUpdate(
                id="+".join(dict.fromkeys(one.id for one in found)),
                text="; ".join(f"{next(iter(one.rules))}: {one.text}" for one in found),
                change="; ".join(dict.fromkeys(one.change for one in found)),
                evidence=f"with these, all {weights:,} recorded weights of the parameters that were not as asked lie "
                f"within their bounds, at most {worst:.2g} of them used",
                parts=sum(one.parts for one in found),
                rules={name: rule for one in found for name, rule in one.rules.items()}
                | {record.name: record.asked for record in kept},
                changed=tuple(name for one in found for name in one.changed),
                share=worst,
            )
        ]


def _still(record: UpdateRecord) -> ProvenUpdate | None:
    """The explanation of a parameter that never moves; None of one that does."""
    if np.any(record.weights[1 : record.steps + 1] != record.weights[0]):
        return None
    return ProvenUpdate(
        id="intercept-frozen" if record.name == "bias" else "parameter-frozen",
        text="it takes part and is never updated",
        change="hand it to the optimizer: requires_grad, parameter groups, shards",
        evidence="it has its initial value to the end",
        parts=1,
        rules={record.name: with_numbers(record.asked, {Slot("lr"): 0.0}, checked=False)},
        changed=(record.name,),
        share=0.0,
    )


def described(records: Sequence[UpdateRecord], rules: Mapping[str, Any]) -> Iterator[str]:
    """A sentence for the parameters that are off alike, and one for those that are as asked."""
    right = [record.name for record in records if not record.wrong]
    alike: dict[tuple[str, str], dict[str, float]] = {}
    for record in records:
        if record.wrong:
            where, how, left = _off(record, rules[record.name])
            alike.setdefault((where, how), {})[record.name] = left
    for (where, how), lefts in alike.items():
        low, high = f"{min(lefts.values()):.2g}", f"{max(lefts.values()):.2g}"
        some = how.replace(SOME, low if low == high else f"{low} to {high}")
        yield f"{_listed(lefts)}: not as asked in {where}; {some}"
    if right:
        yield f"{_listed(right)} as asked"


def _listed(names: Iterable[str]) -> str:
    *some, last = names
    return f"{', '.join(some)} and {last}" if some else last


def _off(record: UpdateRecord, rule: Any) -> tuple[str, str, float]:
    """Where a parameter is not as asked, how its step goes with the asked one, and the share that is left beside it."""
    wrong = record.share.reshape(len(record.share), -1) > 1
    measured = measure(record, rule)
    left = float(np.max(measured.left, initial=0))
    where = places(wrong)
    if wrong.shape[1] > 2 and left <= ROUGH:
        return where, f"its step has the asked direction, {listed(measured.a)} times as long", left
    if not np.isfinite(left):
        return where, "it moves where the asked step is 0", left
    if wrong.shape[1] > 2:
        return where, f"its step has not the asked direction: {SOME} of it is left beside it and the weights", left
    return where, f"its step is {listed(measured.a)} times the asked one", left
