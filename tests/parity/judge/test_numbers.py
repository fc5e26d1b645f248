"""One wrong number is caught where it is, and so is what a step must leave alone."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

import parity
from parity.backends import torch_autograd
from parity.judge.verdict import judge
from refimpl.penalties import L2
from refimpl.trajectory import SideEffect
from tests.parity.judge.cases import DTYPES, MOMENTUM, NESTEROV, OTHERS, first

# -- faults in single numbers ----------------------------------------------------------------------------------------

# What is moved by how many units in the last place, and where that first shows; 9 steps, 3 per epoch.
NUMBERS: dict[str, tuple[str, tuple[int, ...], dict[str, float], tuple[str, int]]] = {
    "a weight after step 6": ("params/weight", (7, 0, 0, 5), dict.fromkeys(DTYPES, 2), ("update weight", 6)),
    "the bias after the last step": ("params/bias", (9, 0, 0), dict.fromkeys(DTYPES, 2), ("update bias", 8)),
    "a buffer after step 6": (
        "state/weight.momentum_buffer",
        (6, 0, 0, 5),
        dict.fromkeys(DTYPES, 4),
        ("state weight.momentum_buffer", 6),
    ),
    "a gradient at step 6": (
        "gradients/weight",
        (6, 0, 0, 5),
        {"float64": 512, "float32": 512, "bfloat16": 32, "float16": 32},
        ("gradient weight", 6),
    ),
    "the loss at step 6": ("loss", (6, 0), {"float64": 64, "float32": 64, "bfloat16": 16, "float16": 16}, ("loss", 6)),
    "the objective at step 6": (
        "objective",
        (6, 0),
        {"float64": 64, "float32": 64, "bfloat16": 16, "float16": 16},
        ("objective", 6),
    ),
    "the norm before step 7": (
        "norm",
        (7, 0),
        {"float64": 32, "float32": 32, "bfloat16": 4, "float16": 4},
        ("norm", 7),
    ),
    "the train loss after two epochs": (
        "train_loss",
        (2, 0),
        {"float64": 64, "float32": 64, "bfloat16": 8, "float16": 8},
        ("train loss", 6),
    ),
    "the validation loss at the end": (
        "validation_loss",
        (3, 0),
        {"float64": 64, "float32": 64, "bfloat16": 16, "float16": 16},
        ("validation loss", 9),
    ),
    "an initial weight": ("params/weight", (0, 0, 0, 5), dict.fromkeys(DTYPES, 1), ("initial weight", 0)),
    "an input": ("inputs/X", (0, 3, 4), dict.fromkeys(DTYPES, 1), ("data X", 0)),
    "a target": ("inputs/y", (0, 3, 0), dict.fromkeys(DTYPES, 1), ("data y", 0)),
    "a validation row": ("inputs/X_validation", (0, 3, 4), dict.fromkeys(DTYPES, 1), ("data X_validation", 0)),
}


@pytest.mark.parametrize(
    ("what", "dtype"),
    [(what, "float32") for what in NUMBERS]
    + [(what, dtype) for what in ("a weight after step 6", "a gradient at step 6") for dtype in OTHERS],
)
def test_one_wrong_number_is_caught_where_it_is(what: str, dtype: str, bench: Any, bump: Callable[..., Any]) -> None:
    name, index, ulps, where = NUMBERS[what]
    experiment = bench.experiment(**MOMENTUM)
    trajectory = bench.torch(experiment, dtype=dtype)
    assert judge(experiment, trajectory).name == "agree"
    for sign in (1, -1):
        verdict = judge(experiment, bump(trajectory, name, index, sign * ulps[dtype]))
        assert first(verdict) == where
        if len(index) > 2:
            assert verdict.first.index == index[2:] or where[0].startswith("data")


@pytest.mark.parametrize("name", ["params/weight", "gradients/weight", "loss", "norm", "train_loss"])
def test_nan_and_inf_are_caught(name: str, bench: Any) -> None:
    experiment = bench.experiment()
    trajectory = bench.torch(experiment)
    part, _, key = name.partition("/")
    old = getattr(trajectory, part)
    for value in (np.nan, np.inf):
        new = (old[key] if key else old).copy()
        new[2] = value
        changed = replace(trajectory, **{part: {**old, key: new} if key else new})
        assert judge(experiment, changed).name == "disagree"


def test_a_part_of_the_gradient_outside_of_the_span_is_caught_below_the_bound_of_the_whole(bench: Any) -> None:
    """The penalty of a weight 1e-14 off: too small for the elementwise bound, not for the projected one."""
    asked = parity.load("s0-scratch-lam3")
    trajectory = bench.torch(replace(asked, penalties=(L2(strength=3.0 * (1 + 1e-14)),)))
    verdict = judge(asked, trajectory)
    assert first(verdict) == ("gradient off span", 0)
    assert verdict.used["gradient weight"] < 1 < verdict.used["gradient off span"]


def test_the_projected_check_is_blind_to_a_wrong_factor_and_the_plain_one_is_not(bench: Any) -> None:
    experiment = bench.experiment(penalties=())
    trajectory = bench.torch(experiment)
    doubled = replace(trajectory, gradients={name: 2 * g for name, g in trajectory.gradients.items()})
    verdict = judge(experiment, doubled)
    assert verdict.used["gradient off span"] < 1 < verdict.used["gradient weight"]


# -- what a step must leave alone ------------------------------------------------------------------------------------


def test_a_gradient_changed_by_the_step_is_caught(bench: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    step = torch.optim.SGD.step

    def and_then_touch(self: Any, *words: Any) -> Any:
        done = step(self, *words)
        self.param_groups[0]["params"][0].grad[0, 3] *= 2
        return done

    experiment = bench.experiment()
    monkeypatch.setattr(torch.optim.SGD, "step", and_then_touch)
    verdict = bench.judge(experiment)
    assert first(verdict) == ("untouched gradients/weight", 0)
    assert verdict.first.index == (0, 3)
    assert verdict.first.candidate == 2 * verdict.first.expected


def test_inputs_changed_by_training_are_caught(bench: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def touch(self: Any) -> None:
        self.inputs["X"][2, 1] += self.epoch == 3

    monkeypatch.setattr(torch_autograd.Autograd, "end_of_epoch", touch)
    verdict = bench.judge(bench.experiment())
    assert first(verdict) == ("untouched inputs/X", 9)
    assert verdict.first.index == (2, 1)


def test_a_recorded_side_effect_is_a_disagreement(bench: Any) -> None:
    experiment = bench.experiment()
    trajectory = bench.torch(experiment)
    effect = SideEffect(step=4, tensor="gradients/bias", index=(0,), before=1.0, after=2.0)
    assert first(judge(experiment, replace(trajectory, side_effects=(effect,)))) == ("untouched gradients/bias", 4)


def test_torchs_foreach_nesterov_is_reported_where_it_changes_gradients(bench: Any) -> None:
    """It adds the momentum into ``.grad`` itself; the weights are right."""
    p = torch.nn.Parameter(torch.ones(3))
    p.grad = torch.ones(3)
    torch.optim.SGD([p], lr=0.1, momentum=0.5, nesterov=True, foreach=True).step()
    if torch.equal(p.grad, torch.ones(3)):
        pytest.skip("this torch leaves gradients alone")
    for dtype in DTYPES:
        verdict = bench.judge(bench.experiment(**NESTEROV), dtype=dtype, implementation="foreach")
        assert first(verdict) == ("untouched gradients/weight", 0)
        assert verdict.used["update weight"] <= 1
