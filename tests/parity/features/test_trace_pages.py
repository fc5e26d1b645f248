"""The pages and the command of a trace have the numbers of the trace, and the documentation shows what they print."""

from __future__ import annotations

import re
import shlex
from dataclasses import replace
from html import unescape
from pathlib import Path
from typing import Any

import pytest

from parity import gallery
from parity.cli import main
from parity.errors import InputError
from parity.experiment import Experiment
from parity.experiment_file import load
from parity.features.trace.content import Line, Trace
from parity.features.trace.page import to_html, to_markdown
from parity.features.trace.run import trace
from refimpl.optimizers import Adam
from refimpl.penalties import L1


def small(**changes: Any) -> Experiment:
    """Two features and four rows a batch, so that no sum is cut short."""
    return replace(load(gallery.find("s1-xor")[0]), **changes)


def all_lines(found: Trace) -> list[Line]:
    return [line for step in found.steps for section in step.sections for line in section.lines]


def test_markdown_and_html_have_the_same_numbers() -> None:
    found = trace(small(optimizer=Adam(lr=0.1)), steps=2)
    markdown, html = to_markdown(found), to_html(found)
    cells = [[c.strip() for c in row.strip("|").split(" | ")] for row in markdown.splitlines() if row.startswith("|")]
    lines = [row for row in cells if len(row) == 6 and row[1] not in ("formula", ":--") and row[0] != "row"]
    lines = [row for row in lines if not row[0].startswith(":")]
    shown = re.findall(r'<div class="line">(.*?)</dl>', html, flags=re.DOTALL)
    assert len(shown) == len(lines) == len(all_lines(found))
    for (_, _, in_numbers, *values), block in zip(lines, shown, strict=True):
        text = unescape(re.sub(r"<[^>]+>", "", block.split('class="numbers">')[1].split("</div>")[0]))
        assert text.strip().removeprefix("= ") == in_numbers
        assert re.findall(r"<dd>(.*?)</dd>", block) == [value for value in values if value.strip("| ")]
    rows = re.findall(r"<tr[^>]*>((?:<td>.*?</td>)+)</tr>", html)
    tables = [[cell.strip("| ") for cell in row] for row in cells if re.fullmatch(r"\d+", row[0])]
    assert [re.findall(r"<td>(.*?)</td>", row) for row in rows] == tables


def test_the_html_page_needs_nothing_else() -> None:
    html = to_html(trace(small(), steps=1))
    assert not re.search(r"https?:|src=|<script|<link|@import|url\(", html)
    assert "prefers-color-scheme: dark" in html
    assert 'name="viewport"' in html


def test_the_command_writes_both_pages_and_prints_the_numbers(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["trace", "s1-xor", "--steps", "1", "--row", "1", "--out", str(tmp_path / "new")]) == 0
    shown = capsys.readouterr().out
    assert "w₁ = w₀ − η·g" in shown
    assert sorted(path.name for path in (tmp_path / "new").iterdir()) == ["trace.html", "trace.md"]
    (value,) = (line.value for line in all_lines(trace(small(), steps=1)) if line.symbol == "w₁")
    assert str(value) in shown
    assert str(value) in (tmp_path / "new" / "trace.md").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--steps", "0"], "--steps 0: s1-xor has 100 steps; give 1 to 100"),
        (["--steps", "101"], "--steps 101: s1-xor has 100 steps; give 1 to 100"),
        (["--row", "4"], "--row 4: counts the rows of a batch, of which the smallest here has 4; give 0 to 3"),
        (["--row", "-1"], "give 0 to 3"),
        (["--parameter", "weigth[0]"], "allowed: weight[0] to weight[1], bias[0]; did you mean 'weight'?"),
        (["--parameter", "weight"], "names no single element; allowed: weight[0] to weight[1]"),
        (["--parameter", "weight[2]"], "allowed: weight[0] to weight[1]"),
        (["--parameter", "weight[0][2]"], "allowed: weight[0] to weight[1]"),
        (["--parameter", "[0]"], "no such parameter"),
        (["--dtype", "float31"], "did you mean 'float32'?"),
        (["--formulation", "los"], "did you mean 'loss'?"),
        (["--out", "/dev/null/here"], "choose another folder with --out"),
    ],
)
def test_bad_words_give_one_line_and_code_2(words: list[str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["trace", "s1-xor", "--steps", "1", *words]) == 2
    captured = capsys.readouterr()
    assert said in captured.err
    assert captured.err.count("\n") == 1
    assert captured.out == ""


def test_a_page_that_cannot_be_written_is_said_before_the_work(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "trace.html").mkdir()
    monkeypatch.setattr("parity.features.trace.run.trace", lambda *_, **__: pytest.fail("the work began"))
    assert main(["trace", "s1-xor", "--out", str(tmp_path)]) == 2
    assert "trace.html: cannot be written" in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["trace.html"]


@pytest.mark.parametrize("word", ["weight[1]", "weight[0][1]", "weight[0, 1]", " weight[ 0 ][ 1 ] "])
def test_an_element_is_named_by_its_count_or_by_torchs_index(word: str) -> None:
    assert trace(small(), steps=1, parameter=word).element == "weight[1]"


def test_a_penalty_without_a_place_in_the_formulation_is_refused_in_one_line() -> None:
    with pytest.raises(InputError, match="weight_decay cannot express L1"):
        trace(small(penalties=(L1(strength=0.1),)), steps=1, formulation="weight_decay")


# -- the documentation -----------------------------------------------------------------------------------------------

PAGE = Path(__file__).parents[3] / "docs" / "trace.md"


def test_the_example_of_the_documentation_is_what_its_command_gives() -> None:
    found = to_markdown(trace(load(gallery.find("probe-exact")[0]), steps=2, row=1))
    assert found.split("## Step 2\n")[1].strip() in PAGE.read_text(encoding="utf-8")


def test_the_commands_of_the_documentation_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    commands = re.findall(r"^parity (trace .*?)(?: +#.*)?$", PAGE.read_text(encoding="utf-8"), flags=re.MULTILINE)
    assert len(commands) == 4
    assert [main(shlex.split(command)) for command in commands] == [0] * 4
    assert (tmp_path / "paper" / "trace.html").exists()
