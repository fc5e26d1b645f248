"""The page of trainers is what the committed result says, and what was measured is read rightly."""

from __future__ import annotations

import ast
import importlib
import importlib.util
import json
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

import parity
from benchmarks.trainers.measure import probes
from benchmarks.trainers.options import FOLDER, OPTIONS, REMARKS, TRAINERS, Trainer
from benchmarks.trainers.programs import reading

ROOT = Path(__file__).parents[1]
PROGRAMS = FOLDER / "programs"


@pytest.fixture(scope="module")
def page() -> ModuleType:
    """The script that writes the page."""
    return importlib.import_module("benchmarks.trainers.page")


def test_the_page_is_what_the_committed_result_says(page: ModuleType) -> None:
    document = json.loads(page.RESULTS.read_text(encoding="utf-8"))
    assert page.PAGE.read_text(encoding="utf-8") == page.page(document)


def test_the_result_has_each_run_once_and_every_check_agrees_with_an_experiment_or_says_why(page: ModuleType) -> None:
    runs = json.loads(page.RESULTS.read_text(encoding="utf-8"))["runs"]
    keys = [(run["trainer"], run.get("probe"), run.get("check")) for run in runs]
    probes = {(trainer.program, option.probe, None) for trainer in TRAINERS for option in OPTIONS}
    checks = {(trainer.program, None, option.id) for trainer in TRAINERS for option in OPTIONS if option.experiments}
    assert len(keys) == len(set(keys)) and set(keys) == probes | checks
    assert [run for run in runs if "error" in run] == []
    assert [run for run in runs if any(tried["verdict"] == "error" for tried in run.get("tried", ()))] == []


def test_every_remark_and_every_experiment_is_of_a_row() -> None:
    rows = {(option.id, trainer.program) for option in OPTIONS for trainer in TRAINERS}
    assert set(REMARKS) <= rows
    asked = {experiment for option in OPTIONS for experiment in option.experiments}
    assert sorted(asked) == sorted(file.stem for file in (FOLDER / "experiments").glob("*.toml"))
    for name in asked:
        assert parity.load(FOLDER / "experiments" / f"{name}.toml").name == name


@pytest.mark.parametrize("script", sorted(PROGRAMS.glob("*.py")), ids=lambda script: script.stem)
def test_a_program_needs_torch_and_its_trainer_alone(script: Path) -> None:
    tree = ast.parse(script.read_text(encoding="utf-8"))
    imported = [node.module or "" for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)]
    imported += [alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names]
    others = {name.partition(".")[0] for name in imported} - set(sys.stdlib_module_names)
    others -= {"torch", "job", "probe", "reading"}
    own = {trainer.program: trainer.package.removeprefix("pytorch-") for trainer in TRAINERS}
    allowed = {own.get(script.stem, "torch")} | ({"accelerate"} if script.stem == "skorch_net" else set())
    assert others <= allowed


@pytest.mark.slow
@pytest.mark.parametrize("trainer", TRAINERS, ids=lambda trainer: trainer.program)
def test_a_script_measures_what_the_committed_result_says(trainer: Trainer, page: ModuleType) -> None:
    if importlib.util.find_spec(trainer.package.removeprefix("pytorch-")) is None:
        pytest.skip(f"{trainer.package} is not there: pip install -e '.[trainers]'")
    runs = json.loads(page.RESULTS.read_text(encoding="utf-8"))["runs"]
    said = {run["probe"]: run for run in runs if run["trainer"] == trainer.program and "probe" in run}
    for row in probes(trainer, ["accumulation", "clipping-window", "schedule", "decay", "resume"]):
        kept = said[row["probe"]]
        assert {name: row[name] for name in row if name != "seconds"} == {n: kept[n] for n in kept if n != "seconds"}


# -- reading -----------------------------------------------------------------------------------------------------------


def steps(*windows: tuple[list[int], int]) -> dict[str, Any]:
    """The steps of batches with the gradients 4ʲ, each sum divided."""
    return {
        "steps": [
            {"weight": [sum(4.0**j for j in batches) / divisor], "bias": [len(batches) / divisor]}
            for batches, divisor in windows
        ]
    }


WHOLE = [([0, 1, 2], 3), ([3, 4, 5], 3)]
SHORT = {
    "divided by 1: its gradient is the mean's": [*WHOLE, ([6], 1), *WHOLE, ([6], 1)],
    "divided by 3: its gradient is 1/3 of the mean's": [*WHOLE, ([6], 3), *WHOLE, ([6], 3)],
    "of batches 6 0 1, divided by 3": [*WHOLE, ([6, 0, 1], 3), ([2, 3, 4], 3)],
    "of batches 6 0 1 2, divided by 3: 4/3 of the mean's": [*WHOLE, ([6, 0, 1, 2], 3), WHOLE[1]],
    "makes no step: its gradient is dropped": [*WHOLE, *WHOLE],
    "no pattern that has a name": [*WHOLE, ([6], 5)],
}


@pytest.mark.every_case
@pytest.mark.parametrize("said", SHORT)
def test_what_a_short_window_is_divided_by_is_read_from_its_step(said: str) -> None:
    assert reading.short_window(steps(*SHORT[said])).endswith(said)


def test_where_windows_end_is_read_from_the_batches_of_all_steps() -> None:
    own = reading.across_epochs(steps(*SHORT["divided by 1: its gradient is the mean's"]))
    assert own == "each epoch begins a window of its own: steps of batches 0 1 2, 3 4 5, 6, 0 1 2, 3 4 5, 6"
    over = reading.across_epochs(steps(*SHORT["of batches 6 0 1, divided by 3"]))
    assert over.startswith("windows go on in the next epoch") and over.endswith("at the end batches 5 6 made no step")
    added = reading.across_epochs(steps(*SHORT["of batches 6 0 1 2, divided by 3: 4/3 of the mean's"]))
    assert "to which the rest of the one before is added" in added and added.endswith("at the end batch 6 made no step")


def test_the_rows_of_two_ranks_are_read_with_their_divisor() -> None:
    in_turn = reading.dealt(steps(([0, 1], 2), ([2, 3], 2), ([4, 5], 2), ([6, 0], 2)))
    assert in_turn == "the mean over the ranks; steps of rows 0+1, 2+3, 4+5, 0+6; of 7 rows, row 0 counts twice"
    summed = reading.dealt(steps(([0, 4], 1), ([3, 5], 1), ([2, 6], 1)))
    assert summed.startswith("the sum over the ranks") and "shuffled" in summed and summed.endswith("row 1 is left out")


def test_clipping_is_read_by_the_factor_of_each_number() -> None:
    weight, bias = (5.0, 0.5), 1.0
    norm = (26.25) ** 0.5

    def read(first: float, second: float) -> str:
        return reading.clipped({"steps": [{"weight": [g * first for g in weight], "bias": [bias * second]}]})

    assert "is not clipped" in read(1, 1)
    assert read(1 / norm, 1 / norm).endswith("all parameters together, divided by the norm")
    assert read(1 / (norm + 1e-6), 1 / (norm + 1e-6)).endswith("divided by the norm + 10⁻⁶")
    assert read(1 / 25.25**0.5, 1).endswith("each parameter for itself")
    assert read(0.5, 0.1).endswith(reading.NO_PATTERN)


@pytest.mark.parametrize(("powers", "said"), [((0, 0, 1, 1), "after each epoch"), ((0, 1, 1, 3), reading.NO_PATTERN)])
def test_rates_are_read_as_powers_of_a_half(powers: tuple[int, ...], said: str) -> None:
    assert reading.rates(reading.RATES)({"steps": [{"weight": [0.5**k]} for k in powers]}).endswith(said)


def test_a_resume_that_loses_its_momentum_is_not_read_as_none() -> None:
    whole = [{"weight": [value]} for value in (1.0, 0.75, 0.4375, 0.234375)]
    kept = reading.resumed({"steps": whole, "again": whole[2:]})
    lost = reading.resumed({"steps": whole, "again": [{"weight": [0.25]}, {"weight": [0.1875]}]})
    assert "momentum and rate are kept" in kept and lost.endswith("without interruption 0.4375, 0.234375")
