"""Schedules give torch's learning rates, for one count or for an array of them, in every arithmetic."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from refimpl.arithmetic.bounded import Bounded, Profile
from refimpl.arithmetic.formats import FORMATS
from refimpl.arithmetic.lift import lift
from refimpl.optimizers import SGD
from refimpl.schedules import SCHEDULES, Constant, Exponential, Step
from refimpl.training import scheduled
from refimpl.types import Schedule

FLOAT64 = Profile(compute=FORMATS["float64"], accumulate=FORMATS["float64"])
PEERS: dict[str, Any] = {
    "constant": lambda optimizer, _: torch.optim.lr_scheduler.ConstantLR(optimizer, factor=1.0),
    "step": lambda optimizer, s: torch.optim.lr_scheduler.StepLR(optimizer, s.step_size, s.gamma),
    "exponential": lambda optimizer, s: torch.optim.lr_scheduler.ExponentialLR(optimizer, s.gamma),
}


def learning_rate(schedule: Any, count: Any, base: float = 0.1) -> Any:
    return schedule.at(count, {"lr": base}).get("lr", base)


def assert_torch_has_the_same(schedule: Any, name: str, lr: float) -> None:
    optimizer = torch.optim.SGD([torch.zeros(1)], lr=lr)
    peer = PEERS[name](optimizer, schedule)
    for count in range(30):
        expected = learning_rate(schedule, count, lr)
        assert (
            abs(optimizer.param_groups[0]["lr"] - expected) <= 60 * 2.0**-53 * expected
        )  # torch multiplies, count times
        optimizer.step()
        peer.step()


def test_every_schedule_has_a_peer_in_torch() -> None:
    assert set(PEERS) == set(SCHEDULES)


def test_the_examples_are_torchs_after_every_advance(any_schedule: Any) -> None:
    name = next(name for name, cls in SCHEDULES.items() if type(any_schedule) is cls)
    assert_torch_has_the_same(any_schedule, name, 0.1)


@given(lr=st.floats(1e-4, 10), gamma=st.just(0.0) | st.floats(1e-3, 1.5), size=st.integers(1, 12))
@settings(max_examples=20)
def test_step_and_exponential_are_torchs_for_any_numbers(lr: float, gamma: float, size: int) -> None:
    for name, schedule in (("step", Step(step_size=size, gamma=gamma)), ("exponential", Exponential(gamma=gamma))):
        assert_torch_has_the_same(schedule, name, lr)


def test_an_array_of_counts_is_each_count_by_itself(any_schedule: Any) -> None:
    counts = np.arange(7).reshape(-1, 1, 1)
    together = np.broadcast_to(learning_rate(any_schedule, counts), counts.shape)
    np.testing.assert_allclose(together.ravel(), [learning_rate(any_schedule, k) for k in range(7)], rtol=1e-15)


def test_one_base_rate_per_run_is_each_run_by_itself(any_schedule: Any) -> None:
    rates = np.array([0.1, 0.5])
    optimizer = SGD(lr=rates)
    for k in range(7):
        found = scheduled(optimizer, any_schedule, k).lr  # type: ignore[attr-defined]
        assert found.tolist() == [scheduled(SGD(lr=rate), any_schedule, k).lr for rate in rates]  # type: ignore[attr-defined]


def test_every_arithmetic_gives_the_same_rate(any_schedule: Any, high_precision: Any, rational: Any) -> None:
    bounded = lift(any_schedule, lambda number: Bounded.hyper(number, FLOAT64))
    for k in range(9):
        plain = learning_rate(any_schedule, k)
        truth = learning_rate(high_precision.hyper(any_schedule), k, high_precision.number(0.1))
        assert abs(plain - truth) <= 1e-15 * truth
        if rational.allows(any_schedule):
            exact = learning_rate(rational.hyper(any_schedule), k, rational.array(np.array(0.1)).item())
            assert abs(float(exact) - plain) <= 1e-15 * plain
        bound = learning_rate(bounded, np.array(k), Bounded.hyper(0.1, FLOAT64))  # type: ignore[arg-type]
        assert abs(plain - truth) <= high_precision.number(float(bound.error)) <= 20 * 2.0**-53 * plain


def test_what_a_schedule_does_not_name_stays(any_schedule: Any) -> None:
    optimizer = SGD(lr=0.1, momentum=0.9, weight_decay=0.3)
    changed = scheduled(optimizer, any_schedule, 5)
    assert replace(changed, lr=0.1) == optimizer  # type: ignore[type-var]
    assert set(any_schedule.at(5, {"lr": 0.1})) <= {"lr"}


def test_a_constant_schedule_changes_nothing_at_all() -> None:
    optimizer = SGD(lr=0.1)
    schedule: Schedule = Constant()
    assert scheduled(optimizer, schedule, 1000) is optimizer


@pytest.mark.parametrize("size", [0, -1, 2.5, "3"])
def test_a_step_size_that_is_no_positive_integer_is_refused(size: Any) -> None:
    with pytest.raises(ValueError, match=r"^step_size: given .*; allowed: an integer ≥ 1; change step_size$"):
        Step(step_size=size)


@pytest.mark.parametrize("name", ["step", "exponential"])
@pytest.mark.parametrize("gamma", [-0.1, np.nan, np.inf])
def test_a_gamma_outside_its_range_is_refused(name: str, gamma: float) -> None:
    arguments = {"step_size": 1} if name == "step" else {}
    with pytest.raises(ValueError, match=r"^gamma: given .*; allowed: a finite number ≥ 0; change gamma$"):
        SCHEDULES[name](gamma=gamma, **arguments)


def test_it_is_advanced_per_epoch_or_per_step_and_nothing_else(any_schedule: Any) -> None:
    assert any_schedule.per in {"epoch", "step"}
    with pytest.raises(ValueError, match=r"^per: given 'batch'; allowed: 'epoch', 'step'; choose one of them$"):
        replace(any_schedule, per="batch")
