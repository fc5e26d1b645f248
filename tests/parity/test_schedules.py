"""torch's schedulers, held to the reference advance by advance; that faults are caught; and what surprises in torch."""

from __future__ import annotations

import inspect
import math
import re
import warnings
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np
import pytest
import torch
from torch.optim import lr_scheduler

import parity.backends.torch_autograd as torch_autograd
import parity.features.verify.schedules as matrix
from parity.backends.torch_schedules import SCHEDULERS, torch_schedule
from parity.features.verify.schedules import SCHEDULES, ScheduleCase, cases, check_schedule, run_schedule
from parity.judge.schedules import RecordedGroup, check
from parity.judge.update import Update
from parity.judge.update import check as check_update
from parity.step.arithmetics import Rounding
from parity.step.expected import Expected
from parity.step.rates import in_effect
from refimpl.arithmetic.bounded import Profile
from refimpl.arithmetic.formats import FORMATS
from refimpl.batches import Batches
from refimpl.errors import RefimplError
from refimpl.optimizers import SGD, Adam, ProximalSGD
from refimpl.schedules import (
    PROGRAMMED,
    REACTIVE,
    Chained,
    ConstantFactor,
    CosineAnnealing,
    CosineAnnealingWarmRestarts,
    Cyclic,
    Exponential,
    Lambda,
    Linear,
    Multiplicative,
    MultiStep,
    OneCycle,
    Polynomial,
    ReduceOnPlateau,
    Sequential,
    Step,
)
from refimpl.schedules import SCHEDULES as BY_NAME
from refimpl.training import hyper_parameters, scheduled


def label(value: object) -> str:
    """A name that is the same in every process: without the addresses of functions, and not too long."""
    return re.sub(r" at 0x[0-9a-f]+", "", str(value))[:120]


FLOAT64 = Profile(compute=FORMATS["float64"], accumulate=FORMATS["float64"])
CASES = cases()


@cache
def checked(index: int) -> tuple[Expected, ...]:
    return tuple(check_schedule(CASES[index]))


# -- torch is held to the reference ---------------------------------------------------------------------------------


def test_torch_has_no_scheduler_that_the_reference_lacks() -> None:
    """All that torch exports; its base class is none."""
    assert set(lr_scheduler.__all__) - {"LRScheduler"} == {name for name in SCHEDULERS.values() if name is not None}
    assert set(SCHEDULERS) == {*BY_NAME.values(), *PROGRAMMED.values(), *REACTIVE.values()}


FIELDS_OF_TORCHS = {"lr_lambda": "factor"}
NOT_HERE = {"optimizer", "last_epoch", "scale_fn", "scale_mode", "self"}


@pytest.mark.parametrize("cls", [cls for cls, made in SCHEDULERS.items() if made is not None])
def test_names_and_defaults_are_torchs(cls: Any) -> None:
    theirs = inspect.signature(getattr(lr_scheduler, str(SCHEDULERS[cls])).__init__).parameters
    ours = dict(inspect.signature(cls).parameters)
    del ours["per"]
    wanted = {FIELDS_OF_TORCHS.get(name, name): p.default for name, p in theirs.items() if name not in NOT_HERE}
    if cls in (Sequential, Chained):
        wanted["schedules"] = wanted.pop("schedulers")
    assert {name: parameter.default for name, parameter in ours.items()} == wanted


def test_there_are_enough_cases_and_every_schedule_has_some() -> None:
    assert len(CASES) >= 60
    assert {type(case.schedule) for case in CASES} == set(SCHEDULERS)
    assert len({case.optimizer for case in CASES}) >= 12


@pytest.mark.parametrize("index", range(len(CASES)), ids=lambda index: label(CASES[index]))
def test_torch_agrees(index: int) -> None:
    for expected in checked(index):
        assert np.all(expected.share <= 1), str(expected.quantity)
        assert np.all(np.isfinite(expected.allowance))


@pytest.mark.parametrize("cls", [cls for cls, made in SCHEDULERS.items() if made is not None])
def test_the_allowance_is_near_what_torch_needs(cls: type) -> None:
    found = [e for i, case in enumerate(CASES) if type(case.schedule) is cls for e in checked(i)]
    assert max(np.max(e.share) for e in found if str(e.quantity) == "lr") > 0.2
    if cls in (Cyclic, OneCycle):
        for moved in ("momentum", "betas[0]"):
            assert max(np.max(e.share) for e in found if str(e.quantity) == moved) > 0.2
    relative = [np.abs(e.allowance / np.where(e.value == 0, np.inf, e.value)) for e in found if str(e.quantity) == "lr"]
    assert min(np.max(r) for r in relative) < 1e-14


@pytest.mark.slow
def test_what_a_schedule_does_not_move_is_held_to_equality() -> None:
    for i in range(len(CASES)):
        for expected in checked(i):
            if str(expected.quantity) in ("weight_decay", "eps", "betas[1]", "dampening"):
                assert np.all(expected.allowance == 0)


# -- faults are caught ------------------------------------------------------------------------------------------------


def moved(recorded: RecordedGroup, change: Callable[[Any], Any]) -> RecordedGroup:
    return replace(recorded, values={"lr": change(recorded.values["lr"])})


def caught(case: ScheduleCase, change: Callable[[Any], Any]) -> bool:
    pieces = list(check(case.schedule, moved(run_schedule(case)[0], change)))
    return any(np.any(piece.share > 1) for piece in pieces)


MOVING = [
    schedule for schedule in SCHEDULES if len({float(scheduled(SGD(lr=0.1), schedule, k).lr) for k in range(13)}) > 2
]


def test_most_schedules_move() -> None:
    assert {type(schedule) for schedule in MOVING} >= set(SCHEDULERS) - {ReduceOnPlateau, ConstantFactor} - {
        next(cls for cls, made in SCHEDULERS.items() if made is None)
    }


@pytest.mark.parametrize("schedule", MOVING, ids=label)
def test_a_rate_one_advance_too_late_or_too_early_is_caught(schedule: Any) -> None:
    case = ScheduleCase(schedule=schedule, advances=30)
    assert not caught(case, lambda lr: lr)
    assert caught(case, lambda lr: np.concatenate([lr[:1], lr[:-1]]))
    if not isinstance(schedule, Exponential) or schedule.gamma != 0:  # after its first advance all is zero
        assert caught(case, lambda lr: lr[1:])


@pytest.mark.parametrize("schedule", MOVING, ids=label)
def test_a_rate_advanced_per_epoch_in_place_of_per_step_is_caught(schedule: Any) -> None:
    """Three steps to the epoch."""
    assert caught(ScheduleCase(schedule=schedule, advances=12), lambda lr: np.repeat(lr, 3)[: len(lr)])


@pytest.mark.parametrize("schedule", MOVING, ids=label)
def test_a_rate_wrong_by_32_ulps_is_caught_at_the_advance_that_makes_it(schedule: Any) -> None:
    """Where it is at its largest."""
    case = ScheduleCase(schedule=schedule, advances=30)
    recorded = run_schedule(case)[0]
    k = 1 + int(np.argmax(recorded.values["lr"][1:]))
    lr = recorded.values["lr"].copy()
    lr[k] += 32 * np.spacing(np.max(lr))
    piece = next(piece for piece in check(schedule, moved(recorded, lambda _: lr)) if str(piece.quantity) == "lr")
    assert piece.share[k] > 1 and np.all(piece.share[:k] <= 1)


def test_a_momentum_that_does_not_move_is_caught() -> None:
    for schedule in (OneCycle(max_lr=0.5, total_steps=40), Cyclic(base_lr=0.01, max_lr=0.1, step_size_up=5)):
        case = ScheduleCase(schedule=schedule, options={"momentum": 0.9})
        recorded = run_schedule(case)[0]
        still = replace(recorded, values={**recorded.values, "momentum": np.full(41, 0.9)})
        assert any(np.any(piece.share > 1) for piece in check(schedule, still) if str(piece.quantity) == "momentum")


def test_a_plateau_that_is_forgotten_or_seen_too_early_is_caught() -> None:
    case = next(case for case in CASES if isinstance(case.schedule, ReduceOnPlateau) and case.schedule.patience == 2)
    assert not wrong(check_schedule(case))
    for patience in (1, 3):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(matrix, "torch_schedule", lambda s, o, p=patience: torch_schedule(replace(s, patience=p), o))
            assert wrong(check_schedule(case))


def wrong(pieces: list[Expected]) -> bool:
    return any(np.any(piece.share > 1) for piece in pieces)


# -- in an experiment -------------------------------------------------------------------------------------------------

IN_EXPERIMENTS = [
    MultiStep(milestones=(1, 2)),
    ConstantFactor(total_iters=4, per="step"),
    Linear(total_iters=7, per="step"),
    Linear(end_factor=0.2, total_iters=2),
    Polynomial(total_iters=11, power=0.9, per="step"),
    CosineAnnealing(T_max=4, eta_min=0.001, per="step"),
    CosineAnnealing(T_max=2),
    CosineAnnealingWarmRestarts(T_0=2, T_mult=2, per="step"),
    OneCycle(max_lr=0.02, total_steps=20),
    OneCycle(max_lr=0.02, epochs=4, steps_per_epoch=3, three_phase=True, anneal_strategy="linear"),
    Cyclic(base_lr=0.001, max_lr=0.02, step_size_up=3, mode="triangular2"),
    Cyclic(base_lr=0.001, max_lr=0.02, step_size_up=2, mode="exp_range", gamma=0.9, cycle_momentum=False),
]


@pytest.mark.parametrize("schedule", IN_EXPERIMENTS, ids=label)
def test_torch_agrees_in_a_whole_experiment(schedule: Any, bench: Any) -> None:
    experiment = bench.experiment(schedule=schedule, optimizer=SGD(lr=0.01, momentum=0.9))
    for formulation, dtype in (("weight_decay", "float64"), ("weight_decay", "float32"), ("manual", "float64")):
        verdict = bench.judge(experiment, dtype=dtype, formulation=formulation)
        moot = {"schedule.final_div_factor"}  # of the last phase, where the run does not reach it
        assert verdict.name in ("agree", "undecidable") and set(verdict.undecidable) <= moot, verdict.text


@pytest.mark.parametrize(
    "schedule",
    [Exponential(gamma=0.9, per="step"), Linear(total_iters=7, per="step"), CosineAnnealing(T_max=40, per="step")],
    ids=label,
)
def test_a_scheduler_that_is_late_early_or_slow_is_caught_in_a_whole_experiment(
    schedule: Any, bench: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    experiment = bench.experiment(schedule=schedule)
    assert bench.judge(experiment).name == "agree"

    class Wrapped:
        """Passes on some of its calls."""

        def __init__(self, scheduler: Any, calls: Iterator[int]) -> None:
            self.scheduler, self.calls = scheduler, calls

        def step(self) -> None:
            for _ in range(next(self.calls)):
                self.scheduler.step()

    for calls in ([0, 1, 1, 1, 1, 1, 1, 1, 1], [2, 1, 1, 1, 1, 1, 1, 1, 1], [0, 0, 1] * 3):
        monkeypatch.setattr(
            torch_autograd, "torch_schedule", lambda s, o, calls=calls: Wrapped(torch_schedule(s, o), iter(calls))
        )
        verdict = bench.judge(experiment)
        assert verdict.name == "disagree" and "update" in verdict.text


def test_a_schedule_that_does_not_fit_is_refused_when_the_experiment_is_made_or_drawn(bench: Any) -> None:
    with pytest.raises(RefimplError, match="cycle_momentum: given True; allowed: an optimizer with momentum or betas"):
        bench.experiment(schedule=OneCycle(max_lr=0.1, total_steps=20), optimizer=ProximalSGD(lr=0.1))
    short = bench.experiment(schedule=OneCycle(max_lr=0.1, total_steps=5), batches=Batches(size=5))
    with pytest.raises(RefimplError, match="total_steps: given 5; allowed: at least 8"):
        short.draw()


@pytest.mark.parametrize("schedule", [s for s in SCHEDULES if not isinstance(s, Cyclic | OneCycle)], ids=label)
def test_the_bound_of_a_free_run_covers_torchs_recursion_and_the_closed_form(schedule: Any) -> None:
    counts = np.arange(41)
    optimizer = SGD(lr=0.1, momentum=0.9)
    bound: Any = in_effect(optimizer, schedule, counts.reshape(-1, 1), Rounding(FLOAT64)).lr  # type: ignore[attr-defined]
    value, error = (np.broadcast_to(np.asarray(x), (41, 1))[:, 0] for x in (bound.value, bound.error))
    closed = np.array([scheduled(optimizer, schedule, k).lr for k in range(41)])  # type: ignore[attr-defined]
    torchs = run_schedule(ScheduleCase(schedule=schedule))[0].values["lr"]
    for found in (closed, torchs):
        assert np.all(np.abs(found - value) <= error)
    assert np.all(error <= 1e-11)


# -- what a schedule does to decay ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "reference"),
    [
        ("SGD", SGD(lr=0.1, weight_decay=0.3)),
        ("SGD", SGD(lr=0.1, weight_decay=0.3, momentum=0.9)),
        ("AdamW", Adam(lr=0.1, weight_decay=0.3, decoupled_weight_decay=True)),
        ("Adam", Adam(lr=0.1, weight_decay=0.3)),
    ],
    ids=label,
)
@pytest.mark.parametrize(
    "schedule",
    [CosineAnnealing(T_max=17), OneCycle(max_lr=0.5, total_steps=20)],
    ids=label,
)
def test_the_rate_of_the_moment_is_in_the_step_and_in_the_decay(name: str, reference: Any, schedule: Any) -> None:
    """Every step of torch is the reference's with the rate of its schedule, and not with that of a step later."""
    rng = np.random.default_rng(0)
    w = torch.tensor(rng.standard_normal(17), requires_grad=True)
    options = {k: v for k, v in hyper_parameters(reference).items() if k not in ("lr", "eps", "dampening")}
    made = {"SGD": torch.optim.SGD, "AdamW": torch.optim.AdamW, "Adam": torch.optim.Adam}[name]
    optimizer = made([w], lr=0.1, foreach=False, **options)
    scheduler = torch_schedule(schedule, optimizer)
    assert scheduler is not None
    late = []
    for k in range(9):
        w.grad = torch.tensor(rng.standard_normal(17)) if k % 3 else torch.zeros(17, dtype=torch.float64)
        before, state = w.detach().numpy().copy(), recorded_state(optimizer, w)
        optimizer.step()
        common: dict[str, Any] = {
            "parameter": "w",
            "number": k,
            "profile": FLOAT64,
            "before": before[None],
            "gradient": w.grad.numpy()[None].copy(),
            "state": state,
            "after": w.detach().numpy()[None].copy(),
            "state_after": recorded_state(optimizer, w),
        }
        common["formats"] = dict.fromkeys(("param", *common["state_after"]), "float64")
        now = Update(optimizer=in_effect(reference, schedule, np.array([k]), Rounding(FLOAT64)), **common)
        assert all(np.all(expected.share <= 1) for expected in check_update(now))
        then = Update(optimizer=in_effect(reference, schedule, np.array([k + 1]), Rounding(FLOAT64)), **common)
        late.append(any(np.any(expected.share > 1) for expected in check_update(then)))
        if reference.decay == "decoupled" or (name == "SGD" and not options["momentum"]):
            shrunk = before - w.detach().numpy()
            product = float(scheduled(reference, schedule, k).lr) * 0.3  # type: ignore[attr-defined]
            if k == 0:  # no gradient yet: w ← w(1 − ηλ)
                np.testing.assert_allclose(shrunk / before, product, rtol=1e-13)
        scheduler.step()
    assert all(late)


def recorded_state(optimizer: Any, w: Any) -> dict[str, Any]:
    state = {k: v for k, v in optimizer.state[w].items() if isinstance(v, torch.Tensor)}
    return {k: v.detach().double().numpy().copy().reshape((1,) if v.ndim == 0 else (1, -1)) for k, v in state.items()}


# -- the reference's reaction to a metric -----------------------------------------------------------------------------


def test_the_plateau_reference_itself_gives_torchs_rates_for_every_run_at_once() -> None:
    """A free run in float64, two runs side by side; its comparisons and products are torch's own."""
    for case in CASES:
        if isinstance(case.schedule, ReduceOnPlateau) and len(case.rates) == 2:
            recorded = run_schedule(case)
            state = case.schedule.init({"lr": np.array(case.rates)})
            for k, metric in enumerate(case.metrics):
                changes, state = case.schedule.react(np.full(2, metric), state)
                assert np.asarray(changes["lr"]).tolist() == [group.values["lr"][k + 1] for group in recorded]


# -- what surprises in torch ------------------------------------------------------------------------------------------


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
