"""``benchmarks.power``: what it counts is what happened."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

import parity
from benchmarks.power import measure as measuring
from benchmarks.power.case import Trial
from benchmarks.power.causes import cause
from benchmarks.power.checks import checks
from benchmarks.power.measure import measure
from benchmarks.power.mutants import MUTANTS, program
from benchmarks.power.plan import DTYPES, EXPERIMENTS, plan
from benchmarks.power.run import exit_code
from benchmarks.power.smallest import PRECISION, numbers, smallest_change, smallest_changes
from benchmarks.power.summary import document
from parity.explain.diagnosis import diagnose
from parity.features.check.in_process import trajectory_here
from parity.step.design import as_asked
from parity.step.engine import Engine
from parity.step.recording import recording_of

SINGLE = Trial(kind="single", faults=("loss-halved",), experiment="check-sgd", dtype="float32")


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
