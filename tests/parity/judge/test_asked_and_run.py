"""A run of something else than what was asked is caught where it first differs."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import parity
from parity.judge.verdict import judge
from refimpl.batches import Batches
from refimpl.datasets import File, Gaussian
from refimpl.initial_weights import Normal
from refimpl.losses import SquaredError
from refimpl.optimizers import SGD, SGDW, ProximalSGD
from refimpl.penalties import L1, L2, ElasticNet
from refimpl.schedules import Exponential, Step
from refimpl.training import Group
from tests.parity.judge.cases import BOTH, FORMULATIONS, MOMENTUM, NESTEROV, first


@pytest.mark.parametrize("formulation", FORMULATIONS)
@pytest.mark.parametrize(("dtype", "of_lambda", "of_eta"), [("float64", 2e-14, 2e-15), ("float32", 1e-5, 1e-6)])
def test_the_smallest_faults_on_the_textbook_experiment(
    formulation: str, dtype: str, of_lambda: float, of_eta: float, bench: Any
) -> None:
    asked = parity.load("s0-scratch-lam3")
    assert bench.judge(asked, dtype=dtype, formulation=formulation).name == "agree"
    expected = "gradient off span" if formulation == "loss" else "update weight"
    for sign in (1, -1):
        strength = replace(asked, penalties=(L2(strength=3.0 * (1 + sign * of_lambda)),))
        assert first(judge(asked, bench.torch(strength, dtype=dtype, formulation=formulation))) == (expected, 0)
        rate = replace(asked, optimizer=SGD(lr=0.01 * (1 + sign * of_eta)))
        assert first(judge(asked, bench.torch(rate, dtype=dtype, formulation=formulation))) == ("update weight", 0)


# Parts of the small experiment as asked, what torch ran instead, and where that first shows.
ASKED_AND_RUN: dict[str, tuple[dict[str, Any], dict[str, Any], dict[str, Any], tuple[str, int]]] = {
    "bias decayed, in the loss": (
        {},
        {"penalties": (L2(strength=3.0, parameters=BOTH),)},
        {"formulation": "loss"},
        ("objective", 0),
    ),
    "bias decayed, by weight_decay": (
        {},
        {"penalties": (L2(strength=3.0, parameters=BOTH),)},
        {"formulation": "weight_decay"},
        ("update bias", 0),
    ),
    "bias not decayed": (
        {"penalties": (L2(strength=3.0, parameters=BOTH),)},
        {},
        {"formulation": "weight_decay"},
        ("update bias", 0),
    ),
    "no ½ in the loss": ({}, {"loss": SquaredError(factor=1.0, reduction="mean")}, {}, ("train loss", 0)),
    "a sum for a mean": ({}, {"loss": SquaredError(factor=0.5, reduction="sum")}, {}, ("train loss", 0)),
    "penalty not squared": ({}, {"penalties": (L1(strength=3.0),)}, {"formulation": "loss"}, ("objective", 0)),
    "λ twice": ({}, {"penalties": (L2(strength=6.0),)}, {"formulation": "weight_decay"}, ("update weight", 0)),
    "λ forgotten": ({}, {"penalties": ()}, {"formulation": "manual"}, ("update weight", 0)),
    "momentum a millionth off": (
        MOMENTUM,
        {"optimizer": SGD(lr=0.01, momentum=0.9 * (1 + 1e-6))},
        {"dtype": "float32"},
        ("state weight.momentum_buffer", 1),
    ),
    "momentum forgotten": (MOMENTUM, {}, {}, ("state weight.momentum_buffer", 0)),
    "momentum unasked": ({}, MOMENTUM, {}, ("state weight.momentum_buffer", 0)),
    "dampening unasked": (
        MOMENTUM,
        {"optimizer": SGD(lr=0.01, momentum=0.9, dampening=1e-12)},
        {},
        ("state weight.momentum_buffer", 1),
    ),
    "Nesterov unasked": (MOMENTUM, NESTEROV, {}, ("update weight", 0)),
    "maximize unasked": ({}, {"optimizer": SGD(lr=0.01, maximize=True)}, {}, ("update weight", 0)),
    "other initial weights": (
        {},
        {"init": {"weight": Normal(std=0.01 * (1 + 1e-15)), "bias": Normal(std=0.1)}},
        {},
        ("initial weight", 0),
    ),
    "initial bias forgotten": ({}, {"init": {"weight": Normal(std=0.01)}}, {}, ("initial bias", 0)),
    "other data": ({}, {"data": Gaussian(train_rows=12, validation_rows=6, features=24, bias=0.06)}, {}, ("data y", 0)),
    "rows in another order": ({}, {"batches": Batches(size=5, order="fixed")}, {}, ("loss", 0)),
    "schedule unasked": ({}, {"schedule": Step(step_size=2, gamma=1 - 1e-15)}, {}, ("update weight", 6)),
    "schedule by steps for one by epochs": (
        {"schedule": Step(step_size=1, gamma=0.5)},
        {"schedule": Step(step_size=1, gamma=0.5, per="step")},
        {},
        ("update weight", 1),
    ),
    "schedule of another rate": (
        {"schedule": Exponential(gamma=0.9)},
        {"schedule": Exponential(gamma=0.9 * (1 + 1e-6))},
        {"dtype": "float32"},
        ("update weight", 3),
    ),
    "a group's rate": (
        {"groups": (Group(parameters=("bias",), optimizer=SGD(lr=0.1)),)},
        {},
        {},
        ("update bias", 0),
    ),
    "l1 of the elastic net": (
        {"penalties": (ElasticNet(l1=0.5, l2=1.0),)},
        {"penalties": (ElasticNet(l1=0.5 * (1 + 1e-6), l2=1.0),)},
        {"formulation": "manual", "dtype": "float32"},
        ("gradient weight", 0),
    ),
    "strength of the proximal step": (
        {"penalties": (L1(strength=0.5),), "optimizer": ProximalSGD(lr=0.01)},
        {"penalties": (L1(strength=0.5 * (1 + 1e-6)),), "optimizer": ProximalSGD(lr=0.01)},
        {"formulation": "manual", "dtype": "float32"},
        ("update weight", 0),
    ),
    "decay of SGDW": (
        {"optimizer": SGDW(lr=0.01, weight_decay=1.0), "penalties": ()},
        {"optimizer": SGDW(lr=0.01, weight_decay=1.0 + 1e-4), "penalties": ()},
        {"formulation": "manual", "dtype": "float32"},
        ("update weight", 0),
    ),
    "decay of the optimizer left out of what is asked": (
        {},
        {"optimizer": SGD(lr=0.01, weight_decay=0.001)},
        {"formulation": "loss", "dtype": "float32"},
        ("update weight", 0),
    ),
}


@pytest.mark.parametrize("what", ASKED_AND_RUN)
def test_a_run_of_something_else_is_caught(what: str, bench: Any) -> None:
    asked, ran, setting, where = ASKED_AND_RUN[what]
    experiment = bench.experiment(**asked)
    assert bench.judge(experiment, **setting).name == "agree"
    verdict = judge(experiment, bench.torch(bench.experiment(**ran), **setting))
    assert first(verdict) == where
    assert verdict.used[where[0]] > 1 or verdict.first.allowance == 0


def test_swapped_rows_of_a_file_are_caught(bench: Any, tmp_path: Path) -> None:
    rows = [f"{x},{x * x},{1 - x}" for x in range(6)]
    (tmp_path / "rows.csv").write_text("\n".join(rows))
    (tmp_path / "swapped.csv").write_text("\n".join([rows[0], rows[2], rows[1], *rows[3:]]))
    asked, ran = (
        bench.experiment(data=File(path=str(tmp_path / name)), batches=Batches())
        for name in ("rows.csv", "swapped.csv")
    )
    assert bench.judge(asked).name == "agree"
    assert first(judge(asked, bench.torch(ran))) == ("data X", 0)


def test_batches_exchanged_in_the_second_epoch_are_caught_there(bench: Any) -> None:
    experiment = bench.experiment(**MOMENTUM)
    order = experiment.draw().order
    exchanged = (order[0], (order[1][1], order[1][0], order[1][2]), order[2])
    assert judge(experiment, bench.numpy(experiment)).name == "agree"
    assert first(judge(experiment, bench.numpy(experiment, order=exchanged))) == ("loss", 3)
