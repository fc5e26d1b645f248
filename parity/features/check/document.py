"""A diagnosis as JSON, schema 2."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from parity.output import to_json as as_json

if TYPE_CHECKING:
    from parity.explain.effects import Effects
    from parity.explain.finding import Diagnosis


def to_json(target: str, diagnosis: Diagnosis, environment: Mapping[str, str]) -> str:
    """``{"schema": 2, "target", "against", "verdict", "text", "links", "findings", "effects", …}``.

    ``links``: what was measured of each link of the steps. Numbers that are not finite are strings.
    """
    document = {
        "schema": 2,
        "target": target,
        "against": diagnosis.against,
        "verdict": diagnosis.verdict,
        "text": diagnosis.text,
        "share": diagnosis.share,
        "optimizer": diagnosis.family,
        "links": [{"name": one.name, "text": one.text, "as_asked": one.as_asked} for one in diagnosis.links],
        "findings": [
            {
                "id": finding.id,
                "text": finding.text,
                "evidence": finding.evidence,
                "change": finding.change,
                "alike": list(finding.alike),
                "probe": finding.probe,
            }
            for finding in diagnosis.findings
        ],
        "patterns": [pattern.text for pattern in diagnosis.patterns],
        "effects": _effects(diagnosis.effects),
        "unseen": list(diagnosis.unseen),
        "notes": list(diagnosis.notes),
        "environment": dict(environment),
    }
    return as_json(document)


def _effects(effects: Effects | None) -> dict[str, Any] | None:
    if effects is None:
        return None
    each = [{"id": one.name, "alone": one.alone, "share": one.share} for one in effects.each]
    return {"quantity": effects.quantity, "asked": effects.asked, "found": effects.executed, "each": each}
