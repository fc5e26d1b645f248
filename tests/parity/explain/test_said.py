"""Nothing is said of a run that is not so, where it once was."""

from __future__ import annotations

import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

import parity
from parity.explain import cause
from parity.explain.diagnosis import diagnose
from parity.explain.finding import Diagnosis
from parity.explain.words import words_of
from parity.features.check.in_process import trajectory_here


def diagnosed(change: Callable[..., Any], dtype: str = "float64") -> Diagnosis:
    """Training as asked by check-sgd, but for what ``change(step, net, optimizer, when)`` does."""

    def train(task: Any) -> None:
        net = nn.Linear(task.features, 1, dtype=task.dtype)
        with torch.no_grad():
            net.weight.copy_(task.weight)
            net.bias.copy_(task.bias)
        groups = [{"params": [net.weight], "weight_decay": task.l2}, {"params": [net.bias]}]
        optimizer = torch.optim.SGD(groups, lr=task.lr)
        task.record(net)
        step = 0
        for _ in range(task.epochs):
            for X, y in task.loader:
                change(step, net, optimizer, "before")
                optimizer.zero_grad()
                loss = 0.5 * (net(X) - y).square().mean()
                loss.backward()
                optimizer.step()
                change(step, net, optimizer, "after")
                task.record(net, loss=loss)
                step += 1

    experiment = parity.load("check-sgd")
    trajectory, observed = trajectory_here(train, experiment, dtype)
    return diagnose(experiment, trajectory, observed=observed)


def test_a_second_call_decays_the_weights_anew() -> None:
    found = diagnosed(lambda step, _net, optimizer, when: optimizer.step() if (step, when) == (3, "after") else None)
    assert found.text == "optimizer.step() is called twice in step 3"


@torch.no_grad()
def halved(step: int, net: Any, _optimizer: Any, when: str) -> None:
    if (step, when) == (7, "before"):
        net.weight.mul_(0.5)


def test_what_is_written_between_steps_is_no_fault_of_the_gradient() -> None:
    found = diagnosed(halved)
    assert found.text.endswith("before step 7: they are multiplied by 0.5")
    assert all(link.as_asked for link in found.links)
    assert found.effects is None


@pytest.mark.parametrize("dtype", ["float64", "bfloat16"])
def test_recorded_rates_of_one_group_are_said_as_they_are(dtype: str) -> None:
    def change(_step: int, _net: Any, optimizer: Any, _when: str) -> None:
        optimizer.param_groups[1]["lr"] = 0.012

    assert diagnosed(change, dtype).text == "lr of the bias is 0.012, asked 0.03"


def test_every_entry_of_the_words_is_said_of_something_and_has_places_for_what_is_measured() -> None:
    sources = [path.read_text(encoding="utf-8") for path in Path(cause.__file__).parents[1].rglob("*.py")]
    entries = set(tomllib.loads(Path(cause.__file__).with_name("words.toml").read_text(encoding="utf-8")))
    assert not {id for id in entries if not any(f'"{id}"' in source for source in sources)}
    with pytest.raises(KeyError):
        words_of("gradient-clipped-each", {})
    assert words_of("gradient-clipped-each", {"limit": 0.5}).text.endswith("to the norm 0.5")
