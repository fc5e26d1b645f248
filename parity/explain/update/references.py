"""Which reference optimizer fits what ran, and with which numbers, or that none does.

Each reference of :data:`refimpl.optimizers.OPTIMIZERS`, with each combination of its options, is replayed along the
run: first with the numbers asked for, then, where none fits so, with one number solved for
(:mod:`parity.explain.update.numbers`), with two, and with all that must be others. What decides is the replay in
running-error arithmetic, of the numbers that are reported.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import MISSING, dataclass, fields, replace
from itertools import combinations, product
from typing import Any, get_type_hints

import numpy as np

from parity.errors import InputError
from parity.explain.motion import Motion
from parity.explain.replay import Slot, share_of, steps_of, with_numbers
from parity.explain.update.numbers import Solved, every_slot, slots, solve
from parity.explain.update.trial import UpdateRecord
from refimpl.errors import RefimplError
from refimpl.optimizers import OPTIMIZERS
from refimpl.ranges import choice_fields, number_fields
from refimpl.types import Optimizer

OF_ALL = "its numbers are of all parameters together; a class of its name is held to it, or with --against"
BEYOND = {
    "muon": "a bound over a whole step of it is not worth having: it is judged in stages",
    **{name: OF_ALL for name, cls in OPTIMIZERS.items() if hasattr(cls, "addends")},
    "soap": "two correct codes may have other bases: it is judged by those that the code had itself",
}
"""References that are not replayed, and why."""
RATE = 0.01
"""The rate where none was asked for and the reference has none."""
LIKELY = 6
"""References of which numbers are solved for one by one, those with the least residual."""


@dataclass(frozen=True, kw_only=True)
class ReferenceFit:
    """How one reference fits.

    ``optimizer``: with its numbers; None where it could not be tried, for the reason in ``text``. ``changed``: numbers
    and options that differ from what was asked. ``residual``: the share of the moves that is left.
    """

    name: str
    optimizer: Optimizer | None = None
    changed: tuple[str, ...] = ()
    residual: float = float("inf")
    fits: bool = False
    text: str = ""

    @property
    def rank(self) -> tuple[bool, float]:
        """Fitting ones first, by how little they change; the others by their residual."""
        return (False, len(self.changed)) if self.fits else (True, self.residual)


def fit(
    motions: Sequence[Motion],
    asked: Mapping[str, Any],
    families: Mapping[str, Any] = OPTIMIZERS,
    form_factor: float = 2.0,
) -> tuple[ReferenceFit, ...]:
    """The best of each reference, in the order of their rank; equal ones in that of the registry.

    ``asked``: options and numbers by name, those that no reference knows are passed over. Raises :class:`InputError`
    where no step was recorded.
    """
    motions = [replace(motion, profile=replace(motion.profile, form=form_factor)) for motion in motions]
    if not any(steps_of(motion) for motion in motions):
        raise InputError("no step from finite weights and gradients to fit an optimizer to; record at least one")
    known = {f.name for cls in families.values() for f in fields(cls)}
    asked = {n: tuple(value) if isinstance(value, list) else value for n, value in asked.items() if n in known}
    tried = [each for name, cls in families.items() for each in _as_asked(name, cls, asked, motions)]
    if not any(each.fits and not each.changed for each in tried):
        tried += _solved([each for each in tried if each.optimizer and not each.fits], asked, motions)
    best: dict[str, ReferenceFit] = {}
    for each in sorted(tried, key=lambda each: each.rank):
        best.setdefault(each.name, each)
    return tuple(sorted((best[name] for name in families), key=lambda each: each.rank))


def _as_asked(name: str, cls: Any, asked: Mapping[str, Any], motions: Sequence[Motion]) -> Iterator[ReferenceFit]:
    """The reference with each combination of its options, and the numbers asked for."""
    if name in BEYOND:
        yield ReferenceFit(name=name, text=f"{name} was left out: {BEYOND[name]}")
        return
    try:
        for options in combinations_of(cls, asked):
            optimizer = _made(cls, {**asked, **options}, repair=bool(options))
            if optimizer is not None:
                yield _judged(name, optimizer, asked, motions)
    except Exception as error:  # whatever is wrong with one reference, the others are still to be tried
        yield ReferenceFit(name=name, text=f"{name} could not be tried: {type(error).__name__}: {error}")


def _judged(name: str, optimizer: Any, asked: Mapping[str, Any], motions: Sequence[Motion]) -> ReferenceFit:
    """A reference with its numbers, replayed in running-error arithmetic."""
    fits = share_of(optimizer, motions) <= 1
    left = 0.0 if fits else residual(optimizer, motions)
    return ReferenceFit(name=name, optimizer=optimizer, changed=_changes(optimizer, asked), fits=fits, residual=left)


def residual(optimizer: Any, motions: Sequence[Motion]) -> float:
    """√(Σ‖ŵ − w‖²/Σ‖Δw‖²) over all steps."""
    missed = moved = 0.0
    for record in (UpdateRecord(motion, optimizer) for motion in motions):
        after = record.weights[1 : record.steps + 1]
        with np.errstate(all="ignore"):
            missed += float(np.sum((record.predicted(optimizer) - after) ** 2))
            moved += float(np.sum((after - record.weights[: record.steps]) ** 2))
    return float(np.sqrt(missed / moved)) if moved and np.isfinite(missed) else float("inf")


def _solved(
    unfit: Sequence[ReferenceFit], asked: Mapping[str, Any], motions: Sequence[Motion]
) -> Iterator[ReferenceFit]:
    """Those that do not fit as asked, with other numbers: with all of them others, and the nearest with few."""
    near: list[tuple[ReferenceFit, list[Solved]]] = []
    for each in unfit:
        solved = _numbers(each.optimizer, slots(each.optimizer), motions)
        optimizer = _with(each.optimizer, {one.slot: one.value for one in solved})
        if optimizer is not None:
            left = residual(optimizer, motions)
            yield replace(each, optimizer=optimizer, changed=_changes(optimizer, asked), residual=left)
            near.append((replace(each, residual=left), solved))
    for each, solved in sorted(near, key=lambda one: one[0].residual)[:LIKELY]:
        for optimizer in _few(each.optimizer, solved, motions):
            judged = _judged(each.name, optimizer, asked, motions)
            yield judged
            if judged.fits:
                break


def _few(asked: Any, every: Sequence[Solved], motions: Sequence[Motion]) -> Iterator[Any]:
    """With one number solved for, with two, and with all those that are not as asked.

    Two are tried where all of them together come near: of fewer no better can be had.
    """
    free = slots(asked)
    near = _with(asked, {one.slot: one.value for one in every})
    pairs = (
        combinations(free, 2) if near is not None and all(UpdateRecord(m, asked).near(near) for m in motions) else ()
    )
    for chosen in (*combinations(free, 1), *pairs):
        solved = _numbers(asked, chosen, motions)
        for numbers in ({s.slot: s.short for s in solved}, {s.slot: s.value for s in solved}):
            if (optimizer := _with(asked, numbers)) is not None and numbers:
                yield optimizer
    others = [one for one in every if not one.low <= one.slot.of(asked) <= one.high]
    for numbers in ({s.slot: s.short for s in others}, {s.slot: s.value for s in every}):
        if (optimizer := _with(asked, numbers)) is not None:
            yield optimizer


def _numbers(optimizer: Any, chosen: Sequence[Slot], motions: Sequence[Motion]) -> list[Solved]:
    records = [UpdateRecord(motion, optimizer) for motion in motions]
    return solve(records, {record.name: optimizer for record in records}, chosen) if chosen else []


def _with(optimizer: Any, numbers: Mapping[Slot, float]) -> Any:
    """With other numbers, those of a range at their nearest allowed ones; None where they exclude one another."""
    kind: Any = type(optimizer)
    ranges = number_fields(kind)
    inside = {slot: min(max(x, ranges[slot.field].low), ranges[slot.field].high) for slot, x in numbers.items()}
    try:
        return with_numbers(optimizer, inside)
    except RefimplError:
        return None


# -- options -----------------------------------------------------------------------------------------------------------


def _usual(cls: Any, asked: Mapping[str, Any]) -> dict[str, Any]:
    """Every field as asked for, or else as the reference has it."""
    default = {f.name: RATE if f.default is MISSING else f.default for f in fields(cls)}
    return {name: asked[name] if _has(default, asked, name) else value for name, value in default.items()}


def _has(own: Mapping[str, Any], asked: Mapping[str, Any], name: str) -> bool:
    """That what was asked for has its place among the ``own`` values of a family: a pair where that has a pair."""
    return name in asked and name in own and isinstance(asked[name], tuple) == isinstance(own[name], tuple)


def combinations_of(cls: Any, asked: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """The options that differ from those asked for, in every combination: first none. Averages begin with the number
    that published code has, or with 0 as in papers."""
    hints, usual = get_type_hints(cls), _usual(cls, asked)
    choices: dict[str, tuple[Any, ...]] = {f.name: (False, True) for f in fields(cls) if hints[f.name] is bool}
    choices |= {name: (0.0,) for name in usual if name.startswith("initial_")} | dict(choice_fields(cls))
    others = [[usual[name], *(value for value in values if value != usual[name])] for name, values in choices.items()]
    for chosen in product(*others):
        yield {name: value for name, value in zip(choices, chosen, strict=True) if value != usual[name]}


def _made(cls: Any, asked: Mapping[str, Any], *, repair: bool) -> Optimizer | None:
    """The optimizer; with ``repair``, where options exclude a number that was asked for, with that number on or off."""
    values = _usual(cls, asked)
    single = [name for name in number_fields(cls) if isinstance(values[name], int | float)]
    for change in ({}, *({name: 0.0 if values[name] else 0.5} for name in single)):
        try:
            optimizer: Optimizer = cls(**{**values, **change})
            return optimizer
        except RefimplError:
            if not repair:
                raise
    return None


def _changes(optimizer: Optimizer, asked: Mapping[str, Any]) -> tuple[str, ...]:
    """What differs from what was asked for: numbers, options, and what was asked for but the family does not have."""
    cls: Any = type(optimizer)
    usual = _usual(cls, asked)
    numbers = [slot.name for slot in every_slot(optimizer) if slot.of(optimizer) != slot.among(usual)]
    options = [n for n in usual if n not in number_fields(cls) and getattr(optimizer, n) != usual[n]]
    return (*numbers, *options, *(name for name in asked if not _has(usual, asked, name) and asked[name]))


def shown(optimizer: Any) -> str:
    """``Adam(lr=0.01, weight_decay=0.3)``: the rate, and what differs from its default."""
    given = {f.name: getattr(optimizer, f.name) for f in fields(optimizer)}
    kept = [f.name for f in fields(optimizer) if f.name == "lr" or given[f.name] != f.default]
    words = [f"{name}={shown(given[name]) if name == 'inner' else repr(given[name])}" for name in kept]
    return f"{type(optimizer).__name__}({', '.join(words)})"
