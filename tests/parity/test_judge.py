"""The judge agrees with every correct run, and finds every planted fault where it was planted."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import parity
from parity.backends import torch_autograd
from parity.errors import Unsupported
from parity.experiment import Experiment
from parity.judge.verdict import judge
from parity.step.expected import Expected, Quantity, compare, expect
from refimpl.arithmetic.bounded import Bounded, Profile
from refimpl.arithmetic.formats import FORMATS
from refimpl.batches import Batches
from refimpl.datasets import File, Gaussian
from refimpl.errors import ShapeError
from refimpl.initial_weights import Constant as ConstantInit
from refimpl.initial_weights import Normal, TorchDefault, Values
from refimpl.losses import SquaredError
from refimpl.models import Linear
from refimpl.optimizers import SGD, SGDW, ProximalSGD
from refimpl.penalties import L1, L2, ElasticNet
from refimpl.schedules import Constant, Exponential, Step
from refimpl.training import Group
from refimpl.trajectory import SideEffect, Trajectory
from refimpl.types import Array, State

DTYPES = ("float64", "float32", "bfloat16", "float16")
LOW = ("bfloat16", "float16")
OTHERS = ("float64", *LOW)
"""Every part of the judge is tried in float32, and some of them in all dtypes."""
ULP = {"float64": 2.0**-52, "float32": 2.0**-23, "bfloat16": 2.0**-7, "float16": 2.0**-10}  # of 1
FORMULATIONS = ("loss", "weight_decay", "manual")
MOMENTUM = {"optimizer": SGD(lr=0.01, momentum=0.9)}
NESTEROV = {"optimizer": SGD(lr=0.01, momentum=0.9, nesterov=True)}
BOTH = ("weight", "bias")
BARE = {"penalties": ()}

# Parts of the small experiment → the formulations that torch has for them.
ALL, IN_THE_LOSS, BY_HAND = FORMULATIONS, ("loss", "manual"), ("manual",)
CORRECT: dict[str, tuple[dict[str, Any], tuple[str, ...]]] = {
    "plain": ({}, ALL),
    "no penalty": ({"penalties": ()}, ALL),
    "momentum": (MOMENTUM, ALL),
    "dampening": ({"optimizer": SGD(lr=0.01, momentum=0.9, dampening=0.3)}, ALL),
    "Nesterov": (NESTEROV, ALL),
    "maximize": ({"optimizer": SGD(lr=0.01, momentum=0.5, maximize=True)}, IN_THE_LOSS),
    "maximize with decay": ({"optimizer": SGD(lr=0.01, weight_decay=3.0, maximize=True), "penalties": ()}, ALL),
    "decay of the optimizer": ({"optimizer": SGD(lr=0.01, weight_decay=3.0), "penalties": ()}, ALL),
    "a step schedule by epochs": ({"schedule": Step(step_size=2, gamma=0.5)}, ALL),
    "a step schedule by steps": ({"schedule": Step(step_size=2, gamma=0.3, per="step")}, ALL),
    "an exponential schedule by epochs": ({"schedule": Exponential(gamma=0.9)}, ALL),
    "an exponential schedule by steps": ({"schedule": Exponential(gamma=0.9, per="step"), **MOMENTUM}, ALL),
    "parameter groups": ({"groups": (Group(parameters=("bias",), optimizer=SGD(lr=0.1, momentum=0.5)),)}, ALL),
    "elastic net": ({"penalties": (ElasticNet(l1=0.5, l2=2.0),)}, IN_THE_LOSS),
    "L1": ({"penalties": (L1(strength=0.5),)}, IN_THE_LOSS),
    "L2 on weight and bias": ({"penalties": (L2(strength=3.0, parameters=BOTH),)}, ALL),
    "L2 and L1": ({"penalties": (L2(strength=3.0), L1(strength=0.5))}, IN_THE_LOSS),
    "proximal L1": ({"penalties": (L1(strength=0.5),), "optimizer": ProximalSGD(lr=0.01)}, BY_HAND),
    "proximal elastic net": ({"penalties": (ElasticNet(l1=0.5, l2=5.0),), "optimizer": ProximalSGD(lr=0.01)}, BY_HAND),
    "decoupled decay": ({"optimizer": SGDW(lr=0.01, momentum=0.9, weight_decay=1.0), "penalties": ()}, BY_HAND),
    "decoupled decay with Nesterov": (
        {"optimizer": SGDW(lr=0.01, momentum=0.9, weight_decay=1.0, nesterov=True), "penalties": ()},
        BY_HAND,
    ),
    "a sum": ({"loss": SquaredError(factor=1.0, reduction="sum"), "optimizer": SGD(lr=0.001)}, ALL),
    "a mean without the half": ({"loss": SquaredError(factor=1.0, reduction="mean")}, ALL),
    "a factor of its own": ({"loss": SquaredError(factor=0.3, reduction="mean")}, ALL),
    "no bias": ({"model": Linear(bias=False), "init": {"weight": Normal(std=0.01)}}, ALL),
    "full batches": ({"batches": Batches()}, ALL),
    "fixed batches, the last one left out": ({"batches": Batches(size=5, order="fixed", drop_last=True)}, ALL),
    "batches of one row": ({"batches": Batches(size=1), "epochs": 1}, ALL),
    "large weights": ({"init": {"weight": Normal(std=100.0)}}, ALL),
    "torch's own initial weights": ({"init": {"weight": TorchDefault(), "bias": TorchDefault()}}, ALL),
}


def first(verdict: Any) -> tuple[str, int]:
    assert verdict.name == "disagree", verdict.text
    return str(verdict.first.quantity), verdict.first.step


# -- correct runs agree ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("what", "dtype"),
    [(what, "float32") for what in CORRECT]
    + [
        pytest.param(
            what, dtype, marks=() if what in ("Nesterov", "parameter groups", "L2 and L1") else pytest.mark.slow
        )
        for what in CORRECT
        for dtype in OTHERS
    ],
)
def test_torch_agrees(what: str, dtype: str, bench: Any) -> None:
    parts, formulations = CORRECT[what]
    experiment = bench.experiment(**parts)
    for formulation in formulations:
        verdict = bench.judge(experiment, dtype=dtype, formulation=formulation)
        assert verdict.name == "agree", (formulation, verdict.text)
        assert max(verdict.used.values()) <= 1


@pytest.mark.parametrize(
    ("what", "dtype"),
    [(what, "float32") for what in ("plain", "dampening", "parameter groups", "maximize", "full batches")]
    + [("momentum", dtype) for dtype in DTYPES],
)
def test_torchs_foreach_agrees(what: str, dtype: str, bench: Any) -> None:
    parts, formulations = CORRECT[what]
    for formulation in formulations[:-1]:
        verdict = bench.judge(bench.experiment(**parts), dtype=dtype, formulation=formulation, implementation="foreach")
        assert verdict.name == "agree", (formulation, verdict.text)


@pytest.mark.parametrize(
    ("what", "dtype"),
    [(what, "float32") for what in ("plain", "momentum", "dampening", "Nesterov", "parameter groups", "maximize")]
    + [("momentum", "float64")],
)
def test_torchs_fused_agrees(what: str, dtype: str, bench: Any) -> None:
    parts, formulations = CORRECT[what]
    for formulation in formulations[:-1]:
        verdict = bench.judge(bench.experiment(**parts), dtype=dtype, formulation=formulation, implementation="fused")
        assert verdict.name == "agree", (formulation, verdict.text)


@pytest.mark.parametrize("features", [1, 3, 7, 8, 15, 16, 17, 31, 33, 100, 1000])
def test_sizes_at_the_edges_of_vector_kernels_agree(features: int, bench: Any) -> None:
    experiment = bench.experiment(data=Gaussian(train_rows=12, features=features), **MOMENTUM, epochs=1)
    for dtype in DTYPES if features == 17 else ("float32",):
        for implementation in ("for-loop", "foreach"):
            verdict = bench.judge(experiment, dtype=dtype, formulation="weight_decay", implementation=implementation)
            assert verdict.name == "agree", (dtype, implementation, verdict.text)


@pytest.mark.parametrize("dtype", DTYPES)
def test_the_tolerance_is_not_loose(dtype: str, bench: Any) -> None:
    """Some correct run uses a tenth of the bound on each tensor of the optimizer's step."""
    for formulation in FORMULATIONS:
        used = bench.judge(bench.experiment(**MOMENTUM), dtype=dtype, formulation=formulation).used
        tensors = [f"{what} {name}" for name in BOTH for what in ("update",)] + [
            f"state {name}.momentum_buffer" for name in BOTH
        ]
        assert {tensor: used[tensor] for tensor in tensors if not 0.1 <= used[tensor] <= 1} == {}


def test_every_kind_of_quantity_is_checked(bench: Any) -> None:
    comparisons = bench.judge(bench.experiment(**MOMENTUM)).comparisons
    assert {str(c.quantity) for c in comparisons} == {
        *("initial weight", "initial bias", "data X", "data y", "data X_validation", "data y_validation"),
        *("loss", "objective", "gradient weight", "gradient bias", "gradient off span"),
        *("update weight", "update bias", "state weight.momentum_buffer", "state bias.momentum_buffer"),
        *("norm", "train loss", "validation loss"),
    }
    steps = {str(c.quantity): c.steps.tolist() for c in comparisons}
    for quantity in ("loss", "objective", "gradient weight", "update weight", "state weight.momentum_buffer"):
        assert steps[quantity] == list(range(9))
    assert steps["norm"] == list(range(10))
    assert steps["train loss"] == steps["validation loss"] == [0, 3, 6, 9]


def test_a_trajectory_from_a_file_has_the_same_verdict(bench: Any, tmp_path: Path) -> None:
    experiment = bench.experiment(**MOMENTUM)
    for dtype, formulation in (("bfloat16", "manual"), ("float32", "loss")):
        trajectory = bench.torch(experiment, dtype=dtype, formulation=formulation)
        trajectory.save(tmp_path / "run.npz")
        again = judge(experiment, Trajectory.load(tmp_path / "run.npz"))
        assert (again.name, again.used) == ("agree", judge(experiment, trajectory).used)


def test_a_run_that_declares_no_profile_has_the_pessimistic_one(bench: Any) -> None:
    """Sums are then taken to round to the dtype: the gradient's bound is wider, the update's is not."""
    experiment = bench.experiment()
    declared = bench.torch(experiment, dtype="bfloat16", formulation="weight_decay")
    meta = {key: value for key, value in declared.meta.items() if key != "profile"}
    known, unknown = judge(experiment, declared).used, judge(experiment, replace(declared, meta=meta)).used
    assert declared.meta["profile"]["loss"]["accumulate"] == "float32"
    assert unknown["gradient weight"] < known["gradient weight"]
    assert unknown["update weight"] == known["update weight"]


def test_a_run_that_diverges_is_undecidable_from_the_step_on_where_it_may_overflow(bench: Any) -> None:
    verdict = bench.judge(bench.experiment(optimizer=SGD(lr=1e200)))
    (step,) = {c.first_unknown for c in verdict.comparisons if str(c.quantity) == "update weight"}
    assert 0 < step < 9
    assert (verdict.name, verdict.undecidable) == ("undecidable", ())
    assert verdict.text.startswith(f"agrees before step {step}; from there on numbers may overflow")


def test_a_gradient_that_overflowed_is_a_buffer_that_overflowed(bench: Any) -> None:
    """∞ in, ∞ out: the state equals what it must be."""
    data = Gaussian(train_rows=12, features=24, scale=60.0, weight=9.0)
    experiment = bench.experiment(data=data, loss=SquaredError(factor=2.0, reduction="sum"), **BARE, **MOMENTUM)
    trajectory = bench.torch(experiment, dtype="float16", formulation="manual")
    assert np.isinf(trajectory.state["weight"]["momentum_buffer"][0]).any()
    assert judge(experiment, trajectory).name == "undecidable"


@pytest.mark.parametrize("dtype", LOW)
def test_a_double_may_be_narrowed_directly_or_by_way_of_float32(dtype: str, bench: Any) -> None:
    """Just above the middle between 1 and the next number: float32 rounds to the middle, and that is then even."""
    value = 1 + ULP[dtype] / 2 + 2.0**-40
    init = {"weight": Values(values=(value, 1.0)), "bias": ConstantInit(value=0.5)}
    experiment = bench.experiment(data=Gaussian(train_rows=12, features=2), init=init, epochs=1, batches=Batches())
    trajectory = bench.torch(experiment, dtype=dtype)
    assert judge(experiment, trajectory).name == "agree"
    weight = trajectory.params["weight"].copy()
    for start, allowed in ((1.0, True), (1 + ULP[dtype], True), (1 - ULP[dtype], False), (1 + 2 * ULP[dtype], False)):
        weight[0, 0, 0, 0] = start
        verdict = judge(experiment, replace(trajectory, params={**trajectory.params, "weight": weight}))
        initial = next(c for c in verdict.comparisons if str(c.quantity) == "initial weight")
        assert (initial.disagreement is None) == allowed, start


def test_losses_that_overflow_are_counted_apart(bench: Any) -> None:
    """The squares of float16 residuals overflow long before the weights do."""
    parts = {"data": Gaussian(train_rows=12, features=24, weight=20.0), "optimizer": SGD(lr=1e-4), **BARE}
    verdict = bench.judge(bench.experiment(**parts), dtype="float16")
    unknown = sum(c.unknown for c in verdict.comparisons)
    held = sum(c.elements for c in verdict.comparisons) - unknown
    assert verdict.name == "agree" and unknown > 0
    assert verdict.text.startswith(f"{held:,} numbers within tolerance")
    assert verdict.text.endswith(f"; {unknown:,} more have no bound, because numbers may overflow")


# -- faults in what torch was asked to run ----------------------------------------------------------------------------


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


# -- faults in the optimizer's step ----------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class DampenedFirstStep(SGD):
    """b ← (1 − τ)g at the first step, too."""

    def step(self, param: Array, grad: Array, state: State) -> tuple[Array, State]:
        return super().step(param, grad, state or {"momentum_buffer": np.zeros_like(param)})


@dataclass(frozen=True, kw_only=True)
class StaleGradient(SGD):
    """The gradient of the step before."""

    memory: dict[int, Any] = field(default_factory=dict)

    def step(self, param: Array, grad: Array, state: State) -> tuple[Array, State]:
        old = self.memory.get(param.ndim, grad)
        self.memory[param.ndim] = grad
        return super().step(param, old, state)


@dataclass(frozen=True, kw_only=True)
class RateInTheVelocity(SGD):
    """Sutskever's form: b ← μb + ηg, w ← w − b."""

    def step(self, param: Array, grad: Array, state: State) -> tuple[Array, State]:
        b = self.momentum * state.get("momentum_buffer", 0) + self.lr * (grad + self.weight_decay * param)
        return param - b, {"momentum_buffer": b}


@dataclass(frozen=True, kw_only=True)
class DecayFromTheNewWeights(SGD):
    """w ← (w − ηg)/(1 + ηλ): implicit."""

    def step(self, param: Array, grad: Array, state: State) -> tuple[Array, State]:
        del state
        return (param - self.lr * grad) / (1 + self.lr * self.weight_decay), {}


@dataclass(frozen=True, kw_only=True)
class LastElementForgotten(SGD):
    """A vector kernel without its tail."""

    def step(self, param: Array, grad: Array, state: State) -> tuple[Array, State]:
        new, state = super().step(param, grad, state)
        new[..., -1] = param[..., -1]
        return new, state


@dataclass(frozen=True, kw_only=True)
class UninitialisedMemory(SGD):
    """One element of the weights is nan, once there is a buffer."""

    def step(self, param: Array, grad: Array, state: State) -> tuple[Array, State]:
        new, after = super().step(param, grad, state)
        if state and param.ndim == 3:
            new[..., 5] = np.nan
        return new, after


@dataclass(frozen=True, kw_only=True)
class SinglePrecision(SGD):
    """Weights that pass through float32."""

    def step(self, param: Array, grad: Array, state: State) -> tuple[Array, State]:
        new, state = super().step(param, grad, state)
        return new.astype(np.float32).astype(float), state


@dataclass(frozen=True, kw_only=True)
class BufferOfWeights(SGD):
    """The buffer keeps the gradient without λw, as decoupled decay would."""

    def step(self, param: Array, grad: Array, state: State) -> tuple[Array, State]:
        new, after = super().step(param, grad, state)
        return new, {"momentum_buffer": after["momentum_buffer"] - self.weight_decay * param}


PLAIN = {"lr": 0.01, "weight_decay": 3.0}
HEAVY = {**PLAIN, "momentum": 0.9}
FAULTY_STEPS: dict[str, tuple[SGD, Any, tuple[str, int]]] = {
    "the first step dampened": (
        SGD(**HEAVY, dampening=0.25),
        DampenedFirstStep(**HEAVY, dampening=0.25),
        ("state weight.momentum_buffer", 0),
    ),
    "a stale gradient": (SGD(**PLAIN), StaleGradient(**PLAIN), ("update weight", 1)),
    "the rate in the velocity": (SGD(**HEAVY), RateInTheVelocity(**HEAVY), ("state weight.momentum_buffer", 0)),
    "an implicit decay": (SGD(**PLAIN), DecayFromTheNewWeights(**PLAIN), ("update weight", 0)),
    "a decoupled decay": (SGD(**HEAVY), SGDW(**HEAVY), ("state weight.momentum_buffer", 0)),
    "the last element forgotten": (SGD(**PLAIN), LastElementForgotten(**PLAIN), ("update weight", 0)),
    "uninitialised memory": (SGD(**HEAVY), UninitialisedMemory(**HEAVY), ("update weight", 1)),
    "single precision": (SGD(**PLAIN), SinglePrecision(**PLAIN), ("update weight", 0)),
    "a buffer without the decay": (SGD(**HEAVY), BufferOfWeights(**HEAVY), ("state weight.momentum_buffer", 0)),
}


@pytest.mark.parametrize("what", FAULTY_STEPS)
def test_a_faulty_step_is_caught(what: str, bench: Any) -> None:
    right, faulty, where = FAULTY_STEPS[what]
    experiment = bench.experiment(optimizer=right, penalties=())
    assert judge(experiment, bench.numpy(experiment)).name == "agree"
    assert first(judge(experiment, bench.numpy(experiment, faulty))) == where


@pytest.mark.parametrize("what", FAULTY_STEPS)
def test_a_faulty_step_is_caught_from_the_weights_alone(what: str, bench: Any) -> None:
    """As in a log: neither gradients nor state were recorded; the whole step is checked, with its state replayed."""
    right, faulty, _ = FAULTY_STEPS[what]
    experiment = bench.experiment(optimizer=right, penalties=())
    bare = {"gradients": {}, "state": {}}
    correct = judge(experiment, replace(bench.numpy(experiment), **bare))
    assert correct.name == "agree"
    assert {"whole step weight", "whole step bias"} <= set(correct.used)
    found = judge(experiment, replace(bench.numpy(experiment, faulty), **bare))
    if what == "the rate in the velocity":  # with a constant rate the weights are the same
        assert found.name == "agree"
        return
    if what == "a buffer without the decay":  # the weights were right once, and then the buffer is used
        assert first(found)[1] == 1
    assert found.name == "disagree" and found.first.quantity.kind == "whole step"


@pytest.mark.parametrize(
    ("dtype", "formulation"), [("float32", form) for form in FORMULATIONS] + [(dtype, "manual") for dtype in OTHERS]
)
def test_correct_weights_alone_agree(dtype: str, formulation: str, bench: Any) -> None:
    experiment = bench.experiment(**MOMENTUM)
    trajectory = bench.torch(experiment, dtype=dtype, formulation=formulation)
    assert judge(experiment, replace(trajectory, gradients={}, state={})).name == "agree"


@pytest.mark.parametrize("missing", ["gradients", "state"])
def test_what_was_not_recorded_is_replayed(missing: str, bench: Any) -> None:
    experiment = bench.experiment(**MOMENTUM)
    wrong = bench.torch(bench.experiment(optimizer=SGD(lr=0.01, momentum=0.9 * (1 + 1e-6))))
    correct = judge(experiment, replace(bench.torch(experiment), **{missing: {}}))
    assert correct.name == "agree" and {"whole step weight", "whole step bias"} <= set(correct.used)
    quantity, step = first(judge(experiment, replace(wrong, **{missing: {}})))
    assert quantity.startswith("whole step ") and step >= 1


def test_a_state_made_before_the_first_step_is_caught(bench: Any) -> None:
    """torch makes its buffer in the first step; one of zeros before it would dampen that step."""
    experiment = bench.experiment(**MOMENTUM)
    trajectory = bench.torch(experiment)
    early = {
        name: {key: np.concatenate([np.zeros_like(values[:1]), values]) for key, values in states.items()}
        for name, states in trajectory.state.items()
    }
    verdict = judge(experiment, replace(trajectory, state=early))
    assert verdict.name == "disagree" and verdict.first.step == 0
    assert "initial state weight.momentum_buffer" in {str(c.quantity) for c in verdict.comparisons if c.disagreement}


@pytest.mark.parametrize(
    "name", ["params/weight", "gradients/bias", "loss", "objective", "norm", "train_loss", "validation_loss"]
)
def test_a_record_of_another_length_is_no_record_of_the_experiment(name: str, bench: Any) -> None:
    experiment = bench.experiment()
    trajectory = bench.torch(experiment)
    part, _, key = name.partition("/")
    old = getattr(trajectory, part)
    for cut in (slice(1, None), slice(None, -1)):
        short = {**old, key: old[key][cut]} if key else old[cut]
        with pytest.raises(ShapeError, match="for this experiment; record every step once"):
            judge(experiment, replace(trajectory, **{part: short}))


def test_a_record_without_a_parameter_is_no_record_of_the_experiment(bench: Any) -> None:
    experiment = bench.experiment()
    trajectory = bench.torch(experiment)
    without = {"weight": trajectory.params["weight"]}
    with pytest.raises(ShapeError, match="every parameter"):
        judge(experiment, replace(trajectory, params=without))


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


# -- known faults of torch -------------------------------------------------------------------------------------------


def fused_skips_elements(dtype: str) -> bool:
    """pytorch issue 191763, in torch alone: whole vectors keep their value."""
    p = torch.nn.Parameter(torch.ones(200, dtype=getattr(torch, dtype)))
    p.grad = torch.ones_like(p)
    torch.optim.SGD([p], lr=0.5, fused=True).step()
    return bool((p == 1).any())


@pytest.mark.parametrize(("features", "dtype"), [(64, "bfloat16"), (200, "float16")])
def test_torchs_fused_low_precision_is_reported_where_it_skips_elements(features: int, dtype: str, bench: Any) -> None:
    if not fused_skips_elements(dtype):
        pytest.skip("this torch updates every element (pytorch issue 191763 is mended)")
    for parts in ({}, MOMENTUM, NESTEROV):
        experiment = bench.experiment(data=Gaussian(train_rows=12, features=features), **parts)
        verdict = bench.judge(experiment, dtype=dtype, formulation="weight_decay", implementation="fused")
        assert first(verdict) == ("update weight", 0)
        trajectory = bench.torch(experiment, dtype=dtype, formulation="weight_decay", implementation="fused")
        skipped = trajectory.params["weight"][0] == trajectory.params["weight"][1]
        assert skipped[(0, *verdict.first.index)] and verdict.first.candidate != pytest.approx(verdict.first.expected)
        assert bench.judge(experiment, dtype=dtype, formulation="weight_decay").name == "agree"


@pytest.mark.parametrize("dtype", LOW)
def test_torchs_fused_low_precision_agrees_where_it_skips_none(dtype: str, bench: Any) -> None:
    if fused_skips_elements(dtype):
        pytest.skip("this torch skips elements (pytorch issue 191763)")
    assert bench.judge(bench.experiment(**MOMENTUM), dtype=dtype, implementation="fused").name == "agree"


# -- what a run cannot see -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("formulation", ["weight_decay", "manual"])
def test_a_decay_below_the_resolution_of_the_dtype_is_undecidable(formulation: str, bench: Any) -> None:
    name = "weight_decay of weight"
    experiment = bench.experiment(optimizer=SGD(lr=1e-4), penalties=(L2(strength=0.01),))
    verdict = bench.judge(experiment, dtype="bfloat16", formulation=formulation)
    assert (verdict.name, verdict.undecidable) == ("undecidable", (name,))
    assert verdict.text == f"agrees, except that {name} cannot be seen in this run"
    assert bench.judge(experiment, dtype="float64", formulation=formulation).name == "agree"
    assert bench.judge(experiment, dtype="float32", formulation=formulation).name == "agree"


def test_a_penalty_that_cannot_be_seen_is_named_with_its_parameter(bench: Any) -> None:
    experiment = bench.experiment(optimizer=SGD(lr=1e-4), penalties=(L2(strength=0.001),))
    verdict = bench.judge(experiment, dtype="bfloat16", formulation="loss")
    assert (verdict.name, verdict.undecidable) == ("undecidable", ("L2.strength of weight",))


BLIND: dict[str, tuple[dict[str, Any], str, tuple[str, ...]]] = {
    "dampening without momentum": ({"optimizer": SGD(lr=0.01, dampening=0.5)}, "loss", ("dampening",)),
    "dampening in one step": (
        {"optimizer": SGD(lr=0.01, momentum=0.9, dampening=0.5), "epochs": 1, "batches": Batches()},
        "loss",
        ("momentum", "dampening"),
    ),
    "decay of weights that are 0": (
        {"init": {}, "epochs": 1, "batches": Batches()},
        "weight_decay",
        ("weight_decay of weight",),
    ),
    "a rate times a gradient of 0": (
        {"data": Gaussian(train_rows=3, features=2, noise=0.0, bias=0.0, weight=0.0), "init": {}, "batches": Batches()},
        "weight_decay",
        ("lr", "weight_decay of weight"),
    ),
    "a schedule that does not set in": ({"schedule": Step(step_size=100, gamma=0.5)}, "loss", ("schedule.gamma",)),
    "a threshold that is never passed": (
        {
            "data": Gaussian(train_rows=12, features=4, noise=0.0, bias=0.0, weight=0.0),
            "init": {},
            "penalties": (L1(strength=0.5),),
            "optimizer": ProximalSGD(lr=0.01),
        },
        "manual",
        ("lr", "L1.strength of weight"),
    ),
}


@pytest.mark.parametrize("what", BLIND)
def test_what_a_run_cannot_see_is_listed(what: str, bench: Any) -> None:
    parts, formulation, names = BLIND[what]
    verdict = bench.judge(bench.experiment(**parts), formulation=formulation)
    assert (verdict.name, verdict.undecidable) == ("undecidable", names)
    assert verdict.first is None


def test_an_undecidable_run_can_still_disagree(bench: Any) -> None:
    experiment = bench.experiment(optimizer=SGD(lr=0.01, dampening=0.5))
    wrong = bench.experiment(optimizer=SGD(lr=0.011, dampening=0.5))
    assert first(judge(experiment, bench.torch(wrong))) == ("update weight", 0)


def test_a_run_whose_every_number_overflows_is_undecidable(bench: Any) -> None:
    verdict = bench.judge(bench.experiment(optimizer=SGD(lr=1e30)), dtype="float16", formulation="manual")
    assert verdict.name == "undecidable" and verdict.text.startswith("agrees before step 0; from there on")


# -- what torch does not have ----------------------------------------------------------------------------------------

SGDW_PARTS = {"optimizer": SGDW(lr=0.01, weight_decay=1.0), "penalties": ()}
UNSUPPORTED: dict[str, tuple[dict[str, Any], dict[str, Any], str]] = {
    "L1 as weight_decay": (
        {"penalties": (L1(strength=0.5),)},
        {"formulation": "weight_decay"},
        "SGD's weight_decay cannot express L1 on weight here",
    ),
    "elastic net as weight_decay": (
        {"penalties": (ElasticNet(l1=0.5, l2=1.0),)},
        {"formulation": "weight_decay"},
        "SGD's weight_decay cannot express ElasticNet on weight here",
    ),
    "a penalty as weight_decay when ascending": (
        {"optimizer": SGD(lr=0.01, maximize=True)},
        {"formulation": "weight_decay"},
        "SGD's weight_decay cannot express L2 on weight here",
    ),
    "SGDW": (SGDW_PARTS, {}, "module 'torch.optim' has no attribute 'SGDW'"),
    "proximal SGD": (
        {"optimizer": ProximalSGD(lr=0.01), "penalties": (L1(strength=0.5),)},
        {},
        "module 'torch.optim' has no attribute 'ProximalSGD'",
    ),
    "two proximal operators at once": (
        {"optimizer": ProximalSGD(lr=0.01), "penalties": (L1(strength=0.5), L2(strength=0.5))},
        {"formulation": "manual"},
        "two penalties on weight: the proximal operator of a sum is not implemented",
    ),
    "two optimizers in one": (
        {"groups": (Group(parameters=("bias",), optimizer=ProximalSGD(lr=0.01)),)},
        {},
        "one torch optimizer cannot be ProximalSGD and SGD at once",
    ),
    "fused by hand": (
        {},
        {"formulation": "manual", "implementation": "fused"},
        "written by hand there is no fused implementation",
    ),
    "foreach by hand": (
        {},
        {"formulation": "manual", "implementation": "foreach"},
        "written by hand there is no foreach implementation",
    ),
    "a rate that the dtype does not hold": (
        {"optimizer": SGD(lr=1e30)},
        {"dtype": "float16"},
        "value cannot be converted to type c10::Half without overflow",
    ),
}


@pytest.mark.parametrize("what", UNSUPPORTED)
def test_what_torch_does_not_have_is_unsupported_in_its_words(what: str, bench: Any) -> None:
    parts, setting, words = UNSUPPORTED[what]
    with pytest.raises(Unsupported) as caught:
        bench.torch(bench.experiment(**parts), **setting)
    assert str(caught.value) == words


def test_what_torch_refuses_when_the_optimizer_is_made_is_unsupported(
    bench: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As torch says it of fused optimizers on a device without such a kernel."""
    monkeypatch.setitem(torch_autograd.FLAGS, "fused", {"fused": True, "foreach": True})
    with pytest.raises(Unsupported, match="`fused` and `foreach` cannot be `True` together"):
        bench.torch(bench.experiment(), implementation="fused")


# -- exact probes ----------------------------------------------------------------------------------------------------


CORNERS = [("float32", formulation) for formulation in FORMULATIONS] + [(dtype, "weight_decay") for dtype in OTHERS]


@pytest.mark.parametrize(("dtype", "formulation"), CORNERS)
@pytest.mark.parametrize("name", ["probe-exact", "probe-cancel"])
def test_the_exact_probes_are_held_to_equality(name: str, dtype: str, formulation: str, bench: Any) -> None:
    verdict = bench.judge(parity.load(name), dtype=dtype, formulation=formulation)
    assert verdict.name == "agree"
    exact = {str(c.quantity): c.exact for c in verdict.comparisons}
    assert exact["update weight"] > 0 and exact["gradient weight"] > 0
    assert "held to equality" in verdict.text


@pytest.mark.parametrize(("dtype", "formulation"), CORNERS)
@pytest.mark.parametrize("hyper", ["λ", "η"])
def test_the_cancellation_probe_sees_two_ulps(hyper: str, dtype: str, formulation: str, bench: Any) -> None:
    """ηλ = 1 with zero residual: the step gives exactly 0, or it is wrong."""
    asked = parity.load("probe-cancel")
    for ulps in (2, -2):
        relative = 1 + ulps * ULP[dtype]
        wrong = {
            "λ": replace(asked, penalties=(L2(strength=2.0 * relative),)),
            "η": replace(asked, optimizer=SGD(lr=0.5 * relative)),
        }[hyper]
        verdict = judge(asked, bench.torch(wrong, dtype=dtype, formulation=formulation))
        quantity, step = first(verdict)
        in_gradient = hyper == "λ" and formulation == "loss"
        seen_in = ("objective", "gradient weight", "gradient off span") if in_gradient else ("update weight",)
        assert quantity in seen_in and step == 0
        assert in_gradient or verdict.first.expected == verdict.first.allowance == 0


# -- the parts of the judge ------------------------------------------------------------------------------------------


def piece(candidate: Any, value: Any, allowance: Any, steps: Any = None) -> Expected:
    arrays = [np.asarray(x, float) for x in (candidate, value, allowance)]
    steps = np.arange(len(arrays[0])) if steps is None else np.asarray(steps)
    return Expected(Quantity("loss"), steps, *arrays, np.zeros(arrays[0].shape, bool))


def test_the_share_of_the_tolerance() -> None:
    nan, inf = np.nan, np.inf
    cases = [
        (1.5, 1.0, 1.0, 0.5),
        (3.0, 1.0, 1.0, 2.0),
        (1.0, 1.0, 0.0, 0.0),
        (1.5, 1.0, 0.0, inf),
        (nan, 1.0, 1.0, inf),
        (inf, 1.0, 1.0, inf),
        (5.0, 1.0, inf, 0.0),
        (inf, 1.0, inf, 0.0),
        (nan, 1.0, inf, 0.0),
        (-0.0, 0.0, 0.0, 0.0),
        (inf, inf, 0.0, 0.0),
        (inf, -inf, 0.0, inf),
    ]
    candidate, value, allowance, share = (list(column) for column in zip(*cases, strict=True))
    assert piece(candidate, value, allowance).share.tolist() == share


def test_what_is_computed_in_more_than_it_is_stored_in_may_be_half_a_unit_off() -> None:
    """As a fused kernel on an accelerator does: float32 inside, bfloat16 outside."""
    half, quantity = ULP["bfloat16"] / 2, Quantity("update", "weight")
    profile = Profile(compute=FORMATS["float32"], accumulate=FORMATS["float32"])
    sums = Bounded.tensor(np.full(4, 1.0), profile) + Bounded.tensor(np.array([half, 0.9 * half, half, half]), profile)
    candidate = np.array([1.0, 1.0, 1 + 2 * half, 1 + 4 * half])
    share = expect(quantity, np.arange(4), candidate, sums, FORMATS["bfloat16"]).share
    assert (share[:3] > 0.8).all() and (share[:3] <= 1).all() and share[3] > 2
    in_float32 = expect(quantity, np.arange(4), candidate, sums, FORMATS["float32"]).share
    assert (in_float32 > 1000).all()
    large = Bounded.tensor(np.full(1, 3.3e38), profile) + Bounded.tensor(np.full(1, 9e36), profile)
    infinite = np.array([np.inf])
    (unbounded,) = expect(quantity, np.arange(1), infinite, large, FORMATS["bfloat16"]).allowance
    assert np.isinf(unbounded), "above the largest bfloat16, ∞ is admitted"


def test_the_first_disagreement_is_the_worst_element_of_the_first_wrong_step() -> None:
    later = piece([[9.0, 9.0]], [[0.0, 0.0]], [[1.0, 1.0]], steps=[7])
    earlier = piece([[0.0, 0.0], [3.0, 5.0]], [[0.0, 0.0], [1.0, 1.0]], [[1.0, 1.0], [1.0, 1.0]], steps=[2, 4])
    (comparison,) = compare([later, earlier])
    found = comparison.disagreement
    assert found is not None
    assert (found.step, found.index, found.candidate, found.expected) == (4, (1,), 5.0, 1.0)
    assert str(found) == "loss[1] at step 4: 5.0, expected 1.0 ± 1"
    assert comparison.steps.tolist() == [2, 4, 7] and comparison.share.tolist() == [0.0, 4.0, 9.0]
    assert (comparison.used, comparison.elements, comparison.unknown) == (9.0, 6, 0)


def test_of_several_disagreements_at_a_step_the_first_in_the_computation_is_named(
    bench: Any, bump: Callable[..., Any]
) -> None:
    experiment = bench.experiment(**MOMENTUM)
    wrong = bench.torch(experiment)
    order = [
        (("params/weight", (6, 0, 0, 5)), ("update weight", 5)),
        (("state/weight.momentum_buffer", (5, 0, 0, 5)), ("state weight.momentum_buffer", 5)),
        (("gradients/weight", (5, 0, 0, 5)), ("gradient weight", 5)),
        (("objective", (5, 0)), ("objective", 5)),
        (("loss", (5, 0)), ("loss", 5)),
        (("norm", (5, 0)), ("norm", 5)),
        (("train_loss", (1, 0)), ("train loss", 3)),
    ]
    for fault, where in order:
        wrong = bump(wrong, *fault, 1000)
        assert first(judge(experiment, wrong)) == where


def test_judging_changes_nothing(bench: Any) -> None:
    experiment = bench.experiment(**MOMENTUM)
    trajectory = bench.torch(experiment, dtype="bfloat16")
    before = {name: values.copy() for name, values in trajectory.params.items()}
    used = judge(experiment, trajectory).used
    assert all(np.array_equal(before[name], trajectory.params[name]) for name in before)
    assert judge(experiment, trajectory).used == used


def test_a_constant_schedule_is_no_hyper_parameter(bench: Any) -> None:
    assert bench.judge(bench.experiment(schedule=Constant(per="step"))).name == "agree"


def test_a_start_at_a_constant_is_as_good_as_any(bench: Any) -> None:
    init = {"weight": ConstantInit(value=0.1), "bias": ConstantInit(value=-0.1)}
    for dtype in DTYPES:  # 0.1 is no number of any of them
        assert bench.judge(bench.experiment(init=init), dtype=dtype).name == "agree"


# -- on an accelerator -----------------------------------------------------------------------------------------------

needs_cuda = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs CUDA")


@needs_cuda
@pytest.mark.parametrize("dtype", DTYPES)
def test_cuda_agrees_on_the_textbook_experiments(dtype: str, bench: Any) -> None:
    for name in ("s0-scratch-lam0", "s0-scratch-lam3", "s0-concise-lam3", "s0-concise-lazy-lam3", "probe-exact"):
        experiment: Experiment = parity.load(name)
        for formulation in FORMULATIONS:
            for implementation in ("for-loop",) if formulation == "manual" else ("for-loop", "foreach", "fused"):
                setting = {"dtype": dtype, "formulation": formulation, "implementation": implementation}
                verdict = bench.judge(experiment, device="cuda", **setting)
                assert verdict.name == "agree", (name, setting, verdict.text)


@needs_cuda
def test_cuda_with_tf32_agrees_and_is_held_to_less(bench: Any) -> None:
    experiment = parity.load("s0-scratch-lam3")
    plain = bench.judge(experiment, device="cuda", dtype="float32")
    tf32 = bench.judge(experiment, device="cuda", dtype="float32", tf32=True)
    assert plain.name == "agree" and tf32.name in ("agree", "undecidable")
    assert tf32.used["update weight"] == pytest.approx(plain.used["update weight"], abs=1)


@needs_cuda
@pytest.mark.parametrize(("dtype", "of_lambda", "of_eta"), [("float64", 2e-14, 2e-15), ("float32", 1e-5, 1e-6)])
def test_the_smallest_faults_are_caught_on_cuda(dtype: str, of_lambda: float, of_eta: float, bench: Any) -> None:
    asked = parity.load("s0-scratch-lam3")
    for formulation in FORMULATIONS:
        setting = {"device": "cuda", "dtype": dtype, "formulation": formulation}
        strength = replace(asked, penalties=(L2(strength=3.0 * (1 + of_lambda)),))
        assert judge(asked, bench.torch(strength, **setting)).name == "disagree"
        rate = replace(asked, optimizer=SGD(lr=0.01 * (1 + of_eta)))
        assert judge(asked, bench.torch(rate, **setting)).name == "disagree"
