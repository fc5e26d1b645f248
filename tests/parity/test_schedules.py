"""torch's schedulers, held to the reference advance by advance, and that faults are caught."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np
import pytest
from torch.optim import lr_scheduler

import parity.features.verify.schedules as matrix
from parity.backends.torch_schedules import SCHEDULERS, torch_schedule
from parity.features.verify.schedules import SCHEDULES, ScheduleCase, cases, check_schedule, run_schedule
from parity.judge.schedules import RecordedGroup, check
from parity.step.expected import Expected
from refimpl.optimizers import SGD
from refimpl.schedules import (
    PROGRAMMED,
    REACTIVE,
    Chained,
    ConstantFactor,
    Cyclic,
    Exponential,
    OneCycle,
    ReduceOnPlateau,
    Sequential,
)
from refimpl.schedules import SCHEDULES as BY_NAME
from refimpl.training import scheduled
from tests.parity.labels import label

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
