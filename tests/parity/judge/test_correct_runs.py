"""The judge agrees with every correct run, and its tolerance is not loose."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from parity.judge.verdict import judge
from refimpl.batches import Batches
from refimpl.datasets import Gaussian
from refimpl.initial_weights import Constant as ConstantInit
from refimpl.initial_weights import Normal, TorchDefault, Values
from refimpl.losses import SquaredError
from refimpl.models import Linear
from refimpl.optimizers import SGD, SGDW, ProximalSGD
from refimpl.penalties import L1, L2, ElasticNet
from refimpl.schedules import Exponential, Step
from refimpl.training import Group
from refimpl.trajectory import Trajectory
from tests.parity.judge.cases import BOTH, DTYPES, FORMULATIONS, LOW, MOMENTUM, NESTEROV, OTHERS, ULP

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
