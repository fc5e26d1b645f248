"""``parity.known``: what is known to be wrong or surprising in torch, tried now."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from parity.errors import InputError, nearest, spelled
from parity.features.known import known as facts
from parity.features.known.fact import Fact, Observation
from parity.shown import Documented

if TYPE_CHECKING:
    from parity.features.known.document import KnownDocument
    from parity.shown import Console


@dataclass(frozen=True, repr=False)
class Observed(Documented):
    """What became of facts on this machine. Printed, it is the text of ``parity known``: one fact whole, or a table."""

    observations: Mapping[Fact, Observation]
    whole: bool

    @property
    def gone(self) -> bool:
        """Whether some fact no longer holds."""
        return any(one.state == "no longer: remove me" for one in self.observations.values())

    def _document(self) -> KnownDocument:
        from parity.features.known.document import document

        return document(self.observations)

    def _print(self, console: Console) -> None:
        from parity.features.known.show import print_fact, print_facts

        if self.whole:
            ((fact, observation),) = self.observations.items()
            print_fact(fact, observation, console)
        else:
            print_facts(self.observations, console)


def known(fact: str | None = None) -> Observed:
    """Try what is known to be wrong or surprising in torch, and say whether it still is.

    ``fact``: the id of one; without it all are tried. Raises :class:`parity.errors.InputError` for an unknown id.
    """
    if fact is None:
        return Observed({one: one.observe() for one in facts.KNOWN.values()}, whole=False)
    fact = spelled(str(fact), facts.KNOWN)
    if fact not in facts.KNOWN:
        raise InputError(f"{fact}: no such fact; `parity known` lists them{nearest(fact, facts.KNOWN)}")
    return Observed({facts.KNOWN[fact]: facts.KNOWN[fact].observe()}, whole=True)
