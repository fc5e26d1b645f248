"""Loops that keep a moving average: the correct ones agree, and what one keeps in its place is named."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
import torch
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn, get_swa_multi_avg_fn

from parity.errors import InputError
from parity.experiment import Experiment
from parity.experiment_file import from_dict, to_toml
from parity.explain.diagnosis import diagnose
from parity.features.check.in_process import trajectory_here
from refimpl.averaging import EMA, SWA
from refimpl.batches import Batches
from refimpl.datasets import Gaussian
from refimpl.initial_weights import Normal
from refimpl.losses import SquaredError
from refimpl.models import Linear
from refimpl.optimizers import SGD

DECAY = 0.9


def experiment(bench: Any, **changes: Any) -> Experiment:
    plain = {
        "data": Gaussian(train_rows=17, features=24),
        "batches": Batches(size=5),
        "loss": SquaredError(factor=1.0, reduction="mean"),
        "penalties": (),
        "optimizer": SGD(lr=0.05, momentum=0.9),
        "init": {"weight": Normal(std=0.5)},
        "ema": EMA(decay=DECAY),
    }
    return bench.experiment(**{**plain, **changes})  # type: ignore[no-any-return]


class Kept:
    """An average by hand: ``e ← decay·e + added·w``, from ``e`` on."""

    def __init__(
        self, e: torch.Tensor | None, *, decay: float = DECAY, warm: bool = False, correct: bool = False
    ) -> None:
        self.e, self.decay, self.warm, self.correct, self.updates = e, decay, warm, correct, 0

    def update(self, w: torch.Tensor) -> torch.Tensor:
        self.updates += 1
        n = self.updates
        d = min(self.decay, (1 + n) / (10 + n)) if self.warm else self.decay
        self.e = w.clone() if self.e is None else d * self.e + (1 - d) * w
        return self.e / (1 - d**n) if self.correct else self.e


def loop(task: Any, *, how: str = "torch", lr: float | None = None, swa: bool = False) -> None:
    net = torch.nn.Linear(task.features, 1, dtype=task.dtype)
    with torch.no_grad():
        net.weight.copy_(task.weight)
        net.bias.copy_(task.bias)
    start = torch.nn.utils.parameters_to_vector(net.parameters()).detach()
    functions: Any = {"equal": get_swa_multi_avg_fn(), "exchanged": get_ema_multi_avg_fn(1 - DECAY)}  # type: ignore[no-untyped-call]
    functions |= {"other": get_ema_multi_avg_fn(0.95)}  # type: ignore[no-untyped-call]
    usual = get_ema_multi_avg_fn(DECAY)  # type: ignore[no-untyped-call]
    function = functions.get(how, None if swa else usual)
    model = AveragedModel(net, multi_avg_fn=function)
    kept = {
        "by hand": Kept(None),
        "zero": Kept(0 * start),
        "start": Kept(start),
        "corrected": Kept(0 * start, correct=True),
        "warm": Kept(start, warm=True),
    }.get(how)
    optimizer = torch.optim.SGD(net.parameters(), lr=lr or task.lr, momentum=0.9)
    for _ in range(task.epochs):
        for X, y in task.loader:
            optimizer.zero_grad()
            torch.nn.functional.mse_loss(net(X), y).backward()  # type: ignore[no-untyped-call]
            if how == "before":
                model.update_parameters(net)
            optimizer.step()
            if how not in ("before", "never", "seldom") or (how == "seldom" and len(task.records) % 2):
                model.update_parameters(net)
            task.record(net)
            if kept is not None:
                average = kept.update(torch.nn.utils.parameters_to_vector(net.parameters()).detach())
                task.record_average(weight=average[:-1], bias=average[-1:])
            elif how != "silent":
                task.record_average(net if how == "none" else model)


NAMES = {
    "before": "average-before-step",
    "zero": "average-from-zero",
    "start": "average-from-start",
    "corrected": "average-corrected",
    "warm": "average-warm-up",
    "equal": "average-equal-weights",
    "exchanged": "average-exchanged",
    "other": "average-other-decay",
    "none": "average-of-no-step",
    "never": "average-not-updated",
    "seldom": "average-other",
}


OF_EQUAL = {
    "before": "average-before-step",
    "equal": "average-share-float32",
    "exchanged": "average-exponential",
    "none": "average-of-no-step",
    "never": "average-not-updated",
    "seldom": "average-other",
}
"""What is kept in the place of an equal average."""


def checked(asked: Experiment, dtype: str = "float64", **how: Any) -> Any:
    trajectory, observed = trajectory_here(lambda task: loop(task, **how), asked, dtype)
    return diagnose(asked, trajectory, observed=observed)


@pytest.mark.every_case
@pytest.mark.parametrize("dtype", ["float64", "float32", "bfloat16"])
@pytest.mark.parametrize("how", ["torch", "by hand"])
def test_the_correct_average_agrees(bench: Any, how: str, dtype: str) -> None:
    diagnosis = checked(experiment(bench), dtype, how=how)
    assert diagnosis.verdict in ("agree", "undecidable") and not diagnosis.findings, diagnosis.text
    assert "ema.decay" not in diagnosis.unseen


@pytest.mark.every_case
@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("how", NAMES)
def test_what_is_kept_in_its_place_is_named(bench: Any, how: str, dtype: str) -> None:
    diagnosis = checked(experiment(bench), dtype, how=how)
    assert diagnosis.verdict == "disagree", diagnosis.text
    assert [one.id for one in diagnosis.findings] == [NAMES[how]] and not diagnosis.findings[0].alike, (
        diagnosis.findings
    )
    if how == "other":
        assert "is 0.95, asked 0.9" in diagnosis.findings[0].text


@pytest.mark.every_case
@pytest.mark.parametrize("dtype", ["float64", "float32", "bfloat16"])
def test_the_equal_average_agrees(bench: Any, dtype: str) -> None:
    diagnosis = checked(experiment(bench, ema=None, swa=SWA()), dtype, swa=True)
    assert diagnosis.verdict in ("agree", "undecidable") and not diagnosis.findings, diagnosis.text


@pytest.mark.parametrize("how", OF_EQUAL)
def test_what_is_kept_in_the_place_of_an_equal_average_is_named(bench: Any, how: str) -> None:
    diagnosis = checked(experiment(bench, ema=None, swa=SWA()), how=how, swa=True)
    assert [one.id for one in diagnosis.findings] == [OF_EQUAL[how]], diagnosis.findings


def test_the_loop_of_the_page_agrees(bench: Any) -> None:
    text = (Path(__file__).parents[2] / "docs" / "trainers.md").read_text(encoding="utf-8")
    part = text.split("## A moving average of the weights")[1].split("\n## ")[0]
    toml, shown = re.findall(r"^```\w+\n(.*?)^```", part, flags=re.DOTALL | re.MULTILINE)
    asked = from_dict(tomllib.loads(to_toml(experiment(bench, ema=None, epochs=1)) + toml))

    def train(task: Any) -> None:
        net = torch.nn.Linear(task.features, 1, dtype=task.dtype)
        with torch.no_grad():
            net.weight.copy_(task.weight)
            net.bias.copy_(task.bias)
        optimizer = torch.optim.SGD(net.parameters(), lr=task.lr, momentum=0.9)
        exec(shown, {"task": task, "net": net, "optimizer": optimizer, "torch": torch})

    trajectory, observed = trajectory_here(train, asked, "float64")
    assert asked.ema == EMA(decay=0.999) and diagnose(asked, trajectory, observed=observed).verdict == "agree"


def test_it_is_named_beside_what_is_wrong_with_the_weights(bench: Any) -> None:
    ids = [one.id for one in checked(experiment(bench), how="before", lr=0.1).findings]
    assert sorted(ids) == ["average-before-step", "lr-doubled"]


def test_an_average_that_is_not_recorded_is_unseen(bench: Any) -> None:
    diagnosis = checked(experiment(bench), how="silent")
    assert diagnosis.verdict == "undecidable" and diagnosis.unseen == ("ema.decay",)


def test_an_average_that_is_not_asked_for_or_not_of_each_step_is_refused(bench: Any) -> None:
    with pytest.raises(InputError, match="asks for no average"):
        checked(experiment(bench, ema=None))

    def seldom(task: Any) -> None:
        loop(task, how="silent")
        task.record_average(task.weight, task.bias)

    with pytest.raises(InputError, match="1 averages and 12 steps"):
        trajectory_here(seldom, experiment(bench), "float64")
    with pytest.raises(InputError, match="given weight, bias; allowed: weight, all of the model's parameters"):
        trajectory_here(loop, experiment(bench, model=Linear(bias=False), init={}), "float64")
