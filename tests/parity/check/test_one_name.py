"""A fault has one name, one text and one advice, whether a training function or an optimizer class has it."""

from __future__ import annotations

import tomllib
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import torch

import parity
from parity.explain import words
from parity.explain.catalogue import EVERY
from parity.explain.diagnosis import diagnose
from parity.features.check.examine import examine
from parity.features.check.in_process import trajectory_here
from parity.features.check.optimizer import conclude
from tests.parity.check.classes import made

pytestmark = pytest.mark.usefixtures("few_situations")
FOLDER = Path(words.__file__).parent


def test_no_fault_has_its_words_in_two_places() -> None:
    listed = [
        {
            entry["id"]
            for entries in tomllib.loads((FOLDER / path).read_text(encoding="utf-8")).values()
            for entry in entries
            if "text" in entry
        }
        for path in ("catalogue/names.toml", "update/vocabulary.toml")
    ]
    measured = set(tomllib.loads((FOLDER / "words.toml").read_text(encoding="utf-8")))
    assert not {id for id, count in Counter(id for ids in (*listed, measured) for id in ids).items() if count > 1}
    assert all(name.text for name in EVERY.values())


def adamw(fault: str) -> type[torch.optim.Optimizer]:
    """AdamW with a fault in it."""

    def step(param: Any, grad: Any, group: dict[str, Any], state: dict[str, Any]) -> None:
        lr, decay, t = group["lr"], group["weight_decay"], state.get("t", 0) + 1
        state["t"] = t
        sign = -1 if fault == "penalty-wrong-sign" else 1
        if fault == "coupled-for-decoupled":
            grad = grad + decay * param
        elif fault == "decay-not-times-lr":
            param.mul_(1 - decay)
        elif fault == "decay-times-lr-twice":
            param.mul_(1 - lr * lr * decay)
        elif fault != "decay-after-step":
            param.mul_(1 - sign * lr * decay)
        m = state["m"] = 0.85 * state.get("m", 0) + 0.15 * grad
        v = state["v"] = 0.97 * state.get("v", 0) + 0.03 * grad * grad
        m = m if fault == "bias-correction-missing-first" else m / (1 - 0.85**t)
        param.sub_(lr * m / ((v / (1 - 0.97**t)).sqrt() + 1e-3))
        if fault == "decay-after-step":
            param.mul_(1 - lr * decay)

    return made(step, "AdamW")


RULE = "adamw(betas=(0.85, 0.97), eps=1e-3)"
FAULTS = (
    "decay-after-step",
    "decay-not-times-lr",
    "decay-times-lr-twice",
    "coupled-for-decoupled",
    "penalty-wrong-sign",
    "bias-correction-missing-first",
)


@pytest.mark.parametrize("fault", FAULTS)
def test_a_class_and_a_training_function_have_one_name_for_a_fault(fault: str) -> None:
    experiment = parity.load("check-adamw")

    def train(task: Any) -> None:
        net = torch.nn.Linear(task.features, 1, dtype=task.dtype)
        with torch.no_grad():
            net.weight.copy_(task.weight)
            net.bias.copy_(task.bias)
        optimizer: Any = adamw(fault)(net.parameters(), lr=task.lr, weight_decay=0.3)
        task.record(net)
        for _ in range(task.epochs):
            for X, y in task.loader:
                optimizer.zero_grad()
                (0.5 * (net(X) - y).square().mean()).backward()
                optimizer.step()
                task.record(net)

    trajectory, observed = trajectory_here(train, experiment, "float64")
    of_function = diagnose(experiment, trajectory, observed=observed).findings[0]
    hyper = {"lr": 0.01, "weight_decay": 0.3}
    of_class = conclude(examine(adamw(fault), hyper, ("float64",)), hyper, RULE).findings[0]
    assert of_class.id == of_function.id == fault
    assert of_class.text == of_function.text
    assert of_class.change.partition("; as asked: ")[0] == of_function.change.partition("; as asked: ")[0]


@pytest.mark.parametrize(
    ("name", "asked", "executed", "decoupled", "id", "text"),
    [
        ("lr", 0.01, 0.005, False, "lr-halved", "η is half of what was asked (lr = 0.005, asked 0.01)"),
        ("eps", 1e-8, 1e-6, False, "eps-other", "ε is 100 times what was asked (eps = 1e-06, asked 1e-08)"),
        ("eps", 0.0, 1e-8, False, "eps-other", "eps is not what was asked (eps = 1e-08, asked 0)"),
        ("weight_decay", 0.0, 0.1, False, "penalty-extra-on-all", "every parameter has an L2 penalty with λ = 0.1"),
        ("weight_decay", 0.0, 0.1, True, "decay-extra", "every parameter is decayed by w·(1 − ηλ) with λ = 0.1"),
        ("betas[1]", 0.999, 0.99, True, "beta2-other", "β₂ is 0.99, and not what was asked"),
        ("k", 4, 5, False, "k-other", "k is not what was asked (k = 5, asked 4)"),
    ],
)
def test_a_number_has_the_words_of_the_catalogue_as_far_as_they_are_so(
    name: str, asked: float, executed: float, decoupled: bool, id: str, text: str
) -> None:
    its, of = words.of_number(name, asked, executed, decoupled=decoupled)
    assert its == id and of.text.startswith(text), of.text
