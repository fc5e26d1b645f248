"""The first words that engineers try: each works, or one line says what to do."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

import parity
from parity.cli import main
from parity.errors import InputError
from parity.explain.diagnosis import diagnose
from parity.features.check.examine import examine
from parity.features.check.in_process import check_class_here, trajectory_here
from parity.features.check.kind import kind_of
from parity.features.check.optimizer import conclude
from parity.features.check.run import check
from parity.features.check.target import load, parse
from parity.features.check.task import Task
from parity.features.check.template import template
from parity.hyper_words import hyper_parameters
from refimpl.optimizers import Lion

pytestmark = pytest.mark.usefixtures("few_situations")

CODE = """
import torch

class decayed(torch.optim.AdamW):
    pass

def Train(task):
    pass

def make(params):
    return torch.optim.SGD(params, lr=0.1)
"""


def make(params: Any) -> torch.optim.Optimizer:
    return torch.optim.AdamW(params, lr=0.01, weight_decay=0.1)


def annotated(groups: Any, lr: float = 0.1) -> torch.optim.SGD:
    return torch.optim.SGD(groups, lr=lr)


# -- the words -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("word", ["torch.optim:AdamW", "torch.optim.AdamW", "torch.optim:adamw", "torch.optim.ADAMW"])
def test_a_class_of_torch_is_found_with_a_point_or_a_colon_and_whatever_its_case(word: str) -> None:
    assert load(parse(word)) is torch.optim.AdamW


def test_a_class_is_preferred_to_a_module_of_the_same_name() -> None:
    assert load(parse("torch.optim:sgd")) is torch.optim.SGD


def test_a_file_alone_is_answered_with_what_it_defines(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text(CODE)
    with pytest.raises(
        InputError, match=r"which function or class of it\? give .*mine.py:name; it defines decayed, Train, make$"
    ):
        parse(str(tmp_path / "mine.py"))
    with pytest.raises(InputError, match=r"has no decay; .*; did you mean 'decayed'\?$"):
        load(parse(f"{tmp_path / 'mine.py'}:decay"))


# -- what is an optimizer, and what is a training function -------------------------------------------------------------


@pytest.mark.parametrize(
    ("code", "hyper", "kind"),
    [
        (torch.optim.SGD, None, "optimizer"),
        (make, None, "optimizer"),
        (annotated, {}, "optimizer"),
        (partial(torch.optim.SGD, lr=0.1), None, "optimizer"),
        (lambda task: task, None, "training function"),
        (lambda task: task, {"lr": 0.1}, "training function"),
        (lambda: None, None, "training function"),
        (lambda params: params, None, "training function"),
    ],
    ids=["class", "factory", "factory of groups", "partial", "task", "task and --hyper", "nothing", "other params"],
)
@pytest.mark.every_case
def test_what_is_fed_and_what_is_run_are_told_apart(code: Any, hyper: Any, kind: str) -> None:
    assert kind_of("mine", code, hyper) == kind


@pytest.mark.parametrize(
    ("code", "message"),
    [
        (nn.Linear, r"is a module; give the function that trains it.* parity\.watch\(optimizer\)"),
        (
            lambda model: model,
            r"demands model; .* takes the parameters, make\(params\); else parity\.watch\(optimizer\)",
        ),
        (lambda X, y: (X, y), r"demands X, y; write a function of the task.* `parity check --template` shows$"),
        (Path, "class Path: is no torch.optim.Optimizer; give a class that is derived from it"),
    ],
    ids=["module", "factory of a model", "rows", "another class"],
)
@pytest.mark.every_case
def test_what_is_neither_is_answered_with_what_to_do(code: Any, message: str) -> None:
    with pytest.raises(InputError, match=message):
        kind_of("mine", code)


def test_an_optimizer_that_was_made_already_is_answered_with_what_to_do() -> None:
    with pytest.raises(InputError, match="is an AdamW that was made already; give its class"):
        kind_of("mine", make([torch.zeros(1)]))


@pytest.mark.usefixtures("code_runs_here", "few_references")
def test_a_lower_case_class_is_checked_and_a_capital_function_is_run(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text(CODE)
    found = check(f"{tmp_path / 'mine.py'}:decayed", experiment=None, dtype="float64")
    assert found.family == "AdamW(lr=0.001)"
    with pytest.raises(InputError, match="0 reports"):
        check(f"{tmp_path / 'mine.py'}:Train", experiment=parity.load("check-sgd"))
    with pytest.raises(InputError, match="make: is an optimizer, which is held to against"):
        check(f"{tmp_path / 'mine.py'}:make", experiment=parity.load("check-sgd"))


def test_a_function_that_returns_an_optimizer_is_held_to_the_numbers_that_it_chose() -> None:
    examined = examine(make, {}, ("float64",))
    found = conclude(examined, {}, "adamw")
    assert (found.verdict, found.against) == ("agree", "AdamW(lr=0.01, weight_decay=0.1)")
    assert not any("left out" in note for note in found.notes)
    assert conclude(examined, {}, "adam").findings[0].id == "decoupled-for-coupled"


# -- the loop to begin with --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["", "check-adamw-schedule", "check-l1"], ids=lambda name: name or "none asked for")
def test_the_printed_loop_agrees_with_its_experiment(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", "--template", *(["--experiment", name] if name else [])]) == 0
    text = capsys.readouterr().out
    experiment = parity.load(name or "check-sgd")
    assert f"parity check loop.py:train --experiment {experiment.name}\n" in text
    assert f"torch.optim.{type(experiment.optimizer).__name__}(" in text
    loop: dict[str, Any] = {}
    exec(text, loop)
    trajectory, observed = trajectory_here(loop["train"], experiment, "float64")
    assert diagnose(experiment, trajectory, observed=observed).verdict == "agree"


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--template", "--experiment", "s2-mlp"], "s2-mlp: has the model MLP"),
        (["--template", "mine.py:train"], "leave mine.py:train out, or --template"),
        ([], "what is to be checked? give file.py:name"),
    ],
    ids=" ".join,
)
def test_a_loop_that_cannot_be_written_is_refused_in_one_line(
    words: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["check", *words]) == 2
    assert message in capsys.readouterr().err


def test_an_optimizer_that_torch_does_not_have_has_no_loop() -> None:
    asked = replace(parity.load("check-plain"), optimizer=Lion(lr=0.01))
    with pytest.raises(InputError, match=r"there is no torch\.optim\.Lion; give another experiment"):
        template(asked, "lion.toml")


# -- models and their functions ----------------------------------------------------------------------------------------


def two_layers(report: bool) -> Callable[[Task], None]:
    def train(task: Task) -> None:
        net = nn.Sequential(nn.Linear(task.features, 2), nn.ReLU(), nn.Linear(2, 1)).to(task.dtype)
        optimizer = torch.optim.SGD(net.parameters(), lr=task.lr)
        for X, y in task.loader:
            optimizer.zero_grad()
            nn.functional.mse_loss(net(X), y).backward()
            optimizer.step()
            if report:
                task.record(net)

    return train


@pytest.mark.parametrize("report", [True, False])
def test_a_module_of_several_layers_is_sent_to_watch(report: bool) -> None:
    with pytest.raises(
        InputError, match=r"one linear layer; parity\.watch\(optimizer\) judges the optimizer of any model"
    ):
        trajectory_here(two_layers(report), parity.load("check-sgd"), "float64")


def test_a_log_with_other_columns_is_answered_with_the_names_that_are_read(tmp_path: Path) -> None:
    (tmp_path / "run.csv").write_text("Wall time,Step,Value\n1.5,0,2.5\n")
    with pytest.raises(InputError, match=r"has Wall time, Step, Value .* rename the column .*loss: of the batch"):
        check(str(tmp_path / "run.csv"), experiment=parity.load("check-sgd"))


@pytest.mark.usefixtures("code_runs_here")
def test_without_an_experiment_code_on_its_own_data_is_told_to_write_one(tmp_path: Path) -> None:
    code = (
        "import torch\n\ndef main():\n    w = torch.nn.Linear(7, 1)\n    o = torch.optim.SGD(w.parameters(), lr=0.1)\n"
    )
    code += "    w(torch.ones(4, 7)).mean().backward()\n    o.step()\n"
    (tmp_path / "own.py").write_text(code)
    with pytest.raises(
        InputError, match=r"give experiment, .* a file of your own with the data of the code; .*\(1, 7\)"
    ):
        check(f"{tmp_path / 'own.py'}:main", experiment=None)


@pytest.mark.every_case
@pytest.mark.parametrize(
    "word", ["lr=inf", "lr=-inf", "lr=NaN", "lr=1e308", "lr=1e400", "betas=(inf,0.9)", "betas=(0.9,1e400)"]
)
def test_a_hyper_parameter_that_is_not_finite_is_refused_in_one_line(word: str) -> None:
    with pytest.raises(InputError, match=r"^hyper .*: allowed: finite numbers, at most 1e\+30 in size$"):
        check("torch.optim:Adam", hyper=hyper_parameters([word]))
    assert main(["check", "torch.optim:Adam", "--hyper", word]) == 2


@pytest.mark.parametrize("value", [float("nan"), float("inf"), 10**400, (0.9, float("nan"))])
def test_nor_is_it_taken_in_python(value: Any) -> None:
    with pytest.raises(InputError, match=r"^hyper lr=.*allowed: finite numbers"):
        check(torch.optim.Adam, hyper={"lr": value})


# -- decay -----------------------------------------------------------------------------------------------------------


class DecayedTwice(torch.optim.AdamW):
    """AdamW that shrinks the weights a second time, after the step."""

    @torch.no_grad()
    def step(self, closure: Any = None) -> Any:
        loss = super().step(closure)
        for group in self.param_groups:
            for param in group["params"]:
                if param.grad is not None:
                    param.mul_(1 - group["lr"] * group["weight_decay"])
        return loss


def test_a_decay_that_is_applied_twice_is_named() -> None:
    diagnosis = check_class_here(DecayedTwice, {"weight_decay": 0.1}, "adamw", ("float64",))
    assert diagnosis.verdict == "disagree" and diagnosis.findings[0].id == "decay-again-after-step", diagnosis.text


def test_a_module_of_the_current_folder_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "of_this_folder.py").write_text(CODE, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.path", [*sys.path])
    assert load(parse("of_this_folder:make")).__name__ == "make"
