"""Edits of the programs of several parameters at once, and those that come nearest to what was recorded."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, TypeAlias

import numpy as np

from parity.explain.update.counts import Place
from parity.explain.update.edit import Edit
from parity.explain.update.line import line_edits
from parity.explain.update.named import named_edits
from parity.explain.update.program import Program
from parity.explain.update.proof import Candidate, Part
from parity.explain.update.trial import UpdateRecord

ROUGHLY = 0.3
"""Share of the moves that a link may leave for a second part to be looked for beside it."""
Own: TypeAlias = dict[str, Edit]
"""An edit of each parameter."""


@dataclass(frozen=True)
class Base:
    """Rules that one part more may be changed of: those asked, or such as have a link replaced already."""

    rules: Mapping[str, Any]
    parts: tuple[Part, ...] = ()

    def with_part(self, part: Part, rules: Mapping[str, Any], *, partly: bool = True) -> Candidate:
        return Candidate(parts=(*self.parts, part), rules=rules, partly=partly)


class Edited(Mapping[str, Any]):
    """The rules with an edit, each put together when it is asked for."""

    def __init__(self, edits: Edits, own: Own) -> None:
        self.edits, self.own = edits, own

    def __getitem__(self, name: str) -> Any:
        edits = self.edits
        if name not in self.own:
            return edits.base.rules[name]
        try:
            return self.own[name].of(edits.programs[name], edits.places[name])
        except SyntaxError:  # no program
            return None

    def __iter__(self) -> Iterator[str]:
        return iter(self.edits.base.rules)

    def __len__(self) -> int:
        return len(self.edits.base.rules)


class Edits:
    """The edits of the rules' programs; each is made in every parameter whose program allows it."""

    def __init__(self, base: Base, places: Mapping[str, Place]) -> None:
        self.base, self.places = base, places
        made = {id(rule): Program.of(rule) for rule in base.rules.values()}
        programs = {name: made[id(rule)] for name, rule in base.rules.items()}
        self.programs = {name: program for name, program in programs.items() if program is not None}

    @cached_property
    def named(self) -> list[Own]:
        """The edits that have words of their own."""
        return self._by_name(False)

    @cached_property
    def every(self) -> list[Own]:
        """The edits that any line allows."""
        return self._by_name(True)

    def _by_name(self, every: bool) -> list[Own]:
        by_name: dict[tuple[str, ...], Own] = {}
        for name, program in self.programs.items():
            epochs = bool(np.ptp(self.places[name].epochs)) if len(self.places[name].epochs) else False
            for edit in line_edits(program) if every else named_edits(program, epochs):
                by_name.setdefault(edit.key(program), {})[name] = edit
        return list(by_name.values())

    def part(self, own: Own) -> Part:
        """The words for an edit, as part of a candidate."""
        name, edit = next(iter(own.items()))
        return Part(id=edit.id, say=lambda: edit.told(self.programs[name]))

    def candidate(self, own: Own) -> Candidate:
        """The rules with an edit."""
        return self.base.with_part(self.part(own), Edited(self, own))


def named_edit(program: Program | None, id: str) -> Edit | None:
    """The edit of that name."""
    edits = () if program is None else named_edits(program)
    return next((edit for edit in edits if edit.id == id), None)


def near_ones(edits: Edits, records: Sequence[UpdateRecord], most: int) -> list[tuple[Edit, Base]]:
    """The edits that leave least of the moves when each step has a number of its own."""
    wrong = max((r for r in records if r.wrong), key=lambda r: r.weights[0].size)
    ranked: list[tuple[float, int, Own]] = []
    for own in (*edits.named, *edits.every):
        rules = Edited(edits, own)
        ranked.append((wrong.left(rules[wrong.name]), len(ranked), own))
    ranked.sort(key=lambda entry: entry[:2])
    near = [own for left, _, own in ranked[:most] if left <= ROUGHLY]
    return [(next(iter(own.values())), Base(Edited(edits, own), (*edits.base.parts, edits.part(own)))) for own in near]
