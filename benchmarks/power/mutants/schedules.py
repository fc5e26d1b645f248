"""Wrong schedules: never, too early, too often, counted by the wrong thing."""

from __future__ import annotations

import warnings
from typing import Literal

from torch.optim import Optimizer
from torch.optim.lr_scheduler import ExponentialLR, LRScheduler

from benchmarks.power.mutants.mutant import ANY, Mutant
from benchmarks.power.mutants.training import Training

PER_STEP = ("check-schedule", "check-adamw-schedule")
ALL = (*PER_STEP, "check-schedule-epoch")


class Ignored(Training):
    """The scheduler is never made."""

    def scheduler(self, optimizer: Optimizer) -> LRScheduler | None:
        del optimizer
        return None


class OffByOne(Training):
    """Advanced once before the first step, as before torch 1.1, and from there on one ahead."""

    def scheduler(self, optimizer: Optimizer) -> LRScheduler | None:
        scheduler = super().scheduler(optimizer)
        if scheduler is not None:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # torch sees this fault, and says so
                scheduler.step()
        return scheduler


class PerEpoch(Training):
    """Advanced after every epoch for after every step, or the reverse."""

    def advance(self, scheduler: LRScheduler, after: Literal["step", "epoch"]) -> None:
        super().advance(scheduler, "epoch" if after == "step" else "step")


class Twice(Training):
    """Advanced in two places."""

    def advance(self, scheduler: LRScheduler, after: Literal["step", "epoch"]) -> None:
        super().advance(scheduler, after)
        super().advance(scheduler, after)


class ExtraPerEpoch(Training):
    """An exponential scheduler where none is asked for."""

    beat: Literal["step", "epoch"] = "epoch"

    def scheduler(self, optimizer: Optimizer) -> LRScheduler | None:
        return ExponentialLR(optimizer, 0.93)

    def advance(self, scheduler: LRScheduler, after: Literal["step", "epoch"]) -> None:
        if after == self.beat:
            scheduler.step()


class ExtraPerStep(ExtraPerEpoch):
    """The same, advanced after every step."""

    beat = "step"


MUTANTS = (
    Mutant("schedule-ignored", Ignored, ALL),
    Mutant("schedule-off-by-one", OffByOne, ALL),
    Mutant("schedule-per-epoch", PerEpoch, ALL),
    Mutant("schedule-twice", Twice, ALL),
    Mutant("schedule-extra-per-epoch", ExtraPerEpoch, ANY),
    Mutant("schedule-extra-per-step", ExtraPerStep, ANY),
)
