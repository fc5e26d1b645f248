"""Logs and reports: how they are read, what their columns may be, and what is refused."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import parity
from parity.errors import InputError
from parity.experiment import Experiment
from parity.explain.catalogue import NAMES
from parity.explain.diagnosis import diagnose
from parity.explain.finding import Diagnosis
from parity.features.check.log import check_log
from parity.features.check.logfile import read
from parity.features.check.training import Records, trajectory_of
from parity.step.design import as_asked
from parity.step.free import Simulation, simulate

SGD = "check-sgd"


@cache
def asked(name: str = SGD, epochs: int = 2) -> Experiment:
    """An experiment of the gallery of so many epochs, of 5 steps each."""
    return replace(parity.load(name), epochs=epochs)


@cache
def run(name: str = SGD, fault: str = "", value: float = np.nan, epochs: int = 2) -> Simulation:
    """A free run of correct code, or with a fault."""
    design = as_asked(asked(name, epochs))
    faulty = NAMES[fault].apply(design, value) if fault else design
    assert faulty is not None
    return simulate(faulty)


def columns(one: Simulation, *, weights: bool) -> dict[str, np.ndarray]:
    found = {"loss": one.loss[:, 0], "norm": one.norm[1:, 0]}
    if weights:
        found |= {f"weight[{i}]": column for i, column in enumerate(one.weights["weight"][1:, 0, 0].T)}
        found |= {"bias": one.weights["bias"][1:, 0, 0]}
    return found


def write(path: Path, table: dict[str, Any], digits: int = 17) -> str:
    rows = zip(*table.values(), strict=True)
    path.write_text("\n".join([",".join(table), *(",".join(f"{x:.{digits}g}" for x in row) for row in rows)]))
    return str(path)


# -- reading ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("header", "read_as", "unused"),
    [
        ("loss,norm", {"loss", "norm"}, ()),
        ("\ufeffLoss, Weight Norm ", {"loss", "norm"}, ()),
        ("train/loss,||w||", {"loss", "norm"}, ()),
        ("Training_Loss,lr", {"loss"}, ("lr",)),
        ("epoch,w0", {"weight"}, ()),
        ("weights_0,intercept", {"weight", "bias"}, ()),
        ("weight.0,B", {"weight", "bias"}, ()),
        ("loss,train_loss", {"loss"}, ("train_loss",)),
        ("norm,grad_norm", {"norm"}, ("grad_norm",)),
    ],
)
def test_a_header_is_read_whatever_its_case_and_spaces(
    header: str, read_as: set[str], unused: tuple[str, ...], tmp_path: Path
) -> None:
    (tmp_path / "a.csv").write_text(f"{header}\n1.5,2.5\n", encoding="utf-8")
    log = read(str(tmp_path / "a.csv"))
    assert {*log.series, *log.weights} == read_as
    assert log.unused == unused


@given(x=st.floats(-1e9, 1e9), digits=st.integers(1, 17), form=st.sampled_from("gef"))
def test_a_written_number_is_an_interval_that_has_what_was_rounded_to_it(
    x: float, digits: int, form: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.mktemp("log") / "a.csv"
    path.write_text(f"loss,bias\n{x:.{digits}{form}},{x:.{digits}{form}}\n")
    log = read(str(path))
    assert abs(log.series["loss"][0] - x) <= log.unit["loss"][0]
    assert abs(log.weights["bias"][0, 0] - x) <= log.unit["bias"][0, 0]


def test_the_largest_number_of_all_is_read(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("loss\n1.7976931348623157e308\n1.5\n")
    assert np.isfinite(read(str(tmp_path / "a.csv")).unit["loss"]).all()


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("a.csv", "loss,norm\n1,2\n3\n", r"line 3: 1 columns; the header has 2"),
        ("a.csv", "loss,norm\n1,2\n3,4,5\n", r"line 3: 3 columns; the header has 2"),
        ("a.csv", "loss,norm\n1,2\n,4\n", r"line 3: loss is empty"),
        ("a.csv", "norm\n1\nnan\n2\n", r"line 3: norm is 'nan'; allowed: a finite number"),
        ("a.csv", "norm\n1\n1e400\n2\n", r"line 3: norm is '1e400'; allowed: a finite number, up to 1.8e308"),
        ("a.csv", "norm\nnull\n2\n", r"line 2: norm is 'null', which is no number"),
        ("a.csv", "w0,w2\n1,2\n", r"the columns of weight are w0, w2; number them from 0"),
        ("a.csv", "trainloss,batch_loss\n1,2\n", r"trainloss and batch_loss may each be the loss"),
        ("a.jsonl", f'{{"norm": {"9" * 400}}}\n', r"line 1: norm is '9+\.\.\.9+'; allowed: a finite number"),
        ("a.jsonl", '{"norm": 1}\n{"norm": [1, 2]}\n', r"line 2: norm has 2 numbers; allowed: one"),
        ("a.jsonl", '{"norm": 1}\n{"norm": []}\n', r"line 2: norm has 0 numbers; allowed: one"),
        ("a.jsonl", '{"weight": []}\n', r"line 1: weight has 0 numbers; allowed: one or more"),
        ("a.jsonl", '{"weight": null}\n', r"no row has a number of weight; write one row for each step"),
        ("a.jsonl", '{"norm": 1}\n{"norm": {"a": 1}}\n', r"line 2: norm is \{'a': '1'\}, which is no number"),
        ("a.jsonl", '{"norm": 1}\n{"nor', r"line 2: .* cannot be read as .jsonl; allowed: one whole object"),
        ("a.jsonl", '{"norm": 1}\n7\n', r"line 2: '7'; allowed: one object"),
        ("a.jsonl", '{"norm": 1}\n{"norm": null, "loss": 2}\n', r"line 2: norm is empty"),
        ("a.jsonl", '{"weight": [1, 2]}\n{"weight": [1]}\n{"weight": [1, 2]}\n', r"line 2: weight has 1 numbers"),
    ],
)
def test_what_is_no_finite_number_is_refused_with_its_line(name: str, text: str, message: str, tmp_path: Path) -> None:
    (tmp_path / name).write_text(text)
    with pytest.raises(InputError, match=message) as error:
        read(str(tmp_path / name))
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("values", [np.ones(3, complex), np.array(1.0), np.array(["a", "b"])])
def test_an_archive_of_other_than_real_numbers_is_refused(values: np.ndarray, tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", weight=values)
    with pytest.raises(InputError, match=r"weight is .*; allowed: real numbers"):
        read(str(tmp_path / "a.npz"))


def test_a_saved_run_of_another_experiment_is_refused_with_both_shapes(tmp_path: Path) -> None:
    from parity.backends.reference import run_reference

    path = str(tmp_path / "run.npz")
    run_reference(parity.load(SGD), "loss").save(path)
    assert check_log(path, parity.load(SGD)).verdict == "agree"
    with pytest.raises(
        InputError, match="a run of weight 1 × 30; bias 1, 20 steps; s0-scratch-lam3 has weight 1 × 200"
    ):
        check_log(path, parity.load("s0-scratch-lam3"))


# -- with the weights ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", [SGD, "check-momentum", "check-adam"])
@pytest.mark.parametrize("digits", [4, 7])
def test_printed_digits_accuse_no_correct_run(name: str, digits: int, tmp_path: Path) -> None:
    found = check_log(write(tmp_path / "a.csv", columns(run(name), weights=True), digits), asked(name))
    assert found.share <= 1
    assert not found.findings


def test_printed_digits_hide_no_fault_that_is_larger(tmp_path: Path) -> None:
    table = columns(run(fault="penalty-halved"), weights=True)
    found = check_log(write(tmp_path / "a.csv", table, 5), asked())
    assert found.verdict == "disagree"
    assert found.findings[0].id == "penalty-halved"


def test_a_norm_is_held_to_the_weights_beside_it(tmp_path: Path) -> None:
    table = columns(run(), weights=True)
    table["norm"] = 3 * table["norm"]
    found = check_log(write(tmp_path / "a.csv", table, 6), asked())
    assert found.verdict == "disagree"
    assert found.text == "the norm that was logged is 3 times ‖w‖"


# -- losses and norms alone ------------------------------------------------------------------------------------------

TABLES: dict[str, tuple[Callable[[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]], str]] = {
    "as asked": (lambda loss, norm: (loss, norm[1:]), "taken for a float64 run"),
    "running": (lambda loss, norm: (np.cumsum(loss) / np.arange(1, 11), norm[1:]), "the mean of every loss so far"),
    "before": (lambda loss, norm: (loss, norm[:-1]), "each row was written before its step"),
    "early": (lambda loss, norm: (loss[:7], norm[1:8]), "stopped after 7 of 10 steps"),
    "epochs": (lambda loss, norm: (loss[4::5], norm[5::5]), "one report an epoch was made: 4 reports, 20 steps"),
    "squared": (lambda loss, norm: (loss, norm[1:] ** 2), "norm is read as ‖w‖²"),
}


@pytest.mark.usefixtures("few_faults")
@pytest.mark.parametrize("case", TABLES)
def test_a_usual_reading_of_a_correct_run_is_said_and_not_accused(case: str, tmp_path: Path) -> None:
    change, said = TABLES[case]
    epochs = 4 if case == "epochs" else 2  # two rows are not enough
    correct = run(epochs=epochs)
    loss, norm = change(correct.loss[:, 0], correct.norm[:, 0])
    found = check_log(write(tmp_path / "a.csv", {"Loss": loss, "norm": norm}, 7), asked(SGD, epochs))
    assert found.share <= 1
    assert not found.findings
    assert any(said in note for note in found.notes), found.notes


@pytest.mark.parametrize(
    ("column", "times", "text"),
    [
        ("loss", 2, "of the loss that was logged, not of the steps: the loss is twice what was asked"),
        ("norm", 3, "of the norm that was logged, not of the steps: it is 3 times ‖w‖"),
    ],
)
def test_a_column_that_is_wrong_beside_right_steps_is_said_to_be(
    column: str, times: float, text: str, tmp_path: Path
) -> None:
    table = columns(run("check-plain"), weights=False)
    table[column] = times * table[column]
    found = check_log(write(tmp_path / "a.csv", table), asked("check-plain"))
    assert found.verdict == "disagree"
    assert found.text.startswith(text)


def test_a_gradient_that_counts_four_times_is_named_where_the_loss_is_logged_as_asked(tmp_path: Path) -> None:
    table = columns(run(fault="loss-other-factor", value=4.0), weights=False)
    table["loss"] = table["loss"] / 4
    found = check_log(write(tmp_path / "a.csv", table, 6), asked(), dtype="float64")
    assert found.text == "the gradient of the loss counts 4 times, while the loss that is logged is as asked"


# -- what training functions report ----------------------------------------------------------------------------------


def reports(one: Simulation, losses: np.ndarray, rows: Any = slice(None)) -> Records:
    weights = [{name: values[k] for name, values in one.weights.items()} for k in range(11)]
    return list(zip(np.array(weights)[rows].tolist(), [None if np.isnan(x) else float(x) for x in losses], strict=True))


def diagnosed(records: Records) -> Diagnosis:
    return diagnose(asked(), trajectory_of(asked(), records, "float64"))


@pytest.mark.parametrize(
    ("losses", "rows", "said"),
    [
        (lambda loss: np.append(np.nan, loss[:7]), slice(8), "stopped after 7 of 10 steps"),
        (lambda loss: loss, slice(10), "each report was made before its step, and none after the last"),
        (lambda loss: np.append(np.nan, loss[4::5]), [0, 5, 10], "one report an epoch was made: 2 reports"),
        (lambda loss: np.append(np.nan, np.cumsum(loss)), slice(11), "the sum of every"),
    ],
    ids=["early", "before", "epochs", "sums"],
)
def test_reports_that_are_not_one_a_step_are_judged_as_what_they_are(
    losses: Callable[[np.ndarray], np.ndarray], rows: Any, said: str
) -> None:
    found = diagnosed(reports(run(), losses(run().loss[:, 0]), rows))
    assert found.verdict == "agree"
    assert any(said in note for note in found.notes), found.notes


def test_one_report_an_epoch_still_shows_a_fault() -> None:
    faulty = run(fault="penalty-doubled")
    found = diagnosed(reports(faulty, np.full(3, np.nan), [0, 5, 10]))
    assert found.verdict == "disagree"
    assert "penalty-doubled" in {found.findings[0].id, *found.findings[0].alike}


def test_a_loss_after_the_step_is_said() -> None:
    design, one = as_asked(asked()), run()
    data, problem = design.material.dataset, design.form.in_gradient
    after = []
    for k, rows in enumerate(design.rows):
        params = {name: values[k + 1] for name, values in one.weights.items()}
        after.append(problem.loss.value(problem.model.forward(params, data.X[:, rows]), data.y[:, rows])[0])
    found = diagnosed(reports(one, np.append(np.nan, after)))
    assert found.verdict == "agree"
    assert found.notes[-1] == "the loss that was reported is the loss after the step"


@pytest.mark.usefixtures("few_faults")
def test_unknown_columns_are_named_and_rows_without_numbers_are_left_out(tmp_path: Path) -> None:
    table = columns(run(), weights=False)
    rows = [{"train/loss": a, "norm": b, "lr": 0.1} for a, b in zip(*table.values(), strict=True)]
    path = tmp_path / "a.jsonl"
    path.write_text("\n".join(json.dumps(row) for row in [*rows, {"train_runtime": 3.5}]))
    found = check_log(str(path), asked(), dtype="float64")
    assert found.verdict == "agree"
    assert "columns not used: lr, train_runtime" in found.notes


@pytest.mark.usefixtures("few_faults")
def test_a_first_loss_that_is_off_points_to_what_the_steps_start_from(tmp_path: Path) -> None:
    other = simulate(as_asked(replace(asked(), seed=1)))
    said = check_log(write(tmp_path / "other.csv", columns(other, weights=False)), asked())
    assert said.verdict == "disagree" and any("the log may be of another experiment" in note for note in said.notes)
    steps = columns(run(), weights=False)
    steps["loss"][1:] *= np.linspace(1.1, 2.3, len(steps["loss"]) - 1) ** 3
    steps["norm"] = steps["norm"][::-1]
    said = check_log(write(tmp_path / "steps.csv", steps), asked())
    assert said.verdict == "disagree" and not any("another experiment" in note for note in said.notes)
