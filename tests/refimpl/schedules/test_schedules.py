"""Schedules give the rates of their closed forms, for one count or for an array of them, in every arithmetic."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from refimpl.arithmetic.bounded import Bounded, Profile
from refimpl.arithmetic.formats import FORMATS
from refimpl.arithmetic.lift import lift
from refimpl.optimizers import SGD, SGDW, Adam, ProximalSGD
from refimpl.schedules import (
    SCHEDULES,
    Chained,
    Constant,
    ConstantFactor,
    CosineAnnealing,
    CosineAnnealingWarmRestarts,
    Cyclic,
    Exponential,
    Lambda,
    Linear,
    MultiStep,
    OneCycle,
    Polynomial,
    Sequential,
    Step,
)
from refimpl.stepping import advanced
from refimpl.training import scheduled
from refimpl.types import Recursive, Schedule
from tests.refimpl.schedules.truths import COUNTS, DIGITS, learning_rate, one_cycle_at, triangle, truth

FLOAT64 = Profile(compute=FORMATS["float64"], accumulate=FORMATS["float64"])


def test_the_closed_form_and_the_recursion_in_50_digits_are_the_truth(any_schedule: Any, high_precision: Any) -> None:
    """The recursion makes each rate from the one before, as frameworks do."""
    lifted, base = high_precision.hyper(any_schedule), {"lr": high_precision.number(0.1)}
    current = base
    for k in COUNTS:
        right = truth(any_schedule, k)
        assert abs(learning_rate(lifted, k, high_precision.number(0.1)) - right) < 1e-45
        current = base | advanced(lifted, k, current, base)
        assert abs(current["lr"] - right) < 1e-45


RECURSIVE = (
    "step multi_step exponential constant_factor linear polynomial cosine_annealing multiplicative sequential chained"
)


def test_those_that_torch_makes_from_the_rate_before_say_so(every_schedule: dict[str, Any], registries: Any) -> None:
    recursive = {type(schedule) for schedule in every_schedule.values() if isinstance(schedule, Recursive)}
    assert recursive == {registries["schedule"][name] for name in RECURSIVE.split()}


# -- arithmetics --------------------------------------------------------------------------------------------------


def test_every_arithmetic_gives_the_same_rate(any_schedule: Any, rational: Any, long_double: Any) -> None:
    exact, wide = (each.hyper(any_schedule) for each in (rational, long_double))
    unit = float(np.finfo(np.longdouble).eps)
    for k in COUNTS:
        right = truth(any_schedule, k)
        assert abs(learning_rate(any_schedule, k) - right) <= 1e-14 * max(right, 0.1)
        found = learning_rate(wide, k, np.longdouble(0.1))
        assert abs(float(found) - float(right)) <= 1e-14 and isinstance(found, np.longdouble)
        high = float(found)
        assert abs(DIGITS.mpf(high) + float(found - high) - right) <= 100 * unit * max(right, 0.1)
        if rational.allows(any_schedule):
            fraction = learning_rate(exact, k, rational.array(np.array(0.1)).item()).value
            assert abs(DIGITS.mpf(fraction.numerator) / fraction.denominator - right) <= 1e-45


def test_float64_is_within_the_bound_and_the_bound_is_near(any_schedule: Any) -> None:
    bounded: Any = lift(any_schedule, lambda number: Bounded.hyper(number, FLOAT64))
    counts = np.array(COUNTS)
    bound = learning_rate(bounded, counts, Bounded.hyper(0.1, FLOAT64))
    allowed = np.broadcast_to(bound.error, counts.shape)
    assert bound.scalar
    for k in COUNTS:
        right = truth(any_schedule, k)
        assert abs(learning_rate(any_schedule, k) - right) <= DIGITS.mpf(float(allowed[k]))
        assert allowed[k] <= 2.0**-53 * 500 * max(float(right), 0.1)


def test_an_array_of_counts_is_each_count_by_itself(every_schedule: dict[str, Any]) -> None:
    """In the closed form and in the recursion; vectorised powers differ by an ulp."""
    column, counts, base = np.arange(len(COUNTS)).reshape(-1, 1, 1), np.arange(len(COUNTS)), {"lr": 0.1}
    before = np.linspace(0.05, 0.5, len(COUNTS))
    for label, schedule in every_schedule.items():
        together = np.broadcast_to(learning_rate(schedule, column), column.shape)
        singly = [learning_rate(schedule, k) for k in COUNTS]
        np.testing.assert_allclose(together.ravel(), singly, rtol=1e-14, err_msg=label)
        assert all(isinstance(rate, float) for rate in singly), label
        together = advanced(schedule, counts, {"lr": before}, base).get("lr", before)
        singly = [advanced(schedule, k, {"lr": before[k]}, base).get("lr", before[k]) for k in COUNTS]
        np.testing.assert_allclose(together, singly, rtol=1e-14, err_msg=label)


def test_one_base_rate_per_run_is_each_run_by_itself(every_schedule: dict[str, Any]) -> None:
    rates = np.array([0.1, 0.5])
    for label, schedule in every_schedule.items():
        for k in range(12):
            found: Any = scheduled(SGD(lr=rates), schedule, k)
            singly: list[Any] = [scheduled(SGD(lr=rate), schedule, k) for rate in rates]
            alone = [each.lr for each in singly]
            np.testing.assert_allclose(np.broadcast_to(found.lr, 2), alone, rtol=1e-15, err_msg=label)


# -- what else a schedule moves -----------------------------------------------------------------------------------


def test_what_a_schedule_does_not_name_stays(every_schedule: dict[str, Any]) -> None:
    optimizer = SGD(lr=0.1, momentum=0.9, weight_decay=0.3)
    for label, schedule in every_schedule.items():
        changed = scheduled(optimizer, schedule, 5)
        assert replace(changed, lr=0.1) == optimizer, label  # type: ignore[type-var]
        assert set(schedule.at(5, {"lr": 0.1})) <= {"lr"}, label


def test_a_constant_schedule_changes_nothing_at_all() -> None:
    optimizer = SGD(lr=0.1)
    schedule: Schedule = Constant()
    assert scheduled(optimizer, schedule, 1000) is optimizer


MOVING = [
    Cyclic(base_lr=0.1, max_lr=0.7, step_size_up=3, step_size_down=4, mode="exp_range", gamma=0.9),
    Cyclic(base_lr=0.1, max_lr=0.7, step_size_up=2, mode="triangular2", base_momentum=0.5, max_momentum=0.99),
    OneCycle(max_lr=0.5, total_steps=40),
    OneCycle(max_lr=0.5, total_steps=40, three_phase=True, anneal_strategy="linear", base_momentum=0.7),
]


@pytest.mark.parametrize("schedule", MOVING)
def test_momentum_goes_down_where_the_rate_goes_up(schedule: Any) -> None:
    lifted = lift(schedule, DIGITS.mpf)
    low, high = lifted.base_momentum, lifted.max_momentum
    for k in COUNTS[:40]:
        found: Any = scheduled(SGD(lr=0.1), schedule, k)
        adam: Any = scheduled(Adam(betas=(0.1, 0.2)), schedule, k)
        if isinstance(schedule, Cyclic):
            right = high - (high - low) * triangle(lifted, k)
        else:
            right = one_cycle_at(lifted, k, high, low, high)
        assert abs(found.momentum - right) < 1e-15
        assert adam.betas == (found.momentum, 0.2)


@pytest.mark.parametrize("schedule", MOVING)
def test_momentum_needs_an_optimizer_that_has_some(schedule: Any) -> None:
    with pytest.raises(ValueError, match=r"^cycle_momentum: given True; allowed: an optimizer with momentum or betas;"):
        scheduled(ProximalSGD(lr=0.1), schedule, 0)
    without: Any = scheduled(ProximalSGD(lr=0.1), replace(schedule, cycle_momentum=False), 0)
    assert without.lr == pytest.approx(0.1 if isinstance(schedule, Cyclic) else 0.02)


def test_a_sequence_leaves_alone_what_only_another_of_its_schedules_moves() -> None:
    cyclic = Cyclic(base_lr=0.1, max_lr=0.7, step_size_up=2)
    schedule = Sequential(schedules=(Constant(), cyclic, Exponential(gamma=0.5)), milestones=(2, 5))
    base: dict[str, Any] = {"lr": 0.3, "betas": (0.6, 0.7)}
    found = [base | schedule.at(k, base) for k in range(8)]
    together = schedule.at(np.arange(8), base)
    for k in range(8):
        inside = cyclic.at(k - 2, base) if 2 <= k < 5 else {"betas": (0.6, 0.7)}
        assert found[k]["betas"] == inside["betas"]
        assert tuple(np.broadcast_to(beta, 8)[k] for beta in together["betas"]) == inside["betas"]  # type: ignore[arg-type]
    assert [found[k]["lr"] for k in (0, 1, 5, 6)] == [0.3, 0.3, 0.3, 0.15]


# -- what it does to decay ----------------------------------------------------------------------------------------


def test_coupled_and_decoupled_decay_shrink_the_weights_by_the_product_of_rate_and_strength() -> None:
    """With a gradient of zero one step leaves w(1 − η_k λ), so η_k λ can be read off the weights."""
    w = np.array([[3.0, -2.0]])
    schedule = Exponential(gamma=0.9)
    for make in (SGD(lr=0.1, weight_decay=0.25), SGDW(lr=0.1, weight_decay=0.25)):
        for k in COUNTS[:40]:
            after, _ = scheduled(make, schedule, k).step(w, 0 * w, {})
            shrunk = (w - after) / w
            assert np.all(np.abs(shrunk - 0.25 * float(truth(schedule, k))) < 1e-15)


def test_coupled_decay_of_adam_does_not_move_with_the_rate_inside_of_its_moments() -> None:
    """Adam divides by the gradient's own size, so its coupled decay is no factor of the weights."""
    w = np.array([[3.0, -2.0]])
    schedule = Exponential(gamma=0.5)
    coupled, decoupled = Adam(lr=0.1, weight_decay=0.25, eps=0.0), Adam(lr=0.1, weight_decay=0.25)
    for k in range(5):
        after, state = scheduled(coupled, schedule, k).step(w, 0 * w, {})
        assert np.allclose(w - after, np.sign(w) * 0.1 * 0.5**k, rtol=1e-14)
        assert np.array_equal(state["exp_avg"], (1 - 0.9) * (0.25 * w))
        after, _ = scheduled(replace(decoupled, decoupled_weight_decay=True), schedule, k).step(w, 0 * w, {})
        assert np.allclose((w - after) / w, 0.25 * 0.1 * 0.5**k, rtol=1e-13)


# -- identities ---------------------------------------------------------------------------------------------------


def same(one: Any, other: Any, counts: Any = COUNTS) -> bool:
    return all(abs(learning_rate(one, k) - learning_rate(other, k)) < 1e-16 for k in counts)


def test_special_cases_are_one_another() -> None:
    assert same(Step(step_size=1, gamma=0.9), Exponential(gamma=0.9))
    assert same(Step(step_size=4, gamma=0.9), MultiStep(milestones=tuple(range(4, 44, 4)), gamma=0.9))
    assert same(Polynomial(total_iters=9), Linear(start_factor=1.0, end_factor=0.0, total_iters=9))
    assert same(Polynomial(total_iters=9, power=0.0), Constant())
    assert same(CosineAnnealing(T_max=9), CosineAnnealingWarmRestarts(T_0=9), range(9))
    assert same(Lambda(factor=lambda k: 0.9**k), Exponential(gamma=0.9))
    assert same(Chained(schedules=(Exponential(gamma=0.9),)), Exponential(gamma=0.9))
    assert same(Sequential(schedules=(Exponential(gamma=0.9),), milestones=()), Exponential(gamma=0.9))
    assert same(Sequential(schedules=(Constant(), Linear()), milestones=(3,)), Constant(), range(3))
    assert same(Exponential(gamma=1.0), ConstantFactor(factor=1.0))


# -- what is refused ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("cls", "field", "more"),
    [
        (Step, "step_size", {}),
        (ConstantFactor, "total_iters", {}),
        (Linear, "total_iters", {}),
        (Polynomial, "total_iters", {}),
        (CosineAnnealing, "T_max", {}),
        (CosineAnnealingWarmRestarts, "T_0", {}),
        (CosineAnnealingWarmRestarts, "T_mult", {"T_0": 1}),
        (Cyclic, "step_size_up", {"base_lr": 0.1, "max_lr": 0.2}),
        (Cyclic, "step_size_down", {"base_lr": 0.1, "max_lr": 0.2}),
    ],
)
def test_a_length_that_is_no_positive_integer_is_refused(cls: Any, field: str, more: Any) -> None:
    for bad in (0, -1, 2.5, "3", True):
        with pytest.raises(ValueError, match=rf"^{field}: given .*; allowed: an integer ≥ 1; change {field}$"):
            cls(**{field: bad}, **more)


@pytest.mark.parametrize("name", ["step", "exponential", "multi_step"])
def test_a_gamma_outside_its_range_is_refused(name: str) -> None:
    arguments: Any = {"step": {"step_size": 1}, "multi_step": {"milestones": (1,)}}.get(name, {})
    for gamma in (-0.1, np.nan, np.inf):
        with pytest.raises(ValueError, match=r"^gamma: given .*; allowed: a finite number ≥ 0; change gamma$"):
            SCHEDULES[name](gamma=gamma, **arguments)


@pytest.mark.parametrize(
    ("make", "what"),
    [
        (lambda: ConstantFactor(factor=0.0), "factor: given 0; allowed: above 0; torch divides by it"),
        (lambda: ConstantFactor(factor=1.5), "factor: given 1.5; allowed: a number from 0 to 1;"),
        (lambda: Linear(start_factor=0.0), "start_factor: given 0; allowed: above 0; torch divides by it"),
        (lambda: MultiStep(milestones=(3, -1)), r"milestones: given \(3, -1\); allowed: integers ≥ 0;"),
        (lambda: OneCycle(max_lr=1.0), "epochs: given None; allowed: an integer ≥ 1; change epochs"),
        (lambda: OneCycle(max_lr=1.0, total_steps=1), "total_steps: given 1; allowed: an integer ≥ 2;"),
        (lambda: OneCycle(max_lr=1.0, epochs=1, steps_per_epoch=1), "total_steps: given 1; allowed: an integer ≥ 2;"),
        (
            lambda: OneCycle(max_lr=1.0, total_steps=10, pct_start=0.1),
            "pct_start: given 0.1; allowed: a rise that ends",
        ),
        (
            lambda: OneCycle(max_lr=1.0, total_steps=10, pct_start=0.6, three_phase=True),
            "pct_start: given 0.6; allowed: at most 0.5 with three_phase",
        ),
        (lambda: OneCycle(max_lr=1.0, total_steps=10, div_factor=0.0), "div_factor: given 0; allowed: above 0;"),
        (lambda: Cyclic(base_lr=0.1, max_lr=1.0, base_momentum=0.0), "base_momentum: given 0; allowed: above 0;"),
        (lambda: Chained(schedules=()), "schedules: given none; allowed: at least one;"),
        (lambda: Sequential(schedules=(Constant(), Constant()), milestones=()), "milestones: .*allowed: 1 rising"),
        (
            lambda: Sequential(schedules=(Constant(), Constant(), Constant()), milestones=(3, 3)),
            "milestones: .*allowed: 2 rising",
        ),
    ],
)
def test_what_has_no_sense_is_refused_when_it_is_made(make: Any, what: str) -> None:
    with pytest.raises(ValueError, match=f"^{what}"):
        make()


def test_a_cycle_cannot_be_left() -> None:
    schedule = OneCycle(max_lr=1.0, total_steps=10)
    schedule.at(10, {"lr": 0.1, "momentum": 0.9})
    with pytest.raises(
        ValueError, match=r"^total_steps: given 10; allowed: at least 12; train no longer than the cycle$"
    ):
        schedule.at(np.arange(13), {"lr": 0.1, "momentum": 0.9})


def test_it_is_advanced_per_epoch_or_per_step_and_nothing_else(every_schedule: dict[str, Any]) -> None:
    for label, schedule in every_schedule.items():
        assert schedule.per in {"epoch", "step"}, label
        with pytest.raises(ValueError, match=r"^per: given 'batch'; allowed: 'epoch', 'step'; choose one of them$"):
            replace(schedule, per="batch")
