"""The document of ``parity bridge``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from typing import Any, ClassVar, Literal

import msgspec
import numpy as np

from parity.document import Document, Number, Numbers
from parity.features.bridges.bridge import Bridge, Computation


class IdentityRecord(msgspec.Struct, frozen=True, kw_only=True):
    """Numbers that two computations agree on. ``ways``: how each was computed; ``digits``: to which they agree, of
    which ``promised`` are; ``values``: the two arrays.
    """

    claim: str
    ways: list[str]
    digits: Number
    promised: int
    values: list[Numbers]


class BridgeDocument(Document, frozen=True, kw_only=True, tag="bridge"):
    """How two ideas are one, with the numbers that show it. ``facts``: what else is to be seen, by the words that say
    it; ``picture``: the numbers that are drawn, which each bridge names itself.
    """

    compact: ClassVar[bool] = True

    schema: Literal[1]
    bridge: str
    title: str
    statement: str
    seed: int
    identities: list[IdentityRecord]
    facts: dict[str, Number]
    picture: dict[str, Any]


def document(id: str, bridge: Bridge, evidence: Computation, seed: int) -> BridgeDocument:
    """The document of a bridge and its evidence, arrays as lists."""
    common = {"identities", "facts"}
    return BridgeDocument(
        schema=1,
        bridge=id,
        title=bridge.title,
        statement=bridge.statement,
        seed=seed,
        identities=[
            IdentityRecord(
                claim=identity.claim,
                ways=list(identity.ways),
                digits=identity.digits,
                promised=identity.promised,
                values=[_listed(identity.one), _listed(identity.other)],
            )
            for identity in evidence.identities
        ],
        facts=dict(evidence.facts),
        picture={f.name: _listed(getattr(evidence, f.name)) for f in fields(evidence) if f.name not in common},
    )


def _listed(value: Any) -> Any:
    """Arrays as lists, in mappings too."""
    if isinstance(value, Mapping):
        return {key: _listed(item) for key, item in value.items()}
    return value.tolist() if isinstance(value, np.ndarray | np.generic) else value
