"""``benchmarks.power``: what is published is what was measured."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmarks.power import run as running
from benchmarks.power.__main__ import app
from benchmarks.power.case import Result, RightCause, Trial
from benchmarks.power.document import change, percent, read
from benchmarks.power.files import to_json
from benchmarks.power.heatmap import picture
from benchmarks.power.mutants import MUTANTS
from benchmarks.power.page import to_markdown
from benchmarks.power.plan import DTYPES, EXPERIMENTS, plan
from benchmarks.power.run import EARLIER, RESULTS, exit_code, power
from benchmarks.power.summary import document
from parity.cli import end
from parity.errors import InputError
from tests.parity.power_results import result

ROOT = Path(__file__).parents[2]
PUBLISHED = ROOT / "benchmarks" / "results" / "power.json"
BLIND = PUBLISHED.with_name("blind.json")


@pytest.fixture(scope="module")
def quick(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of one ``python -m benchmarks.power --quick``."""
    folder = tmp_path_factory.mktemp("power")
    assert end(app, ["--quick", "--dtype", "float64", "--jobs", "2", "--out", str(folder)]) == 0
    return folder


# -- the command --------------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_quick_raises_no_alarm_catches_all_and_writes_document_page_and_picture(quick: Path) -> None:
    found = read(json.loads((quick / "report.json").read_text(encoding="utf-8")))
    assert (found.alarms, found.errors) == ([], [])
    assert all("/bfloat16/" in one.id for one in found.uncaught)  # what is promised is of float64 and float32
    assert all(case.caught for case in found.singles) and found.mutants >= 9
    assert {row.experiment for row in found.correct} == set(EXPERIMENTS)
    assert (quick / "power.md").read_text(encoding="utf-8").startswith("# The power of the judge")
    assert (quick / "images" / "power-heatmap.png").read_bytes().startswith(b"\x89PNG")
    assert len((quick / RESULTS).read_text(encoding="utf-8").splitlines()) == len(plan(["float64"], quick=True))


@pytest.mark.slow
def test_an_interrupted_measurement_goes_on_where_it_was(
    quick: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(running, "work_all", lambda *given: map(given[2], given[0]))  # in this process
    cases = plan(["float64"], quick=True)
    lines = (quick / RESULTS).read_text(encoding="utf-8").splitlines()
    by_id = {case.id: line for case in cases for line in lines if measured(line) == case}
    first, *rest = cases
    kept = [by_id[case.id] for case in rest]
    (tmp_path / RESULTS).write_text("\n".join([*kept, by_id[first.id][:50]]) + "\n", encoding="utf-8")
    seen: list[Counter[str]] = []
    found = power(cases, folder=tmp_path, resume=True, progress=lambda counts, _: seen.append(counts.copy()))
    assert [sum(counts.values()) for counts in seen] == [len(rest), len(cases)]
    assert json.loads(to_json(found)) == json.loads((quick / "report.json").read_text(encoding="utf-8"))


def measured(line: str) -> Trial:
    case = json.loads(line)["case"]
    return Trial(**{**case, "faults": tuple(case["faults"])})


def test_a_new_measurement_keeps_the_earlier_one_and_another_torch_is_not_mixed_in(tmp_path: Path) -> None:
    (tmp_path / RESULTS).write_text("earlier\n", encoding="utf-8")
    power([], folder=tmp_path, progress=lambda *_: None)
    assert (tmp_path / EARLIER).read_text(encoding="utf-8") == "earlier\n"
    result = {"case": {"kind": "correct", "experiment": "check-sgd", "dtype": "float64", "faults": []}, "cause": None}
    line = json.dumps({**result, "outcome": "quiet", "unseen": [], "torch": "1.0"})
    (tmp_path / RESULTS).write_text(line + "\n", encoding="utf-8")
    with pytest.raises(InputError, match=r"holds results of torch 1\.0, not .*; choose --out anew"):
        power(plan(DTYPES, quick=True), folder=tmp_path, resume=True, progress=lambda *_: None)


WORDS = [
    (["--dtype", "float16"], "--dtype float16: unknown; allowed: float64, float32, bfloat16, all"),
    (["--resume"], "--resume: needs the folder of the run to go on with; give --out"),
]


@pytest.mark.parametrize(("words", "message"), WORDS, ids=[" ".join(words) for words, _ in WORDS])
def test_words_that_make_no_sense_are_refused_in_one_line(
    words: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert end(app, [*words]) == 2
    assert capsys.readouterr().err.startswith(f"parity: {message}")


# -- what is said of it -------------------------------------------------------------------------------------------

EXITS = [
    (["quiet"], 0),
    (["quiet", ("named", "lr-halved"), ("caught", "lr-other")], 0),
    ([("undecidable", "lr-other", "bfloat16"), ("equal", "lr-halved", "bfloat16")], 0),
    ([("undecidable", "lr-other", "float32")], 1),
    ([("missed", "lr-other", "bfloat16")], 1),
    (["alarm"], 1),
    (["error", ("named", "lr-other")], 2),
    (["error", "alarm"], 1),
]


@pytest.mark.parametrize(("outcomes", "code"), EXITS, ids=range(len(EXITS)))
def test_the_exit_code_is_1_on_an_alarm_or_an_uncaught_mutant_and_2_on_an_error(outcomes: list[Any], code: int) -> None:
    made = []
    for one in outcomes:
        outcome, *rest = one if isinstance(one, tuple) else (one,)
        made.append(result(outcome, *rest[:1], dtype=rest[1] if rest[1:] else "float32"))
    assert exit_code(document(made)) == code


def one_of_each() -> Iterator[Result]:
    missing = RightCause(named=0, rank=None, place=None, size=1, findings=("lr-halved",))
    one = RightCause(named=1, rank=2, place=4, size=2, findings=("lr-other", "maximize"))
    yield result("named", "lr-halved")
    yield result("caught", "lr-other", cause=missing)
    yield result("undecidable", "maximize", dtype="bfloat16", checks={"weight": 0.5})
    yield result("named", "lr-halved", "full-batch", checks={"steps": np.inf})
    yield result("caught", "lr-other", "full-batch", cause=one)
    yield result("caught", "maximize", "full-batch", cause=missing)
    yield Result(
        case=Trial(kind="smallest", experiment="check-sgd", dtype="float32"),
        outcome="measured",
        smallest={"lr": 3.21e-7, "eps": None},
    )


def test_rates_are_of_what_was_caught() -> None:
    found = read(json.loads(to_json(document(list(one_of_each())))))
    single, narrow = found.caught
    assert (single.caught, single.first, single.mutants, single.mutants_named) == (2, 1, 2, 1)
    assert (narrow.cases, narrow.caught, narrow.undecidable) == (1, 0, 1)
    (double,) = found.pairs
    assert (double.caught, double.first, double.classes, double.explanations) == (3, 1, 2, 1)
    assert (double.one, double.none, double.largest_size) == (1, 1, 2)


def test_the_page_lists_what_was_not_named_and_what_cannot_be_seen() -> None:
    page = to_markdown(document(list(one_of_each())))
    assert "* `lr-other` (check-sgd, float32): found `lr-halved`\n" in page
    assert "* `maximize`: undecidable in bfloat16 on check-sgd\n" in page
    assert "* `maximize` + `full-batch` (check-sgd, float32): found `lr-halved`\n" in page
    assert "| check-sgd | lr | 3.2e-7 |\n| check-sgd | eps | undecidable |\n" in page


def test_the_picture_has_a_line_for_each_mutant_and_marks_the_causes() -> None:
    axes = picture(read(document(list(one_of_each())))).axes
    labels = [label.get_text() for label in axes[0].get_yticklabels()]
    assert labels == ["optimizers", "lr-halved", "lr-other", "maximize"]
    texts = [[text.get_text() for text in axis.texts] for axis in axes[:2]]
    assert texts == [["1", "1", "", "✓", "0/1", ""], ["", "", "", "–"]]


@pytest.mark.parametrize(("part", "whole", "text"), [(1, 3, "33.3 %"), (999, 1000, "99.9 %"), (5, 5, "100 %")])
def test_a_rate_is_never_rounded_up(part: int, whole: int, text: str) -> None:
    assert percent(part, whole) == text


@pytest.mark.parametrize(
    ("delta", "text"), [(None, "undecidable"), (1.16e-16, "1.2e-16"), (2e-5, "2.0e-5"), (0.0678, "0.068"), (0.5, "0.5")]
)
def test_a_change_is_said_with_two_digits(delta: float | None, text: str) -> None:
    assert change(delta) == text


def test_a_document_of_another_shape_is_refused() -> None:
    with pytest.raises(InputError, match=r"not a document of benchmarks\.power, schema 1 or 2"):
        read({"schema": 3})


def test_faults_written_blind_are_counted_by_kind_and_each_is_shown() -> None:
    fault = {"name": "a", "kind": "class", "true": "β | γ", "said": "β", "caught": True, "right": True}
    blind = {
        "date": "2026-01-02",
        "cases": [fault, fault | {"right": False}],
        "sealed": [[fault | {"caught": False, "right": False}]],
    }
    page = to_markdown(document(list(one_of_each())), blind)
    assert "| known while the names were written | class | 2 | 2 | 1 | 50 % |" in page
    assert "| sealed set 1, scored once | class | 1 | 0 | 0 | 0 % |" in page
    assert "| a | β \\| γ | β | yes |" in page and "| a | β \\| γ | β | not caught |" in page
    with pytest.raises(InputError, match="not a document of faults written blind"):
        to_markdown(document(list(one_of_each())), {"date": "2026-01-02", "cases": [{"name": "a"}]})


# -- what is published --------------------------------------------------------------------------------------------


def test_the_page_is_made_of_the_published_document() -> None:
    published = json.loads(PUBLISHED.read_text(encoding="utf-8"))
    blind = json.loads(BLIND.read_text(encoding="utf-8")) if BLIND.exists() else None
    assert (ROOT / "docs" / "power.md").read_text(encoding="utf-8") == to_markdown(published, blind)
    assert PUBLISHED.read_text(encoding="utf-8") == to_json(published)


def test_the_published_measurement_reaches_what_was_promised() -> None:
    found = read(json.loads(PUBLISHED.read_text(encoding="utf-8")))
    assert (found.alarms, found.errors) == ([], [])
    assert all("/bfloat16/" in one.id for one in found.uncaught)  # what is promised is of float64 and float32
    assert sum(row.runs for row in found.correct) >= 400 and {row.experiment for row in found.correct} <= set(
        EXPERIMENTS
    )
    assert found.mutants >= 60 and {case.faults[0] for case in found.singles} <= set(MUTANTS)
    assert len(found.doubles) >= 100 and found.dtypes == list(DTYPES)
    for rates in found.caught:
        if rates.dtype != "bfloat16":
            assert rates.caught == rates.cases and rates.first >= 0.95 * rates.caught
    for rates in found.pairs:
        assert rates.classes >= 0.8 * rates.cases  # the search over simulated causes named both in 0.88 of the pairs
    links = re.findall(r"\]\((images/[^)]+)\)", (ROOT / "docs" / "power.md").read_text(encoding="utf-8"))
    assert links and all((ROOT / "docs" / link).exists() for link in links)
