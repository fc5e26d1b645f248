"""Two recorded runs: where they part, what rounding allows, and why they differ."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import parity
from parity.backends.base import Setting
from parity.backends.torch_backend import TorchBackend
from parity.cli import main
from parity.errors import InputError
from parity.experiment import Experiment
from parity.features.compare.compare import compare
from parity.features.compare.words import explained, text_of
from refimpl.trajectory import Trajectory

PAGE = Path(__file__).parents[3] / "docs" / "compare.md"
STEPS = 10
Changed = Callable[..., str]


@cache
def asked(name: str = "check-sgd") -> Experiment:
    """An experiment of the gallery of two epochs, of five steps each."""
    return replace(parity.load(name), epochs=2)


@cache
def run(name: str = "check-sgd", dtype: str = "float64") -> Trajectory:
    return TorchBackend().run(asked(name), Setting(dtype=dtype, formulation="loss"))


@pytest.fixture
def saved(tmp_path: Path) -> Changed:
    """The file of a run, with the weight of one element changed from a step on."""

    def save(
        file: str, name: str = "check-sgd", dtype: str = "float64", *, by: float = 0, step: int = 0, element: int = 0
    ) -> str:
        made = run(name, dtype)
        weight = made.params["weight"].copy()
        weight[step + 1 :, 0, 0, element] *= 1 + by
        replace(made, params={**made.params, "weight": weight}).save(tmp_path / file)
        return str(tmp_path / file)

    return save


def log(path: Path, digits: int = 17, *, start: bool = False, steps: int = STEPS, loss: Any = None) -> str:
    """A log of the run of check-sgd, with the initial weights first or without."""
    made = run()
    losses = made.loss[:, 0] if loss is None else loss
    weights = made.params["weight"][:, 0, 0]
    rows = ["loss," + ",".join(f"weight[{i}]" for i in range(weights.shape[1]))]
    for k in range(-1 if start else 0, steps):
        numbers = [f"{x:.{digits}g}" for x in (losses[max(k, 0)], *weights[k + 1])]
        rows.append(",".join(numbers))
    path.write_text("\n".join(rows))
    return str(path)


# -- without an experiment ---------------------------------------------------------------------------------------------


def test_a_run_and_its_log_in_full_are_the_same(saved: Changed, tmp_path: Path) -> None:
    found = compare(saved("a.npz"), log(tmp_path / "b.csv"))
    assert found.verdict == "agree"
    assert [(one.name, one.numbers, one.share) for one in found.tensors] == [("loss", 10, 0), ("weight", 300, 0)]


def test_one_unit_in_the_last_place_is_found_in_its_step_and_element(saved: Changed) -> None:
    found = compare(saved("a.npz"), saved("b.npz", by=2.0**-52, step=6, element=3))
    assert found.first is not None
    assert (found.first.step, found.first.tensor, found.first.index) == (6, "weight", (0, 3))
    assert 0 < found.first.relative < 3e-16
    assert found.verdict == "disagree"


def test_what_was_written_with_few_digits_is_the_same_as_far_as_it_was_written(saved: Changed, tmp_path: Path) -> None:
    few = log(tmp_path / "few.csv", digits=5)
    found = compare(few, saved("a.npz"))
    assert found.verdict == "agree"
    assert text_of(found) == "all 310 numbers are the same, as far as they were written"
    parted = compare(few, saved("b.npz", by=1e-4, step=2, element=7))
    assert parted.first is not None and (parted.first.step, parted.first.index) == (2, (0, 7))


def test_a_row_of_initial_weights_is_met_by_no_row_of_the_other_run(saved: Changed, tmp_path: Path) -> None:
    with_start, without = log(tmp_path / "a.csv", start=True), log(tmp_path / "b.csv")
    for a, b in ((with_start, without), (without, with_start), (with_start, saved("c.npz"))):
        weight = compare(a, b).tensors[1]
        assert weight.first is None
        assert weight.numbers == 30 * (STEPS + ("c.npz" in b))


def test_a_run_that_ends_early_differs_and_is_said_to_agree_as_far_as_it_goes(tmp_path: Path) -> None:
    found = compare(log(tmp_path / "a.csv"), log(tmp_path / "b.csv", steps=7))
    assert found.verdict == "disagree" and found.first is None
    assert re.match(
        r"A ends after 10 steps, B after 7; as far as both go, all 217 numbers are the same", text_of(found)
    )


def test_a_number_beside_no_number_differs_and_two_of_none_do_not(tmp_path: Path) -> None:
    made = run()
    loss = made.loss.copy()
    for file in ("a.npz", "b.npz"):
        loss[4], loss[5] = np.nan, np.nan if file == "a.npz" else 1.0
        replace(made, loss=loss).save(tmp_path / file)
    found = compare(str(tmp_path / "a.npz"), str(tmp_path / "b.npz"))
    assert found.first is not None and (found.first.tensor, found.first.step) == ("loss", 5)


# -- with an experiment ------------------------------------------------------------------------------------------------


def test_correct_runs_of_two_dtypes_differ_by_what_rounding_allows(saved: Changed) -> None:
    files = saved("a.npz"), saved("b.npz", dtype="float32")
    assert compare(*files).verdict == "disagree"
    found = compare(*files, experiment=asked())
    assert found.verdict == "agree" and found.share < 0.5
    assert [one.verdict for one in found.diagnoses] == ["agree", "agree"]


@pytest.mark.parametrize(
    ("by", "verdict"), [(2.0**-52, "agree"), pytest.param(1e-11, "disagree", marks=pytest.mark.slow)]
)
def test_what_is_more_than_rounding_parts_in_its_step_and_element(saved: Changed, by: float, verdict: str) -> None:
    found = compare(saved("a.npz"), saved("b.npz", by=by, step=6, element=3), experiment=asked())
    assert found.verdict == verdict
    if found.first is not None:
        assert (found.first.step, found.first.tensor, found.first.index) == (6, "weight", (0, 3))


@pytest.mark.usefixtures("few_faults")
def test_the_fault_that_one_run_has_alone_is_said(saved: Changed, tmp_path: Path) -> None:
    found = compare(log(tmp_path / "a.csv", digits=8), saved("b.npz", "check-mse"), experiment=asked())
    assert found.first is not None and (found.first.tensor, found.first.step) == ("loss", 0)
    (line,) = explained(found)
    assert line.startswith("in B alone: the loss is twice what was asked")


def test_a_fault_that_both_runs_have_is_no_difference(saved: Changed) -> None:
    found = compare(saved("a.npz", "check-mse"), saved("b.npz", "check-mse"), experiment=asked())
    assert found.verdict == "agree"
    (line,) = explained(found)
    assert line.startswith("in both: the loss is twice what was asked")


@pytest.mark.usefixtures("few_faults")
def test_losses_that_are_of_two_kinds_are_not_compared(saved: Changed, tmp_path: Path) -> None:
    running = np.cumsum(run().loss[:, 0]) / np.arange(1, STEPS + 1)
    found = compare(saved("a.npz"), log(tmp_path / "b.csv", digits=8, loss=running), experiment=asked())
    assert found.verdict == "agree"
    assert "loss is not compared: it is the loss in A and the mean of every loss so far in B" in found.notes


# -- the command -------------------------------------------------------------------------------------------------------


def test_the_command_ends_as_the_verdict_and_writes_one_document(
    saved: Changed, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    files = saved("a.npz"), saved("b.npz", by=1e-3, step=2)
    assert main(["compare", files[0], files[0]]) == 0
    capsys.readouterr()
    assert main(["compare", *files, "--json", "-", "--out", str(tmp_path / "out")]) == 1
    out, err = capsys.readouterr()
    document = json.loads(out)
    assert json.loads((tmp_path / "out" / "compare.json").read_text()) == document
    assert (document["schema"], document["verdict"], document["checks"]) == (1, "disagree", [])
    assert (document["first"]["tensor"], document["first"]["step"], document["first"]["index"]) == ("weight", 2, [0, 0])
    assert "they part in step 2: weight[0, 0] is" in err.replace("\n", " ")


BAD: dict[str, tuple[str, str]] = {
    "no file": ("nothing.csv", r"nothing\.csv: no such file"),
    "no run": ("code.py", r"code\.py: no recorded run; allowed: \.npz, \.csv, \.jsonl"),
    "a cut file": ("cut.npz", r"cut\.npz: cannot be read as \.npz"),
    "other columns": ("norm.csv", r"nothing is in both runs: .* has loss, weight; .* has norm"),
    "another model": ("two.csv", r"weight of .* has 30 numbers, that of .*two\.csv 2; give two runs of one model"),
}


@pytest.mark.parametrize("what", BAD)
@pytest.mark.every_case
def test_what_cannot_be_compared_is_refused_in_one_line(what: str, tmp_path: Path) -> None:
    name, message = BAD[what]
    texts = {"code.py": "x = 1", "cut.npz": "PK", "norm.csv": "norm\n1\n2\n", "two.csv": "w0,w1\n1,2\n3,4\n"}
    for file, text in texts.items():
        (tmp_path / file).write_text(text)
    with pytest.raises(InputError, match=message):
        compare(log(tmp_path / "a.csv"), str(tmp_path / name))


def test_rows_that_are_not_those_of_the_experiment_are_refused_in_one_line(tmp_path: Path) -> None:
    names = ",".join(f"weight[{i}]" for i in range(30))
    (tmp_path / "a.csv").write_text("\n".join([f"{names},bias", *(["0" + 30 * ",0"] * 22)]))
    with pytest.raises(
        InputError, match=r"a\.csv: has 22 rows; the experiment has 20 steps: give as many, or one more"
    ):
        compare(*[str(tmp_path / "a.csv")] * 2, experiment=parity.load("check-sgd"))


SHOWN = re.compile(r"^```sh\n((?:parity [^\n]*\n)+)```\n\n```text\n(.*?)^```", flags=re.DOTALL | re.MULTILINE)


def lines(text: str) -> list[list[str]]:
    """Words by line, without numbers: their last digits are the processor's."""
    return [re.sub(r"\d[\d.e+-]*", "0", line).split() for line in text.splitlines()]


def test_the_commands_of_the_page_print_what_it_shows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Every line, in order; ``...`` stands for lines that are left out."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("parity.features.run.pictures.draw_all", lambda *_: [])
    examples = SHOWN.findall(PAGE.read_text(encoding="utf-8"))
    assert len(examples) == 3
    for commands, shown in examples:
        for command in commands.splitlines():
            capsys.readouterr()
            code = main(shlex.split(command)[1:])
        assert code == int("disagree: they part" in shown)
        left = iter(lines(capsys.readouterr().out))
        for line in lines(shown):
            assert line == ["..."] or line in left, line


def diverging(path: Path, *losses: str) -> str:
    path.write_text("loss,norm\n1.5,1.25\n" + "".join(f"{loss},{loss}\n" for loss in losses), encoding="utf-8")
    return str(path)


def test_two_runs_that_diverge_alike_agree_and_the_step_is_said(tmp_path: Path) -> None:
    same = ("2.5e300", "inf", "-inf", "nan", "nan")
    a, b = diverging(tmp_path / "a.csv", *same), diverging(tmp_path / "b.csv", *same)
    compared = parity.compare(a, b)
    assert compared.verdict == "agree" and compared.first is None
    assert compared.notes == ("both diverge in step 2: from there on numbers are infinite or nan",)
    assert sum(one.numbers for one in compared.tensors) == 12


@pytest.mark.parametrize("other", ["3.0", "inf", "-inf"])
def test_a_number_beside_nan_is_a_difference(other: str, tmp_path: Path) -> None:
    a, b = diverging(tmp_path / "a.csv", "2.0", "nan"), diverging(tmp_path / "b.csv", "2.0", other)
    first = parity.compare(a, b).first
    assert first is not None and (first.step, first.relative) == (2, np.inf)


def test_a_run_that_diverges_alone_is_named(tmp_path: Path) -> None:
    a, b = diverging(tmp_path / "a.csv", "2.0", "inf"), diverging(tmp_path / "b.csv", "2.0", "3.0")
    assert parity.compare(a, b).notes == ("A diverges in step 2: from there on numbers are infinite or nan",)


def test_a_run_with_nan_disagrees_beside_the_experiment(bench: Any, tmp_path: Path) -> None:
    experiment = bench.experiment()
    run = bench.torch(experiment)
    run.save(tmp_path / "a.npz")
    run.params["weight"][4, 0, 0, 3] = np.nan
    run.save(tmp_path / "b.npz")
    first = parity.compare(tmp_path / "a.npz", tmp_path / "b.npz", experiment).first
    assert first is not None and (first.tensor, first.step, first.index) == ("weight", 3, (0, 3))


@pytest.mark.usefixtures("few_faults")
@pytest.mark.parametrize("norms", [False, True])
def test_logs_that_diverge_are_compared_beside_the_experiment_up_to_there(norms: bool, tmp_path: Path) -> None:
    written = Path(log(tmp_path / "whole.csv")).read_text().splitlines()
    if norms:
        pairs = zip(run().loss[:, 0], run().norm[1:, 0], strict=True)
        written = ["loss,norm", *(f"{loss:.17g},{norm:.17g}" for loss, norm in pairs)]

    def diverged(name: str, step: int, word: str) -> str:
        bad = ",".join([word] * (written[0].count(",") + 1))
        (tmp_path / name).write_text("\n".join([*written[: step + 1], *[bad] * (STEPS - step)]))
        return str(tmp_path / name)

    a, alike = diverged("a.csv", 7, "nan"), diverged("alike.csv", 7, "nan")
    compared = compare(a, alike, asked(), dtype="float64")
    assert compared.verdict == "agree" and compared.ends == (7, 7)
    assert "both diverge in step 7: from there on numbers are infinite or nan" in compared.notes
    for other, step in (("inf", 7), ("nan", 8)):
        compared = compare(a, diverged("other.csv", step, other), asked(), dtype="float64")
        assert compared.first is not None and compared.first.step == 7 and compared.first.share == np.inf
        assert any(f"iverge{'s' * (step == 8)} in step 7" in note for note in compared.notes)
        assert all(one.share <= 1 for one in compared.diagnoses)


def test_a_number_that_no_float_holds_is_bad_input(tmp_path: Path) -> None:
    a = diverging(tmp_path / "a.csv", "1e400")
    with pytest.raises(parity.InputError, match="line 3: loss is '1e400'; allowed: a finite number"):
        parity.compare(a, a)
