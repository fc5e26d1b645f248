"""The JUnit file of a matrix: a reader finds every case with its outcome, and no element that JUnit lacks."""

from __future__ import annotations

import re
from collections import Counter
from typing import Any
from xml.etree import ElementTree

import junitparser
import pytest

from parity.features.verify.junit import to_junit
from tests.parity.verify.reports import CLEAN, OPTIMIZERS, few, make, odd


def test_a_junit_reader_finds_one_suite_per_optimizer_with_its_outcomes(many: dict[str, Any]) -> None:
    suites = list(junitparser.JUnitXml.fromstring(to_junit(many).encode()))
    assert [suite.name for suite in suites] == list(OPTIMIZERS)
    for suite in suites:
        mine = [c for c in many["cases"] if c["optimizer"] == suite.name]
        tally = Counter(c["verdict"] for c in mine)
        assert [suite.tests, suite.failures] == [len(mine), tally["disagree"] + tally["fixed"]]
        assert [suite.errors, suite.skipped] == [tally["error"], tally["unsupported"]]
        assert [one.name for one in suite] == [c["id"] for c in mine]
        assert suite.time == pytest.approx(sum(c["seconds"] for c in mine), abs=1e-3)


def test_each_verdict_has_its_junit_outcome_with_the_text_and_the_command() -> None:
    document = few()
    (suite,) = junitparser.JUnitXml.fromstring(to_junit(document).encode())
    for one, want in zip(suite, document["cases"], strict=True):
        outcome = {
            "disagree": junitparser.Failure,
            "fixed": junitparser.Failure,
            "error": junitparser.Error,
            "unsupported": junitparser.Skipped,
        }.get(want["verdict"])
        assert [type(result) for result in one.result] == ([outcome] if outcome else [])
        for result in one.result:
            assert (result.type, result.message) == (want["verdict"], want["text"])
            assert want["text"] in result.text and want["rerun"] in result.text
        assert bool(one.system_out) == (want["verdict"] == "undecidable")
        assert want["verdict"] != "undecidable" or want["text"] in one.system_out
    known = next(c for c in document["cases"] if c["verdict"] == "known")
    assert {p.name: p.value for p in suite.properties()} == {"torch": "2.13.0", f"known: {known['id']}": known["text"]}


# Of each element: its children, the attributes that it must have, those that it may have (after Jenkins' junit-10.xsd).
SCHEMA: dict[str, tuple[set[str], set[str], set[str]]] = {
    "testsuites": ({"testsuite"}, set(), {"name", "time", "tests", "failures", "errors"}),
    "testsuite": (
        {"properties", "testcase", "system-out", "system-err"},
        {"name", "tests", "failures", "errors"},
        {"time", "skipped", "timestamp", "hostname", "id", "package"},
    ),
    "properties": ({"property"}, set(), set()),
    "property": (set(), {"name", "value"}, set()),
    "testcase": ({"skipped", "error", "failure", "system-out"}, {"name"}, {"time", "classname"}),
    **dict.fromkeys(("skipped", "error", "failure"), (set[str](), set[str](), {"type", "message"})),
    "system-out": (set(), set(), set()),
}


@pytest.mark.parametrize("document", [make(300), odd()], ids=["many", "odd"])
def test_junit_has_the_elements_and_attributes_of_the_common_schema_only(document: dict[str, Any]) -> None:
    for element in ElementTree.fromstring(to_junit(document)).iter():
        children, required, optional = SCHEMA[element.tag]
        assert {child.tag for child in element} <= children
        assert required <= set(element.attrib) <= required | optional
        assert re.fullmatch(r"\d+\.\d{3}", element.get("time", "0.000"))


def test_odd_characters_come_back_from_a_junit_reader() -> None:
    (suite,) = junitparser.JUnitXml.fromstring(to_junit(odd()).encode())
    assert suite.name == CLEAN
    failure = next(result for one in suite for result in one.result)
    assert CLEAN in failure.text and failure.message == CLEAN.splitlines()[0]
