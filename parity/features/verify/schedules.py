"""torch's schedulers, each run beside a torch optimizer and held to the reference's schedule, advance by advance."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import cycle
from typing import Any

import numpy as np
import torch
from torch import Tensor

from parity.backends.torch_schedules import Scheduler, torch_schedule
from parity.judge.schedules import RecordedGroup, check, check_reactive
from parity.step.expected import Expected
from refimpl.schedules import (
    Chained,
    Constant,
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
from refimpl.types import Array

OF_THE_SCHEDULER = {"initial_lr", "max_lr", "min_lr", "max_momentum", "base_momentum"}
"""The keys of a group in which torch's schedulers keep numbers of their own."""
PLATEAU_STATE = ("best", "num_bad_epochs", "cooldown_counter")


@dataclass(frozen=True, kw_only=True)
class ScheduleCase:
    """One run of a scheduler.

    ``optimizer``: torch's class, with ``options``; ``rates``: the learning rate of each of its groups; ``dtype``: of a
    learning rate that is a tensor, None for a Python number. ``resume``: after so many advances the run is saved and
    loaded into a new optimizer and scheduler. ``metrics``: what a schedule that follows a metric is handed.
    """

    schedule: Any
    optimizer: str = "SGD"
    options: Mapping[str, Any] = field(default_factory=dict)
    rates: tuple[float, ...] = (0.1,)
    advances: int = 40
    dtype: str | None = None
    resume: int | None = None
    metrics: tuple[float, ...] = ()

    def __str__(self) -> str:
        said = [str(self.schedule), self.optimizer, *(f"{name}={value}" for name, value in self.options.items())]
        said += [f"lr={self.rates}"] if self.rates != (0.1,) else []
        said += [f"lr as {self.dtype}"] if self.dtype else []
        return ", ".join(said + ([f"resumed after {self.resume}"] if self.resume is not None else []))


def check_schedule(case: ScheduleCase) -> list[Expected]:
    """Every hyper-parameter of every group after every advance."""
    expected: list[Expected] = []
    for group in run_schedule(case):
        if isinstance(case.schedule, ReduceOnPlateau):
            expected += check_reactive(case.schedule, np.array(case.metrics), group)
        else:
            expected += check(case.schedule, group)
    return expected


def run_schedule(case: ScheduleCase) -> list[RecordedGroup]:
    """Each group's hyper-parameters as torch had them: after making the scheduler, and after every advance."""
    optimizer = _optimizer(case)
    base = [_hypers(group) for group in optimizer.param_groups]
    scheduler = torch_schedule(case.schedule, optimizer)
    records = [_record(optimizer, scheduler)]
    for k in range(len(case.metrics) or case.advances):
        if k == case.resume:
            optimizer, scheduler = _loaded(case, optimizer, scheduler)
        _step(optimizer)
        if scheduler is not None:
            advance: Any = scheduler.step
            advance(*case.metrics[k : k + 1])
        records.append(_record(optimizer, scheduler))
    return [
        RecordedGroup(
            base=base[i],
            values={name: np.array([groups[i][name] for groups in records]) for name in records[0][i]},
            dtype=case.dtype or "float64",
        )
        for i in range(len(case.rates))
    ]


def _optimizer(case: ScheduleCase) -> torch.optim.Optimizer:
    groups: list[dict[str, Any]] = []
    for rate in case.rates:
        param = torch.ones(2, 2, requires_grad=True)
        param.grad = torch.zeros(2, 2)
        groups.append({"params": [param], "lr": _rate(case, rate)})
    options = {"lr": _rate(case, case.rates[0]), **case.options}
    made: torch.optim.Optimizer = getattr(torch.optim, case.optimizer)(groups, **options)
    return made


def _rate(case: ScheduleCase, rate: float) -> float | Tensor:
    return rate if case.dtype is None else torch.tensor(rate, dtype=getattr(torch, case.dtype))


def _step(optimizer: torch.optim.Optimizer) -> None:
    """With a gradient of zero; the optimizer must have been called before its scheduler is."""
    if isinstance(optimizer, torch.optim.LBFGS):
        optimizer.step(lambda: torch.zeros(()))  # type: ignore[no-untyped-call]
    else:
        optimizer.step()


def _loaded(
    case: ScheduleCase, optimizer: torch.optim.Optimizer, scheduler: Scheduler | None
) -> tuple[torch.optim.Optimizer, Scheduler | None]:
    """Another optimizer and scheduler with the state of these."""
    other = _optimizer(case)
    made = torch_schedule(case.schedule, other)
    other.load_state_dict(optimizer.state_dict())
    if made is not None and scheduler is not None:
        made.load_state_dict(scheduler.state_dict())
    return other, made


def _hypers(group: Mapping[str, Any]) -> dict[str, Any]:
    """The numbers of a group that are the optimizer's own, as Python numbers."""
    hypers: dict[str, Any] = {}
    for name, value in group.items():
        value = value.item() if isinstance(value, Tensor) else value
        numbers = value if isinstance(value, tuple) else (value,)
        if name not in OF_THE_SCHEDULER and all(type(number) in (int, float) for number in numbers):
            hypers[name] = value
    return hypers


def _record(optimizer: torch.optim.Optimizer, scheduler: Any) -> list[dict[str, float]]:
    """Pairs such as ``betas`` as two numbers; and the state of a scheduler that follows a metric."""
    records = []
    for i, group in enumerate(optimizer.param_groups):
        record: dict[str, float] = {}
        for name, value in _hypers(group).items():
            record |= {f"{name}[{j}]": v for j, v in enumerate(value)} if isinstance(value, tuple) else {name: value}
        if isinstance(scheduler, torch.optim.lr_scheduler.ReduceLROnPlateau):
            record |= {name: getattr(scheduler, name) for name in PLATEAU_STATE}
            record = {name: record[name] for name in ("lr", *PLATEAU_STATE)}
        if scheduler is not None and scheduler.get_last_lr()[i] != record["lr"]:
            raise AssertionError(f"get_last_lr() says {scheduler.get_last_lr()[i]}, the group has {record['lr']}")
        records.append(record)
    return records


# -- cases -----------------------------------------------------------------------------------------------------------


def inverse(k: int) -> float:
    """1/(1 + k)."""
    return 1 / (1 + k)


def wavering(k: int) -> float:
    """Above 1 and below it by turns."""
    return 1.07 if k % 3 else 0.8


SCHEDULES: tuple[Any, ...] = (
    Constant(),
    Step(step_size=3),
    Step(step_size=1, gamma=0.7),
    Step(step_size=7, gamma=1.3),
    MultiStep(milestones=(4, 9, 30)),
    MultiStep(milestones=(9, 4, 4), gamma=0.6),
    MultiStep(milestones=(0, 3), gamma=0.3),
    Exponential(gamma=0.93),
    Exponential(gamma=0.0),
    Exponential(gamma=1.02),
    ConstantFactor(),
    ConstantFactor(factor=0.7, total_iters=1),
    ConstantFactor(factor=1e-3, total_iters=20),
    Linear(),
    Linear(start_factor=0.01, total_iters=20),
    Linear(start_factor=1.0, end_factor=0.0, total_iters=33),
    Linear(start_factor=0.9, end_factor=0.3, total_iters=1),
    Polynomial(),
    Polynomial(total_iters=30, power=2.0),
    Polynomial(total_iters=35, power=0.9),
    Polynomial(total_iters=8, power=0.0),
    Polynomial(total_iters=1, power=0.5),
    CosineAnnealing(T_max=10),
    CosineAnnealing(T_max=7, eta_min=0.003),
    CosineAnnealing(T_max=1),
    CosineAnnealing(T_max=100, eta_min=0.2),
    CosineAnnealingWarmRestarts(T_0=5),
    CosineAnnealingWarmRestarts(T_0=3, T_mult=2, eta_min=0.001),
    CosineAnnealingWarmRestarts(T_0=1, T_mult=3),
    Lambda(factor=inverse),
    Lambda(factor=wavering),
    Multiplicative(factor=wavering),
    OneCycle(max_lr=0.5, total_steps=40),
    OneCycle(max_lr=0.5, epochs=7, steps_per_epoch=6, anneal_strategy="linear"),
    OneCycle(max_lr=1.0, total_steps=41, three_phase=True, pct_start=0.37),
    OneCycle(max_lr=0.3, total_steps=50, three_phase=True, anneal_strategy="linear", div_factor=7.0),
    OneCycle(max_lr=0.5, total_steps=45, pct_start=0.0, final_div_factor=3.0),
    OneCycle(max_lr=0.5, total_steps=45, cycle_momentum=False, pct_start=0.61),
    Cyclic(base_lr=0.01, max_lr=0.1, step_size_up=5),
    Cyclic(base_lr=0.01, max_lr=0.1, step_size_up=3, step_size_down=8, mode="triangular2"),
    Cyclic(base_lr=0.03, max_lr=0.7, step_size_up=4, step_size_down=1, mode="exp_range", gamma=0.97),
    Cyclic(base_lr=0.0, max_lr=0.1, step_size_up=1, base_momentum=0.5, max_momentum=0.99),
    Cyclic(base_lr=0.1, max_lr=0.01, step_size_up=6, cycle_momentum=False),
    Chained(schedules=(ConstantFactor(), Exponential(gamma=0.9))),
    Chained(schedules=(Linear(total_iters=8), Step(step_size=5), Polynomial(total_iters=30))),
    Chained(schedules=(CosineAnnealing(T_max=9, eta_min=0.01), MultiStep(milestones=(3, 12), gamma=0.5))),
    Chained(schedules=(Exponential(gamma=0.9), Lambda(factor=inverse), Multiplicative(factor=wavering))),
    Chained(schedules=(Cyclic(base_lr=0.01, max_lr=0.1, step_size_up=4), Exponential(gamma=0.9))),
    Sequential(schedules=(Linear(total_iters=5), CosineAnnealing(T_max=30)), milestones=(5,)),
    Sequential(schedules=(ConstantFactor(), Exponential(gamma=0.9), Linear()), milestones=(3, 20)),
    Sequential(schedules=(Linear(), CosineAnnealingWarmRestarts(T_0=4, T_mult=2)), milestones=(6,)),
    Sequential(schedules=(Step(step_size=2), MultiStep(milestones=(2, 5)), Polynomial()), milestones=(9, 19)),
    Sequential(schedules=(Multiplicative(factor=wavering), Lambda(factor=inverse)), milestones=(11,)),
    Sequential(
        schedules=(Constant(), Cyclic(base_lr=0.01, max_lr=0.1, step_size_up=4, cycle_momentum=False)), milestones=(11,)
    ),
)
"""Every schedule of the count with its options."""

OPTIMIZERS: tuple[tuple[str, Mapping[str, Any]], ...] = (
    ("SGD", {"momentum": 0.9}),
    ("AdamW", {"weight_decay": 0.1}),
    ("SGD", {}),
    ("Adam", {"betas": (0.8, 0.99)}),
    ("RMSprop", {"momentum": 0.5}),
    ("NAdam", {}),
    ("Muon", {}),
    ("RAdam", {}),
    ("Adamax", {}),
)
"""Each has momentum or betas, which some schedules move."""
ONLY_RATES: tuple[str, ...] = ("Adagrad", "Adadelta", "ASGD", "Rprop", "Adafactor", "LBFGS")
"""Optimizers without momentum."""


def cases() -> list[ScheduleCase]:
    """Every schedule with two optimizers, one of them with groups at rates of their own; and what else can differ."""
    kinds = cycle(OPTIMIZERS)
    schedule_cases = []
    for i, schedule in enumerate(SCHEDULES):
        for rates in ((0.1,), (0.1, 3e-4, 2.0)):
            optimizer, options = next(kinds)
            schedule_cases.append(ScheduleCase(schedule=schedule, optimizer=optimizer, options=options, rates=rates))
        schedule_cases.append(ScheduleCase(schedule=schedule, options={"momentum": 0.9}, resume=1 + i % 23))
    for name in ONLY_RATES:
        schedule_cases += [ScheduleCase(schedule=some, optimizer=name) for some in (Linear(), CosineAnnealing(T_max=9))]
    for schedule in (Exponential(gamma=0.93), Step(step_size=3), Linear(), CosineAnnealing(T_max=9, eta_min=0.003)):
        for dtype in ("float64", "float32"):
            schedule_cases.append(
                ScheduleCase(schedule=schedule, optimizer="Adam", dtype=dtype, options={"foreach": False})
            )
    long: tuple[Any, ...] = (CosineAnnealing(T_max=150), Polynomial(total_iters=300), Exponential(gamma=0.999))
    schedule_cases += [ScheduleCase(schedule=schedule, advances=400) for schedule in long]
    return schedule_cases + plateaus()


def plateaus() -> list[ScheduleCase]:
    """Schedules that follow a metric: one that falls and stands still by turns, in four ways of comparing."""
    rng = np.random.default_rng(0)
    falling: Array = np.exp(-np.linspace(0, 2, 60)) + 0.05 * rng.standard_normal(60)
    options: Sequence[Mapping[str, Any]] = (
        {},
        {"patience": 2},
        {"patience": 0, "factor": 0.5, "min_lr": 0.01},
        {"patience": 1, "cooldown": 3, "threshold": 0.01},
        {"patience": 1, "mode": "max"},
        {"patience": 1, "threshold_mode": "abs", "threshold": 0.1},
        {"patience": 1, "mode": "max", "threshold_mode": "abs", "factor": 0.9},
        {"patience": 0, "factor": 0.7, "eps": 1e-3},
    )
    schedule_cases = []
    for i, some in enumerate(options):
        optimizer, settings = OPTIMIZERS[i % len(OPTIMIZERS)]
        never = -np.inf if some.get("mode") == "max" else np.inf
        metrics = tuple(float(m) for m in np.append(falling[:40], [np.nan, never, -1.0, -1.0, *falling[40:]]))
        common: dict[str, Any] = {"schedule": ReduceOnPlateau(**some), "metrics": metrics}
        schedule_cases.append(ScheduleCase(optimizer=optimizer, options=settings, rates=(0.1, 3e-4), **common))
        schedule_cases.append(ScheduleCase(resume=9, **common))
    return schedule_cases
