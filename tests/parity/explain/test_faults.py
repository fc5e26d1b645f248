"""The parts that named faults are made of: each is what it says, by a way other than its formula."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np
import pytest
import torch

import parity
from parity.explain.catalogue import NAMES, NARROWER
from parity.explain.effects import effects
from parity.explain.faults.losses import Broadcast, Divided
from parity.explain.faults.models import Narrow
from parity.explain.faults.penalties import plain_sum, unsquared
from parity.explain.faults.twists import ClipValue
from parity.explain.initial import starts
from parity.explain.pattern import which
from parity.gallery import names
from parity.step.arithmetics import rounded
from parity.step.design import as_asked
from parity.step.free import simulate
from refimpl.arithmetic.bounded import Bounded, Profile
from refimpl.arithmetic.formats import FORMATS
from refimpl.clipping import Clip
from refimpl.losses import SquaredError
from refimpl.models import Linear
from refimpl.training import train

CHECKS = [name for name in names() if name.startswith("check-")]
EVERY = {**NAMES, **NARROWER}
RNG = np.random.default_rng(0)


@pytest.mark.slow
def test_every_name_changes_some_run_and_says_what_to_do() -> None:
    for id, name in EVERY.items():
        assert name.id == id
        assert all((name.text.format(value=1.0), name.change, name.probe)), id
        values = (*name.values, 0.5) if name.free else name.values
        assert any(_changes(name.apply, value, run) for run in (*CHECKS, "s1-xor-lam0") for value in values), id


@cache
def weights(name: str) -> Any:
    return simulate(as_asked(parity.load(name))).weights["weight"]


def _changes(apply: Any, value: float, name: str) -> bool:
    other = apply(as_asked(parity.load(name)), value)
    if other is None:
        return False
    changed = simulate(other).weights["weight"]
    return weights(name).shape != changed.shape or not np.allclose(weights(name), changed, rtol=1e-6, atol=0)


def test_a_free_run_of_correct_code_is_the_training_loop_s() -> None:
    for name in ("s0-scratch-lam3", *CHECKS):
        experiment = parity.load(name)
        design, material = as_asked(experiment), experiment.draw()
        form = design.form
        reference = train(
            form.in_gradient,
            form.groups,
            material.params,
            material.inputs["X"],
            material.inputs["y"],
            material.order,
            schedule=form.schedule,
        )
        free = simulate(design)
        for parameter, weights in reference.params.items():
            assert np.array_equal(free.weights[parameter], weights), name
        assert np.array_equal(free.loss, reference.loss), name


@pytest.mark.parametrize("reduction", ["mean", "sum"])
@pytest.mark.parametrize("kind", [Broadcast, Divided])
def test_a_faulty_loss_has_the_gradient_of_its_value(kind: Any, reduction: Any) -> None:
    loss = kind(loss=SquaredError(factor=0.5, reduction=reduction))
    outputs, targets = RNG.standard_normal((1, 5, 1)), RNG.standard_normal((1, 5, 1))
    gradient, h = loss.gradient(outputs, targets), 1e-6
    for i in range(5):
        moved = np.zeros((1, 5, 1))
        moved[0, i] = h
        slope = (loss.value(outputs + moved, targets) - loss.value(outputs - moved, targets)) / (2 * h)
        assert gradient[0, i, 0] == pytest.approx(slope[0], rel=1e-6)


def test_broadcasting_is_what_torch_does_with_these_shapes() -> None:
    outputs, targets = RNG.standard_normal((1, 5, 1)), RNG.standard_normal((1, 5, 1))
    loss = Broadcast(loss=SquaredError(factor=1.0, reduction="mean"))
    theirs = ((torch.tensor(outputs[0]) - torch.tensor(targets[0, :, 0])) ** 2).mean()
    assert loss.value(outputs, targets)[0] == pytest.approx(theirs.item(), rel=1e-14)


@pytest.mark.parametrize("penalty", [unsquared(strength=0.7), plain_sum(strength=0.7)])
def test_a_faulty_penalty_has_the_gradient_of_its_value(penalty: Any) -> None:
    w, h = RNG.standard_normal((1, 1, 4)), 1e-6
    for i in range(4):
        moved = np.zeros((1, 1, 4))
        moved[0, 0, i] = h
        slope = (penalty.value(w + moved) - penalty.value(w - moved)) / (2 * h)
        assert penalty.subgradient(w)[0, 0, i] == pytest.approx(slope[0], rel=1e-6)


def test_clipping_is_torch_s() -> None:
    gradient = {"weight": RNG.standard_normal((1, 1, 7)), "bias": RNG.standard_normal((1, 1))}
    for limit in (0.5, 100.0):
        parameters = [torch.nn.Parameter(torch.tensor(g)) for g in gradient.values()]
        for twist, theirs in ((Clip(norm=limit), "clip_grad_norm_"), (ClipValue(limit), "clip_grad_value_")):
            for parameter, g in zip(parameters, gradient.values(), strict=True):
                parameter.grad = torch.tensor(g)
            getattr(torch.nn.utils, theirs)(parameters, limit)
            for parameter, g in zip(parameters, twist(gradient).values(), strict=True):
                assert np.allclose(parameter.grad.numpy(), g, rtol=1e-14)  # type: ignore[union-attr]


def test_a_narrow_model_is_torch_s_autocast() -> None:
    X, w, b = RNG.standard_normal((1, 5, 7)), RNG.standard_normal((1, 1, 7)), RNG.standard_normal((1, 1))
    X, w, b = (x.astype(np.float32).astype(float) for x in (X, w, b))
    with torch.autocast("cpu", dtype=torch.bfloat16):
        tensors = [torch.tensor(x[0], dtype=torch.float32) for x in (X, w, b)]
        theirs = torch.nn.functional.linear(*tensors).double().numpy()
    ours = Narrow(format="bfloat16").forward({"weight": w, "bias": b}, X)[0]
    assert np.mean(ours == theirs) > 0.7  # a rounding of a sum may fall otherwise
    assert np.allclose(ours, theirs, rtol=2**-7)


def test_rounding_of_bounds_holds_what_may_come_out() -> None:
    profile = Profile(compute=FORMATS["float32"], accumulate=FORMATS["float32"])
    x, error = RNG.standard_normal(200), np.full(200, 1e-3)
    bounded = rounded(Bounded(x, error, profile), "bfloat16")
    for _ in range(20):
        other = FORMATS["bfloat16"].round(x + RNG.uniform(-1, 1, 200) * error)
        assert np.all(np.abs(other - bounded.value) <= bounded.error)


def test_shares_of_an_effect_add_up_and_equal_differences_share_alike() -> None:
    design = as_asked(parity.load("check-sgd"))

    def half(some: Any) -> Any:
        return some.with_penalty_times(0.5)

    found = effects(design, {"one": half, "other": half, "none": lambda some: some})
    assert found is not None
    one, other, none = found.each
    assert one.share == pytest.approx(other.share, rel=1e-12)
    assert none.share == pytest.approx(0, abs=1e-14)
    assert sum(each.share for each in found.each) == pytest.approx(np.log(found.ratio), rel=1e-12)


@pytest.mark.parametrize(
    ("made", "id"),
    [
        (lambda w, _: 0 * w, "initial-zeros"),
        (lambda w, _: 0 * w + 0.3, "initial-constant"),
        (lambda w, _: 10 * w, "initial-scaled"),
        (lambda w, rng: rng.uniform(-1, 1, w.shape) / np.sqrt(50), "initial-layer-default"),
        (lambda w, rng: rng.standard_normal(w.shape), "initial-other-scale"),
        (lambda w, rng: 0.01 * rng.standard_normal(w.shape), "initial-other-draw"),
    ],
)
def test_where_weights_came_from_is_told(made: Any, id: str) -> None:
    for seed in range(5):
        rng = np.random.default_rng(seed)
        asked = {"weight": 0.01 * rng.standard_normal((1, 1, 50))}
        found = {"weight": made(asked["weight"], rng)}
        assert [one.id for one in starts(asked, found, 50, "float64")] == [id], seed
        assert not starts(asked, asked, 50, "float64")


@pytest.mark.parametrize(
    ("chosen", "text"),
    [
        ([11], "only the last element (11)"),
        ([0], "only the first element (0)"),
        ([3, 7, 11], "every 4th element from 3 on"),
        ([8, 9, 10, 11], "elements 8 to 11 of 12 (all but the first 8)"),
        ([1, 5, 6], "elements 1, 5, 6 of 12"),
        (range(12), "every element"),
    ],
    ids=str,
)
def test_elements_are_told_by_their_pattern(chosen: Any, text: str) -> None:
    mask = np.zeros(12, bool)
    mask[list(chosen)] = True
    assert which(mask) == text


def test_a_model_whose_bias_has_no_effect_is_one_without() -> None:
    experiment = parity.load("check-sgd")
    without = replace(experiment, model=Linear(bias=False), init={"weight": experiment.init["weight"]})
    changed = NAMES["intercept-missing"].apply(as_asked(experiment), np.nan)
    assert changed is not None
    assert np.allclose(simulate(changed).weights["weight"], simulate(as_asked(without)).weights["weight"], rtol=1e-13)
