"""The matrix as one HTML page that needs nothing else: no network, no other file."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from functools import cache
from typing import Any

import jinja2
import msgspec

from parity.features.verify.document import (
    DTYPES,
    FAILURES,
    IMPLEMENTATIONS,
    LOOKS,
    CaseReport,
    in_order,
    in_words,
    read,
)
from parity.templates import environment


def to_html(document: Mapping[str, Any]) -> str:
    """The page. It carries the cases as JSON and draws what is asked for, so thousands of cases load at once."""
    report = read(document)
    data = {
        "verdicts": list(LOOKS),
        "signs": {name: look.sign for name, look in LOOKS.items()},
        "implementations": in_order((one.implementation for one in report.cases), IMPLEMENTATIONS),
        "dtypes": in_order((one.dtype for one in report.cases), DTYPES),
        "cases": _columns([_plain(one) for one in report.cases]),
        "coverage": _columns([msgspec.structs.asdict(row) for row in report.coverage.rows]),
    }
    return _template().render(
        looks=LOOKS,
        failures=FAILURES,
        counts=report.counts,
        total=len(report.cases),
        coverage=report.coverage,
        environment={name: in_words(value) for name, value in report.environment.items()},
        data=data,
    )


def _plain(one: CaseReport) -> dict[str, Any]:
    """A case with its numbers as JSON has them and its options and size in words."""
    used = "inf" if one.share == math.inf else one.share
    return {**msgspec.structs.asdict(one), "used": used, "options": in_words(one.options), "size": in_words(one.size)}


def _columns(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """Column by column, every distinct value once: most of what thousands of cases say is said many times."""
    columns = {}
    for key in rows[0] if rows else ():
        values = {json.dumps(row[key]): row[key] for row in rows}
        place = {text: i for i, text in enumerate(values)}
        columns[key] = {"values": list(values.values()), "rows": [place[json.dumps(row[key])] for row in rows]}
    return columns


@cache
def _template() -> jinja2.Template:
    templates = environment("parity.features.verify")
    templates.policies["json.dumps_kwargs"] = {"separators": (",", ":"), "allow_nan": False}
    return templates.get_template("page.html.j2")
