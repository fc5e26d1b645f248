"""What surprises in torch's schedulers, each shown by running it."""

from __future__ import annotations

import math
import warnings
from typing import Any

import numpy as np
import pytest
import torch
from torch.optim import lr_scheduler

from refimpl.schedules import (
    Chained,
    ConstantFactor,
    CosineAnnealing,
    CosineAnnealingWarmRestarts,
    Cyclic,
    Exponential,
    Lambda,
    Multiplicative,
    Sequential,
    Step,
)


def optimizer_of(lr: float = 0.1, **options: Any) -> torch.optim.SGD:
    return torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=lr, **options)


def rates(optimizer: Any, scheduler: Any, advances: int) -> list[float]:
    found = [optimizer.param_groups[0]["lr"]]
    for _ in range(advances):
        optimizer.step()
        scheduler.step()
        found.append(optimizer.param_groups[0]["lr"])
    return found


def test_surprise_a_cyclic_scheduler_that_is_not_the_first_starts_at_the_optimizers_rate() -> None:
    """It reads ``initial_lr``, which an earlier scheduler left in the group, before it stores its own ``base_lr``."""
    optimizer = optimizer_of(momentum=0.9)
    lr_scheduler.ExponentialLR(optimizer, 0.9)
    cyclic = lr_scheduler.CyclicLR(optimizer, base_lr=0.01, max_lr=0.05, step_size_up=4)
    assert rates(optimizer, cyclic, 2) == [0.1, pytest.approx(0.02), pytest.approx(0.03)]  # 0.01, 0.02, 0.03 asked for


def test_surprise_one_cycle_overwrites_the_rate_that_a_warm_up_before_it_starts_from() -> None:
    optimizer = optimizer_of(momentum=0.9)
    warm_up = lr_scheduler.LinearLR(optimizer, start_factor=0.5, total_iters=4)
    one_cycle = lr_scheduler.OneCycleLR(optimizer, max_lr=1.0, total_steps=10)
    both = lr_scheduler.SequentialLR(optimizer, [warm_up, one_cycle], [4])
    assert rates(optimizer, both, 0) == [1.0 / 25 * 0.5]  # 0.1·0.5 asked for


def test_surprise_multiplicative_after_a_milestone_goes_on_from_the_rate_it_finds_times_its_factor_at_zero() -> None:
    optimizer = optimizer_of()
    first = lr_scheduler.ConstantLR(optimizer, factor=0.5, total_iters=9)
    second = lr_scheduler.MultiplicativeLR(optimizer, lambda k: 7.0 if k == 0 else 0.9)
    both = lr_scheduler.SequentialLR(optimizer, [first, second], [2])
    assert rates(optimizer, both, 3) == pytest.approx([0.05, 0.05, 0.05 * 7, 0.05 * 7 * 0.9])
    ours = Sequential(
        schedules=(ConstantFactor(factor=0.5, total_iters=9), Multiplicative(factor=lambda k: 7.0 if k == 0 else 0.9)),
        milestones=(2,),
    )
    assert ours.at(np.arange(4), {"lr": 0.1})["lr"].tolist() == pytest.approx([0.05, 0.05, 0.1, 0.09])  # type: ignore[union-attr]


@pytest.mark.parametrize("kind", ["chained", "sequential"])
def test_surprise_no_combination_can_follow_a_milestone(kind: str) -> None:
    optimizer = optimizer_of()
    first = lr_scheduler.ConstantLR(optimizer)
    parts: list[Any] = [lr_scheduler.ConstantLR(optimizer), lr_scheduler.ExponentialLR(optimizer, 0.9)]
    second: Any = (
        lr_scheduler.ChainedScheduler(parts) if kind == "chained" else lr_scheduler.SequentialLR(optimizer, parts, [2])
    )
    both = lr_scheduler.SequentialLR(optimizer, [first, second], [2])
    with pytest.raises(NotImplementedError):
        rates(optimizer, both, 3)


def test_surprise_a_factor_of_zero_is_taken_and_divided_by_later() -> None:
    optimizer = optimizer_of()
    with pytest.raises(ZeroDivisionError):
        rates(optimizer, lr_scheduler.ConstantLR(optimizer, factor=0.0, total_iters=2), 2)


@pytest.mark.parametrize("made", [lr_scheduler.ConstantLR, lr_scheduler.LinearLR])
def test_surprise_a_warm_up_of_no_steps_never_ends(made: Any) -> None:
    optimizer = optimizer_of()
    assert rates(optimizer, made(optimizer, total_iters=0), 9) == [0.1 / 3] * 10


def test_surprise_a_one_cycle_whose_rise_takes_one_step_divides_by_zero() -> None:
    with pytest.raises(ZeroDivisionError):
        lr_scheduler.OneCycleLR(optimizer_of(momentum=0.9), max_lr=1.0, total_steps=10, pct_start=0.1)


def test_surprise_a_linear_one_cycle_ends_below_zero() -> None:
    """Where ``step`` is called after every one of the ``total_steps`` steps, as the documentation shows it."""
    optimizer = optimizer_of(momentum=0.9)
    scheduler = lr_scheduler.OneCycleLR(optimizer, max_lr=1.0, total_steps=10, anneal_strategy="linear")
    assert rates(optimizer, scheduler, 10)[-1] < -0.1


def test_surprise_a_one_cycle_seldom_reaches_its_top_and_with_a_long_start_never_its_end() -> None:
    optimizer = optimizer_of(momentum=0.9)
    assert max(rates(optimizer, lr_scheduler.OneCycleLR(optimizer, max_lr=1.0, total_steps=11), 10)) < 0.98
    optimizer = optimizer_of(momentum=0.9)
    long = lr_scheduler.OneCycleLR(optimizer, max_lr=1.0, total_steps=10, pct_start=0.6, three_phase=True)
    assert rates(optimizer, long, 9)[-1] > 1000 * optimizer.param_groups[0]["min_lr"]


def test_surprise_triangular2_overflows_in_cycle_1025() -> None:
    optimizer = optimizer_of(momentum=0.9)
    scheduler = lr_scheduler.CyclicLR(optimizer, base_lr=0.01, max_lr=0.1, step_size_up=1, mode="triangular2")
    with pytest.raises(OverflowError):
        rates(optimizer, scheduler, 2048)
    schedule = Cyclic(base_lr=0.01, max_lr=0.1, step_size_up=1, mode="triangular2")
    assert schedule.at(2049, {"lr": 0.1, "momentum": 0.9})["lr"] == pytest.approx(0.01)


def test_surprise_a_warm_restart_is_missed_when_its_epoch_is_named() -> None:
    """int(log₃ 243) is 4 in floating point: the rate is the lowest where the cycle begins anew."""
    optimizer = optimizer_of()
    scheduler = lr_scheduler.CosineAnnealingWarmRestarts(optimizer, T_0=1, T_mult=3)
    scheduler.step(121)  # 1 + 3 + 9 + 27 + 81
    assert optimizer.param_groups[0]["lr"] == 0
    assert CosineAnnealingWarmRestarts(T_0=1, T_mult=3).at(121, {"lr": 0.1})["lr"] == 0.1


def test_surprise_a_cycle_later_in_a_sequence_moves_momentum_from_the_start() -> None:
    optimizer = optimizer_of(momentum=0.5)
    first = lr_scheduler.ConstantLR(optimizer)
    second = lr_scheduler.CyclicLR(optimizer, base_lr=0.01, max_lr=0.1)
    rates(optimizer, lr_scheduler.SequentialLR(optimizer, [first, second], [10]), 3)
    assert optimizer.param_groups[0]["momentum"] == 0.9  # 0.5 asked for, until advance 10


def test_surprise_cycles_turn_momentum_on() -> None:
    first, second = optimizer_of(momentum=0.0), optimizer_of(momentum=0.0)
    lr_scheduler.OneCycleLR(first, max_lr=1.0, total_steps=10)
    lr_scheduler.CyclicLR(second, base_lr=0.01, max_lr=0.1)
    assert first.param_groups[0]["momentum"] == 0.95
    assert second.param_groups[0]["momentum"] == 0.9


@pytest.mark.parametrize("mode", ["min", "max"])
def test_surprise_a_negative_metric_that_stands_still_counts_as_improving(mode: Any) -> None:
    optimizer = optimizer_of()
    scheduler = lr_scheduler.ReduceLROnPlateau(optimizer, mode=mode, patience=2)
    for _ in range(50):
        scheduler.step(-1.0)
    assert optimizer.param_groups[0]["lr"] == 0.1


def test_surprise_a_scheduler_made_anew_on_a_loaded_optimizer_scales_its_rate_again() -> None:
    first = optimizer_of()
    rates(first, lr_scheduler.LinearLR(first, start_factor=0.25, total_iters=4), 6)
    second = optimizer_of()
    second.load_state_dict(first.state_dict())
    assert second.param_groups[0]["lr"] == pytest.approx(0.1)
    lr_scheduler.LinearLR(second, start_factor=0.25, total_iters=4)
    assert second.param_groups[0]["lr"] == pytest.approx(0.025)


def test_surprise_the_recursion_of_the_cosine_loses_digits_for_good_where_it_turns() -> None:
    """T = 602 is the worst below 1,000: half of a period later the closed form is right to an ulp, torch is not."""
    T, k = 602, 903
    schedule, optimizer = CosineAnnealing(T_max=T), optimizer_of()
    torchs = rates(optimizer, lr_scheduler.CosineAnnealingLR(optimizer, T), k)[-1]
    closed: Any = schedule.at(k, {"lr": 0.1})["lr"]
    truth = 0.1 * math.cos(math.pi / 4 * 3) ** 2
    assert abs(closed - truth) < 1e-15 * truth
    assert abs(torchs - truth) > 1e-12 * truth


def test_surprise_step_with_an_epoch_warns_and_switches_to_the_closed_form() -> None:
    optimizer = optimizer_of()
    scheduler = lr_scheduler.StepLR(optimizer, 3)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        optimizer.step()
        with pytest.raises(UserWarning, match=r"epoch parameter in `scheduler.step\(\)` was not necessary"):
            scheduler.step(4)
    with pytest.raises(TypeError, match="verbose"):
        lr_scheduler.StepLR(optimizer, 3, verbose=True)  # type: ignore[call-arg]


def test_a_lambda_is_no_function_of_the_rate_before_it() -> None:
    assert Chained(schedules=(Exponential(gamma=0.5), Lambda(factor=lambda _: 1))).at(3, {"lr": 0.1}) == {"lr": 0.1}
    assert Chained(schedules=(Lambda(factor=lambda _: 1), Step(step_size=1))).at(3, {"lr": 0.1})["lr"] == pytest.approx(
        0.01
    )
