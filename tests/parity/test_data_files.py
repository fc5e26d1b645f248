"""Commands on the user's own data: read once, watched for changes, and as the page on experiment files shows it."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import parity
from parity.cli import main
from parity.features.run import estimate as module
from parity.features.run.estimate import estimate
from refimpl.datasets import Gaussian, files
from refimpl.errors import ParameterError

PAGE = Path(__file__).parents[2] / "docs" / "experiments.md"
MINE = """
epochs = 2
data = { kind = "file", path = "rows.csv", validation_fraction = 0.25, standardise = true }
loss = { factor = 1.0, reduction = "mean" }
optimizer = { kind = "sgd", lr = 0.01 }
"""
ROWS = "a,b,y\n1,2,3\n2,5,1\n4,4,4\n0,1,2\n"
RUN = ["run", "mine.toml", "--dtype", "all", "--formulation", "loss", "--device", "cpu", "--out", "out"]


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "mine.toml").write_text(MINE)
    (tmp_path / "rows.csv").write_text(ROWS)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("parity.features.run.pictures.draw_all", lambda *_: [])
    return tmp_path


@pytest.mark.parametrize(
    "words", [RUN, ["trace", "mine.toml", "--steps", "1"], ["sweep", "mine.toml", "--strength", "0,1", "--out", "out"]]
)
@pytest.mark.usefixtures("place")
def test_a_command_reads_a_data_file_once(words: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    reads: list[str] = []
    read = files.read_source

    def counted(path: str, allowed: str) -> Any:
        reads.append(path)
        return read(path, allowed)

    monkeypatch.setattr(files, "read_source", counted)
    if words[0] == "sweep":
        Path("mine.toml").write_text(MINE + 'penalties = [{ kind = "l2", strength = 1.0 }]\n')
    assert main(words) == 0
    assert reads == ["rows.csv"]


@pytest.mark.parametrize(
    "change",
    [
        lambda file: file.write_text(ROWS + "9,9,9\n"),
        *(pytest.param(other, marks=pytest.mark.slow) for other in (Path.unlink, Path.touch)),
    ],
)
def test_a_data_file_that_changes_while_a_command_runs_is_said_and_the_rows_that_were_read_are_judged(
    change: Any, place: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from parity.features.run import run as runs

    run_reference = runs.run_reference

    def changed(*given: Any) -> Any:
        change(place / "rows.csv")
        return run_reference(*given)

    monkeypatch.setattr(runs, "run_reference", changed)
    assert main(RUN) == 0
    said = capsys.readouterr().err
    assert said.count("parity: rows.csv: has changed since it was read") == (change is not Path.touch)


def test_time_and_memory_are_said_before_long_work_only(monkeypatch: pytest.MonkeyPatch) -> None:
    short = replace(parity.load("check-sgd"), epochs=50)
    assert estimate(short, short.draw(), 6) == ""
    monkeypatch.setattr(module, "LONG", 0.0)
    said = estimate(short, short.draw(), 6)
    assert re.fullmatch(r"check-sgd: at least \d+ min and about [\d.e-]+ GiB of memory: 6 runs of \d+ steps.*", said)


def test_a_record_that_does_not_fit_into_memory_is_refused_before_anything_runs(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    experiment = replace(parity.load("check-sgd"), data=Gaussian(train_rows=10, features=1000), epochs=100)
    monkeypatch.setattr("parity.experiment.memory", lambda: 2**20)
    with pytest.raises(
        ParameterError, match=r"^epochs: given 100: 200 steps, whose record takes .* GiB; .* fewer epochs"
    ):
        experiment.draw()


@pytest.mark.usefixtures("place")
def test_the_example_of_the_page_loads_and_runs(capsys: pytest.CaptureFixture[str]) -> None:
    section = PAGE.read_text(encoding="utf-8").split("## Data files")[1]
    table, text = (
        re.findall(rf"```{language}\n(.*?)```", section, flags=re.DOTALL)[0] for language in ("text", "toml")
    )
    Path("houses.csv").write_text(table, encoding="utf-8")
    Path("houses.toml").write_text(text, encoding="utf-8")
    assert main(["run", "houses.toml", "--dtype", "float64", "--device", "cpu", "--out", "out"]) == 0
    assert "4 training rows of 2 features" in capsys.readouterr().out
