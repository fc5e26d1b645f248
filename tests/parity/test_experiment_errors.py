"""Experiment files: messages name the key, and the schema and its page are those of the registries."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, ClassVar, Literal

import numpy as np
import pytest

from parity import experiment_keys, gallery
from parity.errors import InputError
from parity.experiment_file import REGISTRIES, from_dict, load, to_toml
from refimpl.batches import Batches
from refimpl.datasets import XOR, Gaussian
from refimpl.errors import RefimplError
from refimpl.optimizers import OPTIMIZERS, SGD, ProximalSGD
from refimpl.penalties import L1
from refimpl.ranges import NonNegative, check_fields
from refimpl.schedules import SCHEDULES
from refimpl.training import Group
from refimpl.types import Array, Decay, Number, State
from tests.parity.experiment_files import XOR_TOML, parsed


def message(text: str) -> str:
    with pytest.raises(InputError) as caught:
        parsed(text)
    return str(caught.value)


# -- messages name the key ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("more", "path"),
    [
        ("lrr = 1", "optimizer.lrr: "),
        ("momentum = -1.0", "optimizer.momentum: "),
        ('momentum = "0.9"', "optimizer.momentum: "),
        ('[[penalties]]\nkind = "l1"\nstrength = 1.0\n[[penalties]]\nkind = "l2"', "penalties[1].strength: "),
        ('[[penalties]]\nkind = "l1"\nstrength = 1.0\nparameters = ["w"]', "penalties[0].parameters: "),
        ('[[penalties]]\nkind = "l1"\nstrength = 1.0\nparameters = ["weight", 2]', "penalties[0].parameters[1]: "),
        ('[[groups]]\nparameters = ["bias"]\nlr = -1.0', "groups[0].lr: "),
        ('[init.weight]\nkind = "normal"\nstd = -1.0', "init.weight.std: "),
        ('[init.weight]\nkind = "values"\nvalues = [1.0, "2"]', "init.weight.values[1]: "),
        ('[schedule]\nkind = "exponential"\ngamma = "a"', "schedule.gamma: "),
        ('[batches]\norder = "random"', "batches.order: "),
        ("[model]\nbias = 1", "model.bias: "),
    ],
)
def test_a_message_starts_with_the_path_of_the_key(more: str, path: str) -> None:
    assert message(XOR_TOML + more).startswith(path)


def test_a_long_value_is_shown_in_part() -> None:
    text = message(XOR_TOML + f"[batches]\nsize = {list(range(1000))}")
    assert text.startswith("batches.size: given [0, 1, 2") and len(text) < 200


# -- the schema is that of the registries ---------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class Cosine:
    """A schedule that the package does not have."""

    period: int
    floor: NonNegative = 0.0
    shape: Literal["half", "full"] = "half"
    per: Literal["epoch", "step"] = "epoch"

    __post_init__ = check_fields

    def at(self, count: Any, base: Mapping[str, Number]) -> dict[str, Number]:
        del count, base
        return {}


@dataclass(frozen=True, kw_only=True)
class TrustedSGD:
    """An optimizer that the package does not have."""

    decay: ClassVar[Decay] = "coupled"
    lr: NonNegative
    trust: NonNegative = 1.0
    weight_decay: NonNegative = 0.0

    __post_init__ = check_fields

    def init(self, param: Array) -> State:
        del param
        return {}

    def step(self, param: Array, grad: Array, state: State) -> tuple[Array, State]:
        del state
        return param - self.lr * self.trust * grad, {}


def test_a_new_entry_of_a_registry_can_be_read_written_and_misspelt(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(SCHEDULES, "cosine", Cosine)
    monkeypatch.setitem(OPTIMIZERS, "trusted_sgd", TrustedSGD)
    text = XOR_TOML.replace('"sgd"', '"trusted_sgd"\ntrust = 0.5') + '[schedule]\nkind = "cosine"\nperiod = 3\n'
    experiment = parsed(text)
    assert experiment.optimizer == TrustedSGD(lr=0.5, trust=0.5)
    assert experiment.schedule == Cosine(period=3)
    assert from_dict(tomllib.loads(to_toml(experiment))) == experiment
    assert "did you mean 'trust'?" in message(text.replace("trust =", "trst ="))
    assert message(text.replace("trust = 0.5", "trust = -0.5")).startswith("optimizer.trust: given -0.5")
    assert message(text.replace("period = 3", "period = 1.5")).startswith("schedule.period: given 1.5")
    assert "'half', 'full'" in message(text + 'shape = "none"')


# -- what an experiment refuses -----------------------------------------------------------------------------------


def refusal(**changes: Any) -> str:
    experiment = parsed(XOR_TOML)
    with pytest.raises(RefimplError) as caught:
        replace(experiment, **changes)
    return str(caught.value)


def test_one_experiment_has_one_value_of_each_hyper_parameter() -> None:
    assert refusal(optimizer=SGD(lr=np.array([0.1, 0.2]))).startswith("optimizer.lr: given array([0.1, 0.2])")
    assert refusal(penalties=(L1(strength=np.array([1.0])),)).startswith("penalties[0].strength: ")
    group = Group(parameters=("bias",), optimizer=SGD(lr=np.float32(0.1)))
    assert refusal(groups=(group,)).startswith("groups[0].lr: ")


def test_a_penalty_is_stated_once() -> None:
    """Inside the proximal optimizer a file could not say it, and the distance to ridge would ignore it."""
    said = refusal(optimizer=ProximalSGD(lr=0.1, penalty=L1(strength=1.0)))
    assert said.startswith("optimizer.penalty: given L1(strength=1.0") and said.endswith("state it in penalties")


def test_data_weights_and_batches_have_streams_of_their_own() -> None:
    """A change of one leaves the others as they are."""
    data = Gaussian(train_rows=6, features=3)
    experiment = replace(parsed(XOR_TOML), data=data, batches=Batches(size=2))
    material = experiment.draw()
    other = replace(experiment, data=replace(data, validation_rows=4), epochs=3).draw()
    assert all(np.array_equal(material.params[name], other.params[name]) for name in material.params)
    assert all(
        np.array_equal(a, b)
        for one, two in zip(material.order, other.order, strict=False)
        for a, b in zip(one, two, strict=True)
    )
    assert not np.array_equal(replace(experiment, seed=1).draw().dataset.X, material.dataset.X)


def test_a_drawn_experiment_has_the_inputs_that_its_data_have() -> None:
    assert set(parsed(XOR_TOML).draw().inputs) == {"X", "y"}
    assert parsed(XOR_TOML).data == XOR()


# -- the page of the keys ----------------------------------------------------------------------------------------------


def test_the_page_of_the_keys_is_what_the_code_says() -> None:
    page = (Path(__file__).parents[2] / "docs" / "keys.md").read_text(encoding="utf-8")
    assert page == experiment_keys.page()


def test_every_table_of_that_page_is_what_it_says() -> None:
    plain = tomllib.loads(to_toml(load(gallery.FOLDER / "check-mse.toml")))
    for part in experiment_keys.PARTS:
        for kind, made in REGISTRIES[part].items():
            if kind != "cross_entropy":  # of classes, which these data are not
                read = getattr(from_dict(plain | tomllib.loads(experiment_keys.toml(part, kind))), part)
                assert (read[0] if part == "penalties" else read) == experiment_keys.example(made)
