"""The document of ``parity check``."""

from __future__ import annotations

import platform
from importlib.metadata import version
from typing import Literal

import msgspec

from parity.document import Document, Number
from parity.explain.effects import Effects
from parity.explain.finding import CheckVerdict, Diagnosis


class LinkRecord(msgspec.Struct, frozen=True, kw_only=True):
    """What was measured of a link of the steps, and whether it is as asked; null where that is not known."""

    name: str
    text: str
    as_asked: bool | None


class FindingRecord(msgspec.Struct, frozen=True, kw_only=True):
    """One difference.

    ``evidence``: the numbers that show it; ``change``: what to change in the code; ``alike``: faults by name that this
    record cannot tell from it, and ``probe``: what would.
    """

    id: str
    text: str
    evidence: str
    change: str
    alike: list[str]
    probe: str


class DtypeRecord(msgspec.Struct, frozen=True, kw_only=True):
    """What was judged in one ``dtype``: ``steps``, ``numbers``, and their largest error ÷ tolerance, ``share``."""

    dtype: str
    steps: int
    numbers: int
    share: Number


class EffectRecord(msgspec.Struct, frozen=True, kw_only=True):
    """One difference: the quantity with it ``alone`` ÷ without any, and its ``share`` of the log of the whole ratio."""

    id: str
    alone: Number
    share: Number


class EffectsRecord(msgspec.Struct, frozen=True, kw_only=True):
    """What the differences did to a ``quantity``: its value as ``asked``, as ``found``, and the part of each."""

    quantity: str
    asked: Number
    found: Number
    each: list[EffectRecord]


class CheckDocument(Document, frozen=True, kw_only=True, tag="check"):
    """What ``parity check`` found.

    ``share``: the largest error ÷ tolerance of correct code. ``optimizer``: whose steps these are, where it is known.
    ``findings``: in the order of their weight. ``patterns``: where the errors are that nothing explains. ``unseen``:
    hyper-parameters that this record does not show. ``environment``: versions; empty where the check is a part of
    another document. ``dtypes``: those that were judged, and how much in each; empty where nothing was judged.
    """

    schema: Literal[2]
    target: str
    against: str
    verdict: CheckVerdict
    text: str
    share: Number
    optimizer: str
    links: list[LinkRecord]
    findings: list[FindingRecord]
    patterns: list[str]
    effects: EffectsRecord | None
    unseen: list[str]
    notes: list[str]
    environment: dict[str, str]
    dtypes: list[DtypeRecord] = msgspec.field(default_factory=list)


def environment() -> dict[str, str]:
    """The versions that a check depends on."""
    return {name: version(name) for name in ("torch", "numpy")} | {"python": platform.python_version()}


def document(target: str, diagnosis: Diagnosis, environment: dict[str, str]) -> CheckDocument:
    """The document of the diagnosis of a target."""
    return CheckDocument(
        schema=2,
        target=target,
        against=diagnosis.against,
        verdict=diagnosis.verdict,
        text=diagnosis.text,
        share=diagnosis.share,
        optimizer=diagnosis.family,
        links=[LinkRecord(name=one.name, text=one.text, as_asked=one.as_asked) for one in diagnosis.links],
        findings=[
            FindingRecord(
                id=finding.id,
                text=finding.text,
                evidence=finding.evidence,
                change=finding.change,
                alike=list(finding.alike),
                probe=finding.probe,
            )
            for finding in diagnosis.findings
        ],
        patterns=[pattern.text for pattern in diagnosis.patterns],
        effects=_effects(diagnosis.effects),
        unseen=list(diagnosis.unseen),
        notes=list(diagnosis.notes),
        environment=environment,
        dtypes=[
            DtypeRecord(dtype=one.dtype, steps=one.steps, numbers=one.numbers, share=one.share)
            for one in diagnosis.dtypes
        ],
    )


def _effects(effects: Effects | None) -> EffectsRecord | None:
    if effects is None:
        return None
    each = [EffectRecord(id=one.name, alone=one.alone, share=one.share) for one in effects.each]
    return EffectsRecord(quantity=effects.quantity, asked=effects.asked, found=effects.executed, each=each)
