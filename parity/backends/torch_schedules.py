"""The reference's schedules as torch's schedulers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import fields
from typing import Any

from torch.optim import Optimizer, lr_scheduler

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

Scheduler = lr_scheduler.LRScheduler
SCHEDULERS: Mapping[type, str | None] = {
    Chained: "ChainedScheduler",
    Constant: None,
    ConstantFactor: "ConstantLR",
    CosineAnnealing: "CosineAnnealingLR",
    CosineAnnealingWarmRestarts: "CosineAnnealingWarmRestarts",
    Cyclic: "CyclicLR",
    Exponential: "ExponentialLR",
    Lambda: "LambdaLR",
    Linear: "LinearLR",
    MultiStep: "MultiStepLR",
    Multiplicative: "MultiplicativeLR",
    OneCycle: "OneCycleLR",
    Polynomial: "PolynomialLR",
    ReduceOnPlateau: "ReduceLROnPlateau",
    Sequential: "SequentialLR",
    Step: "StepLR",
}
"""The scheduler of torch.optim.lr_scheduler that each schedule stands for; a rate that never changes needs none."""

TORCH_NAMES = {"factor": "lr_lambda"}
"""Torch's name for the Python function of LambdaLR and MultiplicativeLR."""


def torch_schedule(schedule: Any, optimizer: Optimizer) -> Scheduler | None:
    """torch's own scheduler, or None for a constant rate."""
    name = SCHEDULERS[type(schedule)]
    if name is None:
        return None
    make: Callable[..., Scheduler] = getattr(lr_scheduler, name)
    options = {field.name: getattr(schedule, field.name) for field in fields(schedule) if field.name != "per"}
    if isinstance(schedule, Lambda | Multiplicative):
        options = {TORCH_NAMES[key]: value for key, value in options.items()}
    if isinstance(schedule, Sequential | Chained):
        constant = Lambda(factor=lambda _: 1)
        parts = [
            torch_schedule(constant if isinstance(part, Constant) else part, optimizer) for part in schedule.schedules
        ]
        del options["schedules"]
        options = {key: list(value) for key, value in options.items()}  # torch's milestones are a list
        return make(schedulers=parts, optimizer=optimizer, **options)
    return make(optimizer, **options)
