"""A comparison as JSON, schema 1."""

from __future__ import annotations

import json
from typing import Any

from parity.features.check.document import to_json as check_to_json
from parity.features.compare.compare import Comparison, Difference
from parity.features.compare.words import text_of
from parity.output import to_json as as_json


def to_json(comparison: Comparison) -> str:
    """``{"schema": 1, "a", "b", "against", "verdict", "text", "first", "tensors", "ends", "checks", "notes"}``.

    ``checks``: the documents of ``parity check`` of both runs, where an experiment is given.
    """
    places = (comparison.a, comparison.b)
    checks = [check_to_json(place, one, {}) for place, one in zip(places, comparison.diagnoses, strict=False)]
    document = {
        "schema": 1,
        "a": comparison.a,
        "b": comparison.b,
        "against": comparison.against,
        "verdict": comparison.verdict,
        "text": text_of(comparison),
        "first": _difference(comparison.first),
        "tensors": [
            {
                "name": one.name,
                "numbers": one.numbers,
                "share": one.share,
                "first": _difference(one.first),
                "largest": _difference(one.largest),
                "last": _difference(one.last),
            }
            for one in comparison.tensors
        ],
        "ends": list(comparison.ends),
        "checks": [json.loads(check) for check in checks],
        "notes": list(comparison.notes),
    }
    return as_json(document)


def _difference(difference: Difference | None) -> dict[str, Any] | None:
    if difference is None:
        return None
    return {**vars(difference), "index": list(difference.index)}
