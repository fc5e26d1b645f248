"""What a task has for trainers: the batches by a ``DataLoader``, and the groups of the parameters."""

from __future__ import annotations

import re
import sys
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import torch
from torch.utils.data import DataLoader

import parity
from parity.errors import InputError
from parity.experiment import Experiment
from parity.explain.diagnosis import diagnose
from parity.explain.finding import Diagnosis
from parity.features.check.in_process import trajectory_here
from parity.features.check.target import Target, load, parse
from parity.features.check.task import Task
from parity.features.check.task_data import task_data
from parity.features.check.training import check_training
from refimpl.accumulation import Accumulation
from refimpl.batches import Batches
from refimpl.models import Linear
from refimpl.optimizers import SGD, Adam, AdamW
from refimpl.penalties import L1, L2
from refimpl.training import Group

EXAMPLES = Path(__file__).parents[3] / "examples" / "trainers"


@pytest.mark.every_case
@pytest.mark.parametrize("drop_last", [False, True])
def test_a_data_loader_gives_the_batches_of_each_epoch_and_begins_again_after_the_last(
    bench: Any, drop_last: bool
) -> None:
    experiment = bench.experiment(batches=Batches(size=5, drop_last=drop_last), epochs=2)
    task = Task(task_data(experiment), "float32")
    by_batch = DataLoader(task.dataset, batch_sampler=task.batch_sampler)
    by_row = DataLoader(task.dataset, batch_size=task.batch_size, sampler=task.sampler)
    epochs = [[(X.tolist(), y.tolist()) for X, y in task.loader] for _ in range(3)]
    assert epochs[0] != epochs[1] and epochs[2] == epochs[0]
    for loader in (by_batch, by_row):
        assert len(loader) == len(task.loader) == len(epochs[0])
        given = [list(loader) for _ in range(3)]
        assert [[(X.tolist(), y.tolist()) for X, y in batches] for batches in given] == epochs
        assert {each.dtype for batches in given for pair in batches for each in pair} == {torch.float32}


def test_a_look_at_the_first_batch_before_the_training_is_no_epoch(bench: Any) -> None:
    task = Task(task_data(bench.experiment(batches=Batches(size=5), epochs=2)))
    loader = DataLoader(task.dataset, batch_sampler=task.batch_sampler)
    look = next(iter(loader))[0].tolist()
    epochs = [[X.tolist() for X, _ in task.loader] for _ in range(2)]
    assert [[X.tolist() for X, _ in loader] for _ in range(2)] == epochs and look == epochs[0][0]
    assert [next(iter(loader))[0].tolist() for _ in range(2)] == [epoch[0] for epoch in epochs]


def groups_of(experiment: Experiment, **options: Any) -> list[dict[str, Any]]:
    """The groups, with names in the place of the parameters."""
    task = Task(task_data(experiment))
    net = torch.nn.Linear(task.features, 1, **options)
    names = {parameter: name for name, parameter in net.named_parameters()}
    return [group | {"params": [names[each] for each in group["params"]]} for group in task.param_groups(net)]


def test_parameters_with_equal_options_are_one_group_and_l2_is_weight_decay(bench: Any) -> None:
    apart = [
        {"params": ["weight"], "lr": 0.01, "weight_decay": 3.0},
        {"params": ["bias"], "lr": 0.01, "weight_decay": 0.0},
    ]
    assert groups_of(bench.experiment()) == apart
    plain = bench.experiment(penalties=(), optimizer=AdamW(lr=0.01, weight_decay=0.1))
    assert groups_of(plain) == [{"params": ["weight", "bias"], "lr": 0.01, "weight_decay": 0.1}]
    slow = Group(parameters=("bias",), optimizer=Adam(lr=0.1, betas=(0.5, 0.9)))
    betas = groups_of(bench.experiment(penalties=(), optimizer=Adam(lr=0.01), groups=(slow,)))
    assert [(group["lr"], group["betas"]) for group in betas] == [(0.01, (0.9, 0.999)), (0.1, (0.5, 0.9))]
    assert all("eps" not in group for group in betas)
    assert groups_of(bench.experiment(model=Linear(bias=False), init={}), bias=False) == apart[:1]


REFUSED: dict[str, tuple[dict[str, Any], dict[str, Any], str]] = {
    "L1": ({"penalties": (L1(strength=0.1),)}, {}, "SGD's weight_decay cannot express L1 on weight"),
    "decoupled": ({"optimizer": AdamW(lr=0.1), "penalties": (L2(strength=0.1),)}, {}, "AdamW's weight_decay"),
    "two optimizers": (
        {"penalties": (), "groups": (Group(parameters=("bias",), optimizer=Adam(lr=0.1)),)},
        {},
        "the experiment has Adam and SGD",
    ),
    "no bias": ({}, {"bias": False}, "has weight; allowed: weight and bias"),
    "a bias": ({"model": Linear(bias=False), "init": {}}, {}, "has weight and bias; allowed: weight"),
}


@pytest.mark.every_case
@pytest.mark.parametrize("what", REFUSED)
def test_groups_that_do_not_fit_are_refused_in_one_line(bench: Any, what: str) -> None:
    changes, options, text = REFUSED[what]
    with pytest.raises(InputError) as refused:
        groups_of(bench.experiment(**changes), **options)
    assert text in str(refused.value) and "\n" not in str(refused.value)


def test_a_net_of_another_size_is_refused_by_the_name_of_the_call(bench: Any) -> None:
    task = Task(task_data(bench.experiment()))
    with pytest.raises(InputError, match=r"^param_groups: weight has 5 numbers; allowed: 24"):
        task.param_groups(torch.nn.Linear(5, 1))
    with pytest.raises(InputError, match=r"^param_groups\("):
        task.param_groups(torch.nn.Sequential(torch.nn.Linear(24, 2), torch.nn.Linear(2, 1)))


def test_a_plain_loop_over_a_data_loader_agrees_with_what_it_divides_by() -> None:
    train = load(parse(f"{EXAMPLES / 'plain.py'}:train"))
    for name, verdict in (("last-mean", "agree"), ("last-full", "disagree")):
        asked = parity.load(str(EXAMPLES / f"{name}.toml"))
        trajectory, observed = trajectory_here(train, asked, "float64")
        assert diagnose(asked, trajectory, observed=observed).verdict == verdict


OWN, FULL = "agree", "the sum of a last, short accumulation window is divided by the full count"
ACROSS = (
    "accumulation windows go on over the end of an epoch, and what is left at the end of the training makes no step"
)
ADDED = (
    "the batches of a last, short accumulation window make no step, and their gradients are added to the first "
    "window of the next epoch"
)
TRAINERS = {
    "transformers_trainer": ("transformers", OWN),
    "accelerate_loop": ("accelerate", FULL),
    "lightning_automatic": ("lightning", FULL),
    "lightning_manual": ("lightning", OWN),
    "ignite_engine": ("ignite", ACROSS),
    "skorch_net": ("skorch", ADDED),
    "keras_fit": ("keras", ACROSS),
}
NOT_ASKED: dict[str, dict[str, Any]] = {
    "ignite_engine": {"clip": None},
    "skorch_net": {"clip": None},
    "keras_fit": {"optimizer": SGD(lr=0.05, momentum=0.9), "groups": ()},
}
"""What an example does not show: clipping, or decay of one parameter."""
ITS_OWN = {FULL: Accumulation(micro=3, last="full"), ACROSS: Accumulation(micro=3, across_epochs=True)}
"""The accumulation with which a trainer agrees that does not divide by the window's own count."""


@pytest.mark.slow
@pytest.mark.parametrize("example", TRAINERS)
def test_a_trainer_is_held_to_what_was_asked_and_what_it_does_with_a_short_window_is_named(example: str) -> None:
    """In a process of its own: these packages warn."""
    package, said = TRAINERS[example]
    if find_spec(package) is None:
        pytest.skip(f"{package} is not there: pip install -e '.[trainers]'")
    asked = replace(parity.load(str(EXAMPLES / "last-mean.toml")), **NOT_ASKED.get(example, {}))
    target = parse(f"{EXAMPLES / example}.py:train")
    dtype = "float32" if package == "keras" else "float64"
    if said != OWN:
        other = checked(target, asked, dtype)
        assert other.verdict == "disagree" and [finding.text for finding in other.findings] == [said]
        if said not in ITS_OWN:
            return
        asked = replace(asked, accumulation=ITS_OWN[said])
    assert checked(target, asked, dtype).verdict == "agree"


VALUES = "features|dtype|epochs|accumulate|max_norm|dataset|lr"
"""What any training has in some form; the rest of a task is there for the check."""


@pytest.mark.parametrize("example", ["plain", *TRAINERS])
def test_a_trainer_takes_six_lines_at_most_for_the_check(example: str) -> None:
    lines = (EXAMPLES / f"{example}.py").read_text(encoding="utf-8").splitlines()
    more = [line for line in lines if re.search(rf"\btask\b(?!\.({VALUES})\b)|get_train_dataloader", line)]
    assert 3 <= len([line for line in more if line != "def train(task):"]) <= 6


def checked(target: Target, asked: Experiment, dtype: str) -> Diagnosis:
    result = check_training(target, asked, dtype=dtype, limit=600.0)
    assert result is not None
    return result[0]


# -- callbacks -------------------------------------------------------------------------------------------------------


@pytest.mark.every_case
@pytest.mark.parametrize(
    ("trainer", "said"),
    [
        ("lightnin", "unknown; allowed: keras, lightning, transformers; did you mean 'lightning'?"),
        ("accelerate", "has no callbacks, and needs none"),
        ("keras", "keras: is not installed; pip install 'step-parity[trainers]'"),
    ],
)
def test_a_callback_that_there_is_not_is_refused_in_one_line(
    bench: Any, trainer: str, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "keras", None)
    with pytest.raises(InputError) as refused:
        Task(task_data(bench.experiment())).callback(trainer)
    assert said in str(refused.value) and "\n" not in str(refused.value)


def test_the_callback_of_lightning_reports_the_mean_loss_of_the_batches_of_a_step(
    bench: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    stand_in = ModuleType("lightning.pytorch")
    stand_in.Callback = object  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "lightning", ModuleType("lightning"))
    monkeypatch.setitem(sys.modules, "lightning.pytorch", stand_in)
    task = Task(task_data(bench.experiment()))
    net, trainer = torch.nn.Linear(task.features, 1), ModuleType("trainer")
    callback = task.callback("lightning")
    trainer.global_step = 0  # type: ignore[attr-defined]
    callback.on_train_start(trainer, net)
    for step, loss in ((0, 1.0), (1, 3.0), (2, 5.0)):
        trainer.global_step = step  # type: ignore[attr-defined]
        callback.on_train_batch_end(trainer, net, {"loss": torch.tensor(loss)}, None, 0)
    assert [loss for _, loss in task.records] == [None, 2.0, 5.0]
