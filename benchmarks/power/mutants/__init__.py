"""The catalogue of faults as real, faulty torch programs, to see what the judge and its explanations make of them.

Nothing here knows how faults are searched for: programs are written as people write them, and only their weights are
reported.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache
from itertools import combinations

from benchmarks.power.mutants import (
    data,
    decays,
    elements,
    gradients,
    initial,
    losses,
    optimizers,
    penalties,
    precision,
    schedules,
)
from benchmarks.power.mutants.mutant import Mutant
from benchmarks.power.mutants.training import Training
from parity.features.check.task import Task

FAMILIES: Mapping[str, tuple[Mutant, ...]] = {
    "losses": losses.MUTANTS,
    "penalties": penalties.MUTANTS,
    "decays": decays.MUTANTS,
    "optimizers": optimizers.MUTANTS,
    "gradients": gradients.MUTANTS,
    "data": data.MUTANTS,
    "initial": initial.MUTANTS,
    "schedules": schedules.MUTANTS,
    "precision": precision.MUTANTS,
    "elements": elements.MUTANTS,
}

MUTANTS: Mapping[str, Mutant] = {mutant.id: mutant for family in FAMILIES.values() for mutant in family}
"""The mutants by the name of the fault."""

OTHER_DECAYS = ("coupled-for-decoupled", "penalty-not-on-bias", "second-moment-of-decayed-gradient")

HIDES: Mapping[str, tuple[str, ...]] = {
    "penalty-missing": OTHER_DECAYS,
    "decay-not-times-lr": OTHER_DECAYS,
    "decay-times-lr-twice": OTHER_DECAYS,
    "decay-not-scheduled": OTHER_DECAYS[:2],
    "penalty-extra": ("penalty-extra-on-all",),
    "decay-extra": ("penalty-extra-on-all",),
    "momentum-missing": (
        "decoupled-for-coupled",
        "lr-times-momentum",
        "state-reset-each-epoch",
        "precision-bfloat16-state",
        "precision-float16-state",
    ),
    "dampening-missing": ("first-step-dampened",),
    "eps-missing": ("eps-inside-root", "eps-before-correction", "gradient-twice"),
    "amsgrad-missing": ("amsgrad-after-correction",),
    "gradient-sign": ("beta2-other", "amsgrad-extra", "gradient-twice", "precision-float16-forward"),
    "gradient-normalised": ("gradient-twice",),
    "full-batch": ("penalty-once-per-epoch", "penalty-last-batch-of-epoch", "gradient-accumulated-in-epoch"),
    "intercept-missing": ("penalty-on-bias-too", "penalty-not-on-bias"),
    "intercept-frozen": ("penalty-on-bias-too", "penalty-not-on-bias"),
    "schedule-ignored": ("decay-not-scheduled", "lr-times-momentum", "schedule-per-epoch", "schedule-twice"),
}
"""Faults beside which others leave no trace: with both, weights move as with the first alone."""


def program(*ids: str) -> Callable[[Task], None]:
    """The training program with these faults, without any the correct one.

    Raises :class:`ValueError` for an unknown fault, and where two would change the same method.
    """
    for name in ids:
        if name not in MUTANTS:
            raise ValueError(f"{name}: no such fault; the keys of benchmarks.power.mutants.MUTANTS are allowed")
    for first, second in combinations(ids, 2):
        if both := changed(first) & changed(second):
            raise ValueError(f"{first} and {second} both change {', '.join(sorted(both))}; combine others")
    made = type("+".join(ids), (*(MUTANTS[name].cls for name in ids), *(() if ids else (Training,))), {})

    def train(task: Task) -> None:
        made(task).run()

    return train


@cache
def changed(name: str) -> frozenset[str]:
    """The methods of :class:`Training` that a fault has its own of."""
    cls = MUTANTS[name].cls
    return frozenset(key for key, value in vars(Training).items() if callable(value) and getattr(cls, key) is not value)


def pairs() -> list[tuple[str, str]]:
    """The pairs that can be combined, have an experiment and a dtype in common, and of which none hides the other."""
    return [
        (a.id, b.id)
        for a, b in combinations(MUTANTS.values(), 2)
        if not changed(a.id) & changed(b.id)
        and set(a.experiments) & set(b.experiments)
        and set(a.dtypes) & set(b.dtypes)
        and a.id not in HIDES.get(b.id, ())
        and b.id not in HIDES.get(a.id, ())
    ]
