"""The document of ``parity known``."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.metadata import version
from platform import platform
from typing import Literal

import msgspec

from parity.document import Document
from parity.features.known.fact import Fact, Kind, Observation, State


class FactRecord(msgspec.Struct, frozen=True, kw_only=True):
    """A fact about torch: what one expects, what is executed, in which ``versions`` it was seen, the thread about it,
    its ``state`` on this machine, and the ``source`` of the script that shows it.
    """

    id: str
    title: str
    kind: Kind
    expected: str
    executed: str
    versions: str
    link: str
    state: State
    text: str
    source: str


class KnownDocument(Document, frozen=True, kw_only=True, tag="known"):
    """What became of known facts on this machine."""

    schema: Literal[1]
    facts: list[FactRecord]
    environment: dict[str, str]


def document(observations: Mapping[Fact, Observation]) -> KnownDocument:
    """The document of the facts that were tried."""
    facts = [
        FactRecord(
            id=fact.id,
            title=fact.title,
            kind=fact.kind,
            expected=fact.expected,
            executed=fact.executed,
            versions=fact.versions,
            link=fact.link,
            state=observation.state,
            text=observation.text,
            source=fact.source,
        )
        for fact, observation in observations.items()
    ]
    return KnownDocument(schema=1, facts=facts, environment={"torch": version("torch"), "platform": platform()})
