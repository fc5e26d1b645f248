"""Faults written by people who had not seen the names: their table, from a document that is committed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from benchmarks.power.document import percent
from benchmarks.power.tables import Table
from parity.errors import InputError
from parity.markdown import as_text


class Fault(msgspec.Struct, frozen=True, kw_only=True):
    """``true``: the cause in the words of who wrote it; ``said``: what was found, in short; ``right``: it is first."""

    name: str
    kind: str
    true: str
    said: str
    caught: bool
    right: bool


class Blind(msgspec.Struct, frozen=True, kw_only=True):
    """``cases``: looked at while the names were written; ``sealed``: sets that were scored once, each before anything
    was changed because of it, in their order."""

    date: str
    cases: list[Fault]
    sealed: list[list[Fault]] = []

    @property
    def sets(self) -> dict[str, list[Fault]]:
        sealed = {f"sealed set {i}, scored once": faults for i, faults in enumerate(self.sealed, 1)}
        return {"known while the names were written": self.cases} | sealed


def read_blind(document: Mapping[str, Any]) -> Blind:
    """Raises :class:`InputError` where it is of another shape."""
    try:
        return msgspec.convert(document, Blind)
    except msgspec.ValidationError as error:
        raise InputError(f"not a document of faults written blind: {error}") from None


def scores(blind: Blind) -> Table:
    """How many were caught, and how many have the right cause first."""
    rows = []
    for title, some in blind.sets.items():
        for kind in dict.fromkeys(fault.kind for fault in some):
            own = [fault for fault in some if fault.kind == kind]
            caught, right = sum(fault.caught for fault in own), sum(fault.right for fault in own)
            rows.append([title, kind, str(len(own)), str(caught), str(right), percent(right, len(own))])
    return Table("Faults written blind", ("faults", "kind", "number", "caught", "right cause first", "share"), rows)


def each(faults: Sequence[Fault]) -> Table:
    """Every fault with what was said of it."""
    rows = [
        [
            fault.name,
            as_text(fault.true),
            as_text(fault.said),
            "yes" if fault.right else "no" if fault.caught else "not caught",
        ]
        for fault in faults
    ]
    return Table("Each fault", ("fault", "true cause", "what was said first", "right"), rows)
