"""What the terminal prints of a matrix: verdicts, coverage and failures, and no markup of theirs."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import junitparser
from rich.console import Console

from parity.features.verify.heatmap import draw
from parity.features.verify.junit import to_junit
from parity.features.verify.page import to_html
from parity.features.verify.terminal import SHOWN, print_matrix
from tests.parity.verify.reports import few, odd


def printed(document: dict[str, Any], width: int = 100) -> str:
    stream = io.StringIO()
    print_matrix(document, Console(file=stream, width=width))
    return stream.getvalue()


def test_the_terminal_counts_the_verdicts_and_says_the_coverage(big: dict[str, Any]) -> None:
    lines = printed(big).splitlines()
    assert "6,000 of 11,250" in next(line for line in lines if line.startswith("coverage:"))
    assert all(f"{count:,} {verdict}" in lines[-1] for verdict, count in big["counts"].items())
    assert next(line for line in lines if " SGD " in line).split()[1:] == ["∞", "K"] * 5


def test_the_terminal_tells_of_empty_combinations_without_a_reason(big: dict[str, Any]) -> None:
    rows = [row | {"reason": None} for row in big["coverage"]["rows"]]
    assert "5,250 of them without a reason" in printed(big | {"coverage": {"rows": rows}})


def test_the_terminal_shows_each_failure_with_its_text_and_command() -> None:
    document = few()
    text = printed(document)
    for one in document["cases"]:
        shown = one["verdict"] in ("disagree", "fixed", "error")
        assert (f"{one['verdict']} {one['id']}: {one['text']}" in text) == shown
        assert (f"rerun with: {one['rerun']}" in text) == shown


def test_the_terminal_stops_after_twenty_failures_and_says_how_many_more() -> None:
    text = printed(few(*["disagree"] * 1_500))
    assert text.count("rerun with:") == SHOWN == 20
    assert "1,480 more" in text


def test_the_terminal_takes_no_text_for_markup_or_for_a_command() -> None:
    text = printed(odd(), width=10_000)
    assert text.count("[bold]λ[/]") == text.count("<!--") > 9 and "\x1b" not in text


def test_an_empty_matrix_has_its_reports_too(tmp_path: Path) -> None:
    nothing = few() | {"cases": [], "counts": {}}
    assert "0 cases" in to_html(nothing)
    assert junitparser.JUnitXml.fromstring(to_junit(nothing).encode()).tests == 0
    assert draw(nothing, tmp_path / "map.png").exists()
    assert "0 cases" in printed(nothing)
