"""What a run cannot see is said, and the exact probes are held to equality."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

import parity
from parity.judge.verdict import judge
from refimpl.batches import Batches
from refimpl.datasets import Gaussian
from refimpl.optimizers import SGD, ProximalSGD
from refimpl.penalties import L1, L2
from refimpl.schedules import Step
from tests.parity.judge.cases import FORMULATIONS, OTHERS, ULP, first

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
