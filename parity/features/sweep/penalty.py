"""Which strength of an experiment is swept, and the experiment with another one."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, TypeVar

from parity.errors import InputError, Option, OptionError, nearest, spelled
from parity.experiment import Experiment
from refimpl.penalties import PENALTIES
from refimpl.ranges import number_fields
from refimpl.types import Number, Penalty

P = TypeVar("P", bound=Penalty)


def strengths_of(penalty: Penalty) -> dict[str, str]:
    """Kind → field: ``{"l2": "strength"}`` of an L2 penalty; of an elastic net, its l1 and its l2."""
    name = next(name for name, cls in PENALTIES.items() if cls is type(penalty))
    return {name if field == "strength" else field: field for field in number_fields(type(penalty))}


def swept_kind(experiment: Experiment, asked: str | None) -> str:
    """The kind of penalty to sweep. Raises :class:`InputError` where there is none, or no single one to choose."""
    kinds = list(dict.fromkeys(kind for penalty in experiment.penalties for kind in strengths_of(penalty)))
    if not kinds:
        raise InputError(
            f"{experiment.name}: has no penalty, so there is no strength to sweep; give an experiment with one"
        )
    asked = spelled(asked, kinds) if asked is not None else None
    if asked is not None and asked not in kinds:
        allowed = ", ".join(kinds)
        raise OptionError(
            Option("penalty"), f" {asked}: {experiment.name} has none; allowed: {allowed}{nearest(asked, kinds)}"
        )
    if asked is None and len(kinds) > 1:
        raise OptionError(
            f"{experiment.name}: has {' and '.join(kinds)}; choose which to sweep with ", Option("penalty")
        )
    return asked or kinds[0]


def with_strength(penalty: P, kind: str, strength: Number) -> P:
    """The penalty with another strength of that kind, or itself where it has none."""
    field = strengths_of(penalty).get(kind)
    return penalty if field is None else replace(penalty, **{field: strength})  # type: ignore[type-var]  # a dataclass


def experiment_with(experiment: Experiment, kind: str, strength: float, seed: int) -> Experiment:
    """One run of the sweep as an experiment of its own."""
    penalties: tuple[Any, ...] = tuple(with_strength(penalty, kind, strength) for penalty in experiment.penalties)
    return replace(experiment, penalties=penalties, seed=seed)
