"""`parity check` on training functions and logs, as a user calls it."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import parity
from parity.cli import main
from parity.errors import InputError
from parity.experiment import Experiment
from parity.explain.diagnosis import diagnose
from parity.features.check import experiments, recorded
from parity.features.check.in_process import trajectory_here
from parity.features.check.log import check_log
from parity.features.check.run import check
from parity.features.check.target import Target, load, parse
from parity.features.check.task_data import TaskData, task_data
from parity.features.check.worker import TheirError, run
from parity.hyper_words import hyper_parameters
from parity.step.design import as_asked
from parity.step.free import simulate

TUTORIAL = """
import torch


def train(task):
    net = torch.nn.Linear(task.features, 1, dtype=task.dtype)
    with torch.no_grad():
        net.weight.copy_(task.weight)
        net.bias.copy_(task.bias)
    optimizer = torch.optim.SGD(net.parameters(), lr=task.lr)
    mse = torch.nn.MSELoss()
    print("epochs:", task.epochs)
    for epoch in range(task.epochs):
        for X, y in task.loader:
            loss = mse(net(X), y) + task.l2 / 2 * net.weight.square().sum()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            {report}


def broken(task):
    return task.nothing


def silent(task):
    pass


def swapped(task):
    task.record(task.bias, task.weight)


def number(task):
    return 3


def endless(task):
    while True:
        pass


def reads_the_experiment(task):
    import sys
    assert "refimpl.optimizers" not in sys.modules  # the process of this code imports it when it is asked for
    assert task.experiment.name == "check-sgd"
    assert "refimpl.optimizers" in sys.modules


constant = 3
"""


@pytest.fixture(scope="module")
def tutorial(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("user") / "tutorial.py"
    path.write_text(TUTORIAL.replace("{report}", "task.record(net, loss=loss)"))
    return path


def test_one_command_names_the_fault_of_a_tutorial_s_loop(
    tutorial: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    options = ["--experiment", "check-sgd", "--dtype", "float32", "--out", str(tmp_path), "--json", "-"]
    code = main(["check", f"{tutorial}:train", *options])
    out, err = capsys.readouterr()
    document = json.loads(out)
    assert code == 1
    assert document["schema"] == 2
    assert document["verdict"] == "disagree"
    assert [finding["id"] for finding in document["findings"]] == ["loss-doubled"]
    assert set(document["findings"][0]) >= {"id", "text", "evidence", "change"}
    links = {link["name"]: link for link in document["links"]}
    assert links["rows"]["text"].startswith("all rows of a step count alike, 2.0")
    assert links["penalty"]["as_asked"] and not links["rows"]["as_asked"]
    assert "change:   multiply the loss by ½" in err
    assert {path.name for path in tmp_path.iterdir()} == {"check.json", "residual.png"}


def test_a_generator_may_yield_what_it_would_record(tmp_path: Path) -> None:
    path = tmp_path / "generator.py"
    path.write_text(TUTORIAL.replace("{report}", "yield net"))
    experiment = parity.load("check-mse")
    trajectory, observed = trajectory_here(load(parse(f"{path}:train")), experiment, "float64")
    assert diagnose(experiment, trajectory, observed=observed).verdict == "agree"


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("silent", "0 reports; call task.record"),
        ("swapped", "weight has 1 numbers; allowed: 30, the weight first"),
        ("number", "returned a int and reported nothing"),
        ("missing", "has no missing; it has"),
    ],
)
def test_a_function_that_cannot_be_judged_is_refused_in_one_line(tutorial: Path, name: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        trajectory_here(load(parse(f"{tutorial}:{name}")), parity.load("check-sgd"), "float64")


def test_a_target_that_is_no_function_is_refused_in_one_line(tutorial: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", sys.argv[:])
    with pytest.raises(InputError, match="is of type int; give a function or an optimizer class"):
        recorded.record_target(parse(f"{tutorial}:constant"), task_data(parity.load("check-sgd")), "float64", "cpu")


@pytest.mark.slow
def test_code_that_reads_the_experiment_has_it(tutorial: Path) -> None:
    with pytest.raises(InputError, match="0 reports"):
        check(f"{tutorial}:reads_the_experiment", experiment=parity.load("check-sgd"))


def test_code_that_kills_its_process_is_refused_in_one_line() -> None:
    with pytest.raises(InputError, match="was killed by SIGKILL"):
        run("signal:raise_signal", int(signal.SIGKILL), limit=60)


def test_without_an_experiment_those_are_listed_that_fit_the_code(
    tutorial: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tried: list[str] = []

    def in_this_process(_: str, target: Target, data: TaskData, dtype: str, *__: str, limit: float) -> Any:
        assert not isinstance(data.experiment, bytes)
        tried.append(data.experiment.name)
        try:
            return recorded.record_function(load(target), data, dtype)
        except AttributeError as error:
            raise TheirError(f"{error} within {limit} s") from error

    monkeypatch.setattr(experiments, "run", in_this_process)
    with pytest.raises(InputError, match=r"it uses SGD, for which there are .*check-mse"):
        check(f"{tutorial}:train", experiment=None)
    assert tried == ["check-sgd"]
    with pytest.raises(TheirError, match="has no attribute 'nothing'"):
        check(f"{tutorial}:broken", experiment=None)
    assert tried[1:] == list(experiments.TRIED)


@pytest.mark.slow
def test_code_that_never_ends_is_given_up(tutorial: Path) -> None:
    with pytest.raises(InputError, match="no result in 4 s; give it more time with limit"):
        check(f"{tutorial}:endless", experiment=parity.load("check-sgd"), limit=4)


@pytest.mark.slow
def test_their_exception_is_shown_with_their_lines_only(tutorial: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", f"{tutorial}:broken", "--experiment", "check-sgd"]) == 2
    err = capsys.readouterr().err
    assert "return task.nothing" in err
    assert "AttributeError: 'Task' object has no attribute 'nothing'" in err
    assert "worker.py" not in err
    assert f"{tutorial}:broken: raised the exception above" in err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nothing"], "nothing: no target; allowed: file.py:name"),
        (["absent.py:train"], "absent.py: no such file"),
        (["absent.csv"], "absent.csv: no such file"),
        (["a-b:train"], "neither a file that ends in .py nor the name of a module"),
        (["torch.optim:Adam", "--hyper", "lr"], "--hyper lr: allowed: name=value"),
        (["torch.optim:Adam", "--hyper", "lr=1", "--hyper", "lr=2"], "--hyper lr: given twice"),
        (["nowhere.m:train", "--hyper", "lr=1"], "nowhere.m: there is no module nowhere; allowed: file.py:name"),
        (["m:train", "--experiment", "nowhere"], "nowhere"),
        (["m:train", "--dtype", "float8"], "--dtype float8: unknown"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_bad_words_are_one_line_and_exit_code_2(
    arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["check", *arguments]) == 2
    out, err = capsys.readouterr()
    assert not out
    assert message in err
    assert err.count("\n") == 1


def test_values_of_hyper_parameters_are_literals() -> None:
    found = hyper_parameters(["lr=0.01", "betas=(0.9,0.99)", "nesterov=True", "decay=none", "foreach=None"])
    assert found == {"lr": 0.01, "betas": (0.9, 0.99), "nesterov": True, "decay": "none", "foreach": None}


def test_a_module_is_a_target_as_well_as_a_file() -> None:
    assert str(parse("torch.optim:Adam")) == "torch.optim:Adam"
    assert parse("torch.optim:Adam").is_class


def test_the_worker_gives_back_what_was_returned() -> None:
    assert run(divmod, 7, 2, limit=60) == (3, 1)
    with pytest.raises(TheirError, match="ZeroDivisionError"):
        run(divmod, 7, 0, limit=60)
    with pytest.raises(InputError, match="nothing: no target"):
        run("parity.features.check.target:parse", "nothing", limit=60)


@pytest.mark.slow
def test_a_training_function_is_checked_without_torch_in_this_process(tutorial: Path) -> None:
    script = (
        "import sys, parity\n"
        "from parity.features.check.run import check\n"
        "if __name__ == '__main__':\n"
        f"    assert check({f'{tutorial}:train'!r}, experiment=parity.load('check-mse')).verdict == 'agree'\n"
        "    assert 'torch' not in sys.modules\n"
    )
    path = tutorial.with_name("check_it.py")
    path.write_text(script)
    subprocess.run([sys.executable, str(path)], check=True, timeout=120)


# -- logs ----------------------------------------------------------------------------------------------------------


def two_epochs(name: str) -> Experiment:
    """An experiment of the gallery, half as long."""
    return replace(parity.load(name), epochs=2)


def logged(name: str) -> tuple[list[float], list[float], np.ndarray, np.ndarray]:
    """Losses, norms, weights and biases of a free run."""
    free = simulate(as_asked(two_epochs(name)))
    return (
        free.loss[:, 0].tolist(),
        free.norm[:, 0].tolist(),
        free.weights["weight"][:, 0, 0],
        free.weights["bias"][:, 0],
    )


def written(path: Path, name: str, *, half_square: bool = False, digits: int = 6) -> Path:
    losses, norms, weights, biases = logged(name)
    if half_square:
        norms = [norm**2 / 2 for norm in norms]
    if path.suffix == ".npz":
        np.savez(path, loss=losses, norm=norms, weight=weights, bias=biases)
    elif path.suffix == ".csv":
        rows = [
            f"{k},{loss:.{digits}g},{norm:.{digits}g}"
            for k, (loss, norm) in enumerate(zip(losses, norms[1:], strict=True))
        ]
        path.write_text("\n".join(["step,loss,norm", *rows]))
    else:
        rows = [
            json.dumps({"loss": loss, "weight": w.tolist(), "bias": b.tolist()})
            for loss, w, b in zip(losses, weights[1:], biases[1:], strict=True)
        ]
        path.write_text("\n".join(rows))
    return path


@pytest.mark.usefixtures("few_faults")
@pytest.mark.parametrize("suffix", [".npz", ".csv", ".jsonl"])
def test_the_log_of_a_correct_run_agrees(suffix: str, tmp_path: Path) -> None:
    found = check_log(str(written(tmp_path / f"run{suffix}", "check-momentum")), two_epochs("check-momentum"))
    assert found.share <= 1
    assert found.verdict in ("agree", "undecidable")
    assert not found.findings


@pytest.mark.parametrize("suffix", [".npz", ".csv", ".jsonl"])
def test_the_log_of_a_wrong_run_names_its_fault(suffix: str, tmp_path: Path) -> None:
    found = check_log(str(written(tmp_path / f"run{suffix}", "check-mse")), two_epochs("check-sgd"))
    assert found.verdict == "disagree"
    assert found.findings[0].id == "loss-doubled"


@pytest.mark.slow
def test_a_log_without_weights_says_what_it_cannot_show_and_how_it_read_the_norm(tmp_path: Path) -> None:
    log = written(tmp_path / "run.csv", "check-plain", half_square=True, digits=2)
    found = check_log(str(log), two_epochs("check-plain"))
    assert found.share <= 1
    assert found.notes[0].startswith("the log has no weight and no bias")
    assert found.notes[1] == "norm is read as ½‖w‖²"
    assert found.verdict == "undecidable"
    assert "gradient-float16" in found.unseen


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("a.csv", "step,time\n1,2\n", "a log needs one or more of loss, norm, weight, bias"),
        ("a.csv", "", "a log needs one or more of"),
        ("a.csv", "loss\nhigh\n", "line 2: loss is 'high', which is no number"),
        ("a.jsonl", "{", "cannot be read as .jsonl"),
        ("a.npz", "no zip", "cannot be read as .npz"),
        ("a.csv", "loss\n1\n2\n", "the log has 2 rows; check-sgd has 20 steps"),
    ],
    ids=str,
)
def test_a_broken_log_is_refused_in_one_line(name: str, text: str, message: str, tmp_path: Path) -> None:
    path = tmp_path / name
    path.write_text(text)
    with pytest.raises(InputError, match=message):
        check_log(str(path), parity.load("check-sgd"))
