"""A diagnosis as JSON, schema 1."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from parity.report.json import plain

if TYPE_CHECKING:
    from parity.explain.effects import Effects
    from parity.explain.finding import Diagnosis
    from parity.explain.law import Law


def to_json(target: str, diagnosis: Diagnosis, environment: Mapping[str, str]) -> str:
    """``{"schema": 1, "target", "against", "verdict", "text", "law", "laws", "findings", "effects", …}``.

    ``law``: the weight's, or the one that all parameters share; ``laws``: that of each parameter. Numbers that are not
    finite are strings.
    """
    laws = {law.parameter: _law(law, diagnosis.family) for law in diagnosis.laws}
    nothing: dict[str, Any] = {"text": diagnosis.family, "terms": [], "residual": None, "family": diagnosis.family}
    first = next(iter(laws.values()), nothing)
    document = {
        "schema": 1,
        "target": target,
        "against": diagnosis.against,
        "verdict": diagnosis.verdict,
        "text": diagnosis.text,
        "share": diagnosis.share,
        "law": first,
        "laws": laws,
        "words": [{"text": str(sentence), "as_asked": sentence.as_asked} for sentence in diagnosis.words],
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
    return json.dumps(plain(document), indent=1, ensure_ascii=False, allow_nan=False)


def _law(law: Law, family: str) -> dict[str, Any]:
    terms = [{"term": t.term, "coefficient": t.coefficient, "error": t.error} for t in law.terms]
    return {"text": law.text, "terms": terms, "residual": law.share, "explained": law.explained, "family": family}


def _effects(effects: Effects | None) -> dict[str, Any] | None:
    if effects is None:
        return None
    each = [{"id": one.name, "alone": one.alone, "share": one.share} for one in effects.each]
    return {"quantity": effects.quantity, "asked": effects.asked, "found": effects.found, "each": each}
