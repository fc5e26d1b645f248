"""The matrix as JUnit XML, which continuous integration shows as tests: one suite per optimizer.

JUnit has no official schema. What is written here is valid by the one that Jenkins publishes (``junit-10.xsd``), in
which a suite has properties and a case has none: what is said of a known deviation is a property of its suite.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any
from xml.etree import ElementTree

from parity.features.verify.document import CaseReport, VerifyDocument, in_words, number, read

OUTCOME = {"disagree": "failure", "fixed": "failure", "error": "error", "unsupported": "skipped"}  # the others pass


def to_junit(document: Mapping[str, Any]) -> str:
    """disagree and fixed are failures, unsupported is skipped; undecidable and known pass and say what they are."""
    report = read(document)
    root = ElementTree.Element("testsuites", name="parity verify", **_totals(report.cases))
    for optimizer in dict.fromkeys(one.optimizer for one in report.cases):
        root.append(_suite(optimizer, [one for one in report.cases if one.optimizer == optimizer], report))
    ElementTree.indent(root)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + ElementTree.tostring(root, encoding="unicode") + "\n"


def _totals(cases: list[CaseReport]) -> dict[str, Any]:
    outcomes = Counter(OUTCOME.get(one.verdict) for one in cases)
    return {
        "tests": str(len(cases)),
        "failures": str(outcomes["failure"]),
        "errors": str(outcomes["error"]),
        "time": _seconds(sum(one.seconds or 0 for one in cases)),
    }


def _suite(optimizer: str, cases: list[CaseReport], report: VerifyDocument) -> ElementTree.Element:
    skipped = sum(OUTCOME.get(one.verdict) == "skipped" for one in cases)
    suite = ElementTree.Element("testsuite", name=optimizer, **_totals(cases), skipped=str(skipped))
    properties = ElementTree.SubElement(suite, "properties")
    for name, value in report.environment.items():
        ElementTree.SubElement(properties, "property", name=name, value=in_words(value))
    for one in cases:
        if one.verdict == "known":
            ElementTree.SubElement(properties, "property", name=f"known: {one.id}", value=one.text)
        suite.append(_case(one))
    return suite


def _case(one: CaseReport) -> ElementTree.Element:
    classname = f"{one.optimizer}.{one.implementation}.{one.dtype}"
    case = ElementTree.Element("testcase", classname=classname, name=one.id, time=_seconds(one.seconds or 0))
    if one.verdict in OUTCOME:
        outcome = ElementTree.SubElement(case, OUTCOME[one.verdict])
        outcome.set("type", one.verdict)
        outcome.set("message", next(iter(one.text.splitlines()), one.verdict))
        outcome.text = _story(one)
    elif one.verdict == "undecidable":
        ElementTree.SubElement(case, "system-out").text = f"undecidable: {_story(one)}"
    return case


def _story(one: CaseReport) -> str:
    lines = [one.text, f"decided by: {one.check}" if one.check else ""]
    lines.append(f"error ÷ tolerance: {number(one.share)}" if one.share is not None else "")
    lines.append(f"rerun: {one.rerun}" if one.rerun else "")
    return "\n".join(line for line in lines if line)


def _seconds(value: float) -> str:
    return f"{value:.3f}"
