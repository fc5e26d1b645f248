"""``benchmarks.power``: what it counts is what happened, and what is published is what was measured."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

import parity
from benchmarks.power import measure as measuring
from benchmarks.power import run as running
from benchmarks.power.__main__ import app
from benchmarks.power.case import Result, RightCause, Trial
from benchmarks.power.causes import cause
from benchmarks.power.checks import checks
from benchmarks.power.document import change, percent, read
from benchmarks.power.files import to_json
from benchmarks.power.heatmap import picture
from benchmarks.power.measure import measure
from benchmarks.power.mutants import MUTANTS, program
from benchmarks.power.page import to_markdown
from benchmarks.power.plan import DTYPES, EXPERIMENTS, plan
from benchmarks.power.run import EARLIER, RESULTS, exit_code, power
from benchmarks.power.smallest import PRECISION, numbers, smallest_change, smallest_changes
from benchmarks.power.summary import document
from parity.cli import end
from parity.errors import InputError
from parity.explain.diagnosis import diagnose
from parity.features.check.in_process import trajectory_here
from parity.step.design import as_asked
from parity.step.engine import Engine
from parity.step.recording import recording_of

ROOT = Path(__file__).parents[2]
PUBLISHED = ROOT / "benchmarks" / "results" / "power.json"
BLIND = PUBLISHED.with_name("blind.json")
SINGLE = Trial(kind="single", faults=("loss-halved",), experiment="check-sgd", dtype="float32")


@pytest.fixture(scope="module")
def quick(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of one ``python -m benchmarks.power --quick``."""
    folder = tmp_path_factory.mktemp("power")
    assert end(app, ["--quick", "--dtype", "float64", "--jobs", "2", "--out", str(folder)]) == 0
    return folder


def trajectory(experiment: str, dtype: str, **moved: Any) -> Any:
    """A correct run, with a part of it replaced."""
    found, _ = trajectory_here(program(), parity.load(experiment), dtype)
    return replace(found, **{name: change_of(getattr(found, name)) for name, change_of in moved.items()})


# -- what is measured ---------------------------------------------------------------------------------------------


def test_every_mutant_is_planned_on_every_experiment_and_dtype_it_names_and_in_bfloat16() -> None:
    planned = {(case.faults[0], case.experiment, case.dtype) for case in plan(DTYPES) if case.kind == "single"}
    assert planned == {
        (mutant.id, experiment, dtype)
        for mutant in MUTANTS.values()
        for experiment in mutant.experiments
        for dtype in {*mutant.dtypes, "bfloat16"}
    }


def test_a_plan_is_the_same_every_time_names_each_case_once_and_draws_others_for_another_seed() -> None:
    assert plan(DTYPES) == plan(DTYPES)
    ids = [case.id for case in plan(DTYPES)]
    others = [case.id for case in plan(DTYPES, seed=1)]
    assert len(set(ids)) == len(ids)
    assert not set(ids) & set(others)
    pairs = [{case.faults for case in plan(DTYPES, seed=seed) if case.kind == "pair"} for seed in (0, 1)]
    assert len(pairs[0]) == len(pairs[1]) >= 100 and pairs[0] != pairs[1]


def test_quick_has_some_of_each_kind_and_correct_code_of_every_experiment() -> None:
    cases = plan(DTYPES, quick=True)
    assert len(cases) < 40 and {case.kind for case in cases} == {"correct", "single", "pair", "smallest"}
    assert {case.experiment for case in cases if case.kind == "correct"} == set(EXPERIMENTS)
    assert {case.dtype for case in cases} == set(DTYPES)


# -- the checks ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("experiment", ["check-sgd", "check-adam"])
def test_every_check_of_correct_code_is_within_its_tolerance(experiment: str, dtype: str) -> None:
    result = measure(Trial(kind="correct", experiment=experiment, dtype=dtype, seed=3))
    assert result.outcome == "quiet", result.text
    assert set(result.checks) == {"initial", "steps", "weight", "bias", "loss", "links"}
    assert 0 < max(result.checks.values()) <= 1
    assert (result.steps, result.numbers) == (20, 21 * 31)


def bump_first(params: Any) -> Any:
    """Every record of the weight one step of float32 higher at the first."""
    weight = params["weight"].copy()
    weight[0] = np.nextafter(weight[0].astype(np.float32), np.float32(np.inf))
    return {**params, "weight": weight}


def bump_last(params: Any) -> Any:
    bias = params["bias"].copy()
    bias[-1] += 1e-5
    return {**params, "bias": bias}


WRONG = [
    ("initial", {"params": bump_first}),
    ("bias", {"params": bump_last}),
    ("loss", {"loss": lambda loss: loss * (1 + 1e-4)}),
]


@pytest.mark.parametrize(("check", "moved"), WRONG, ids=[name for name, _ in WRONG])
def test_a_check_sees_what_it_is_for_and_the_others_do_not(check: str, moved: Any) -> None:
    experiment, found = parity.load("check-adam"), trajectory("check-adam", "float32", **moved)
    shares = checks(experiment, found, diagnose(experiment, found))
    assert {name for name, share in shares.items() if share > 1} == {check}


def test_a_run_with_other_steps_is_held_to_its_beginning_only() -> None:
    result = measure(replace(SINGLE, faults=("full-batch",)))
    assert result.checks == {"initial": result.checks["initial"], "steps": np.inf}
    assert result.checks["initial"] <= 1 and result.outcome == "named"


# -- the causes ---------------------------------------------------------------------------------------------------


def diagnosed(*classes: list[tuple[str, ...]], beside: tuple[str, ...] = ()) -> Any:
    """A diagnosis with these explanations, and findings that are of none of them."""
    ranked = [(rank, ids) for rank, group in enumerate(classes) for ids in group]
    one = [SimpleNamespace(ids=ids, causes=ids, named=True, fits_loss=rank) for rank, ids in ranked]
    first = one[0].ids if one else ()
    findings = [SimpleNamespace(id=id, alike=()) for id in (*first, *beside)]
    return SimpleNamespace(explanations=one, findings=findings, patterns=())


CAUSES = [
    (("a",), diagnosed([("b",), ("a",)]), (1, 1, 2)),
    (("a",), diagnosed([("b",)], [("a",)]), (0, 2, 2)),
    (("a",), diagnosed([("b",)]), (0, None, None)),
    (("a", "b"), diagnosed([("a", "c"), ("c", "b")], [("d", "a"), ("b", "a")]), (1, 2, 4)),
    (("a", "b"), diagnosed([("b", "a")]), (2, 1, 1)),
    (("a", "b"), diagnosed([("a",)], beside=("b (weight)",)), (2, 1, 1)),
    (("a",), diagnosed(beside=("a (bias)",)), (1, 1, 1)),
    (("a",), diagnosed(), (0, None, None)),
    (("element-never-updated",), diagnosed(beside=("elements-not-updated (weight)",)), (1, 1, 1)),
    (("gradient-noise",), diagnosed(), (0, 1, 1)),
    (("gradient-noise",), diagnosed([("a",)]), (0, None, None)),
]


@pytest.mark.parametrize(("faults", "diagnosis", "expected"), CAUSES, ids=range(len(CAUSES)))
def test_faults_count_as_named_where_one_explanation_has_all_of_them(
    faults: tuple[str, ...], diagnosis: Any, expected: tuple[int, int | None, int | None]
) -> None:
    found = cause(faults, diagnosis)
    assert (found.named, found.rank, found.place) == expected


def test_a_fault_that_changes_no_number_of_a_dtype_is_equal_and_one_below_its_rounding_undecidable() -> None:
    narrow = replace(SINGLE, dtype="bfloat16", faults=("precision-bfloat16-weights",))
    assert measure(narrow).outcome == "equal"
    small = measure(Trial(kind="single", faults=("eps-inside-root",), experiment="check-adam", dtype="bfloat16"))
    assert small.outcome == "undecidable" and max(small.checks.values()) <= 1


def test_a_judge_that_accuses_is_an_alarm_and_one_that_says_nothing_has_missed(monkeypatch: pytest.MonkeyPatch) -> None:
    right = Trial(kind="correct", experiment="check-sgd", dtype="float64")
    honest = diagnose
    monkeypatch.setattr(
        measuring, "diagnose", lambda *given, **more: replace(honest(*given, **more), verdict="disagree")
    )
    alarm = measure(right)
    monkeypatch.setattr(
        measuring, "diagnose", lambda *given, **more: replace(honest(*given, **more), verdict="agree", findings=())
    )
    missed = measure(SINGLE)
    assert (alarm.outcome, missed.outcome) == ("alarm", "missed")
    assert exit_code(document([alarm])) == exit_code(document([missed])) == 1


def test_a_case_that_breaks_is_an_error_with_its_reason() -> None:
    result = measure(replace(SINGLE, faults=("no-such-fault",)))
    assert result.outcome == "error" and "no-such-fault: no such fault" in result.text


# -- the smallest changes -----------------------------------------------------------------------------------------


def predictions(experiment: str, dtype: str) -> Engine:
    return Engine(recording_of(trajectory(experiment, dtype))[0])


NUMBERS = {
    "check-dampening": ["lr", "momentum", "dampening", "L2 strength", "loss factor"],
    "check-adamw-schedule": ["lr", "betas[0]", "betas[1]", "eps", "weight_decay", "schedule gamma", "loss factor"],
    "check-l1": ["lr", "L1 strength", "loss factor"],
}


@pytest.mark.parametrize("experiment", NUMBERS)
def test_every_number_at_work_is_changed_alone_and_once_is_no_change(experiment: str) -> None:
    design = as_asked(parity.load(experiment))
    found = dict(numbers(design))
    assert list(found) == NUMBERS[experiment]
    assert all(change_of(1.0).form == design.form for change_of in found.values())
    texts = {repr(change_of(0.5).form) for change_of in found.values()}
    assert len(texts) == len(found)


def test_the_smallest_change_is_outside_the_tolerance_and_a_smaller_one_inside() -> None:
    design, against = as_asked(parity.load("check-sgd")), predictions("check-sgd", "float32")
    found = smallest_changes(design, against)
    for name, change_of in numbers(design):
        delta = found[name]
        assert delta is not None and 1e-8 < delta < 1e-4
        assert against.share(change_of(1 + delta)) > 1 >= against.share(change_of(1 + delta / PRECISION))


@pytest.mark.slow
def test_torch_with_a_learning_rate_so_much_larger_is_caught_and_with_a_fraction_of_it_is_not() -> None:
    dtype = "float64"
    asked = parity.load("check-momentum")
    times = dict(numbers(as_asked(asked)))["lr"]
    delta = smallest_change(times, predictions("check-momentum", dtype))
    assert delta is not None
    verdicts = []
    for factor in (1 + 4 * delta, 1 + delta / 100):
        optimizer: Any = asked.optimizer
        faster = replace(asked, optimizer=replace(optimizer, lr=optimizer.lr * factor))
        run, _ = trajectory_here(program(), faster, dtype)
        verdicts.append(diagnose(asked, run).verdict)
    assert verdicts == ["disagree", "agree"]


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


def result(outcome: Any, *faults: str, dtype: str = "float32", **parts: Any) -> Result:
    kind: Any = {0: "correct", 1: "single", 2: "pair"}[len(faults)]
    found = RightCause(named=len(faults), rank=1, place=1, size=1, findings=faults)
    case = Trial(kind=kind, faults=faults, experiment="check-sgd", dtype=dtype)
    defaults: dict[str, Any] = {"cause": found if faults else None, "checks": {"initial": 0.0, "weight": 30.0}}
    return Result(case=case, outcome=outcome, **{**defaults, **parts})


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
