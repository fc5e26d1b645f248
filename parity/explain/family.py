"""Which reference optimizer fits what ran, and with which numbers, or that none does.

Each family of :data:`refimpl.optimizers.OPTIMIZERS`, with each combination of its options, is replayed along the run
(:mod:`parity.explain.replay`): first with the numbers asked for, then, where none fits exactly as asked, with fitted
ones (:mod:`parity.explain.fitting`). A number differs from what was asked only where it has to, and has as few digits
as its error bar allows. What decides is the replay in running-error arithmetic, of the numbers that are reported.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import MISSING, dataclass, field, fields, replace
from itertools import product
from typing import Any, get_type_hints

from parity.errors import InputError
from parity.explain.fitting import (
    LIKELY,
    RATE,
    Solution,
    every_slot,
    fewest,
    nearest,
    nearest_start,
    residual,
    slots,
    solve,
)
from parity.explain.motion import Motion
from parity.explain.replay import moves_of, share_of, steps_of
from parity.judge.undecidable import variants
from refimpl.errors import RefimplError
from refimpl.optimizers import OPTIMIZERS
from refimpl.types import Optimizer, choice_fields, number_fields

BEYOND = {"muon": "a bound over a whole step of it is not worth having: it is judged in stages"}
"""References that are not replayed, and why."""
MOST = 5
"""How many numbers and options may differ from what was asked for it still to be a finding."""
SCREENED = 8
"""The steps on which every family is tried, before the likely ones are on all."""


@dataclass(frozen=True, kw_only=True)
class Fit:
    """How one family fits.

    ``optimizer``: with its numbers; None where it could not be tried. ``fitted``: numbers that had to differ from what
    was asked, with their error bars. ``changed``: these, and the options that differ from what was asked. ``share``:
    the largest |error| ÷ allowance, up to the first step that is outside; ∞ without a bound on most steps.
    ``residual``: the root mean square of the error, in units of that of the moves. ``unseen``: numbers that this record
    says nothing about. ``text``: one line.
    """

    name: str
    optimizer: Optimizer | None = None
    fitted: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    changed: tuple[str, ...] = ()
    share: float = float("inf")
    residual: float = float("inf")
    fits: bool = False
    unseen: tuple[str, ...] = ()
    text: str = ""

    @property
    def rank(self) -> tuple[bool, float, float]:
        """Fitting ones first, by how little they change; the others by their residual."""
        return (False, len(self.changed), 0) if self.fits else (True, self.residual, 0)


def fit(
    motions: Sequence[Motion],
    asked: Mapping[str, Any],
    families: Mapping[str, Any] = OPTIMIZERS,
    form_factor: float = 2.0,
) -> tuple[Fit, ...]:
    """The best of each family, in the order of their rank; equal ones in that of the registry.

    ``asked``: options and numbers by name, those that no family knows are passed over. Raises :class:`InputError` where
    no step was recorded.
    """
    motions = [replace(motion, profile=replace(motion.profile, form=form_factor)) for motion in motions]
    if not any(steps_of(motion) for motion in motions):
        raise InputError("no step from finite weights and gradients to fit an optimizer to; record at least one")
    known = {f.name for cls in families.values() for f in fields(cls)}
    asked = {n: tuple(value) if isinstance(value, list) else value for n, value in asked.items() if n in known}
    tried = [each for name, cls in families.items() for each in _as_asked(name, cls, asked, motions)]
    if not any(each.fits and not each.changed for each in tried):
        most = min((len(each.changed) for each in tried if each.fits), default=MOST)
        unfit = [each for each in tried if not each.fits and each.optimizer]
        tried += _fitted(unfit, asked, motions, most=most)
    best: dict[str, Fit] = {}
    for each in sorted(tried, key=lambda each: each.rank):
        best.setdefault(each.name, each)
    ranked = sorted((best[name] for name in families), key=lambda each: each.rank)
    return tuple(_told(each, ranked, motions) for each in ranked)


def _as_asked(name: str, cls: Any, asked: Mapping[str, Any], motions: Sequence[Motion]) -> Iterator[Fit]:
    """The family with each combination of its options, and the numbers asked for."""
    if name in BEYOND:
        yield Fit(name=name, text=f"{name} was left out: {BEYOND[name]}")
        return
    try:
        for options in _combinations(cls, asked):
            optimizer = _made(cls, {**asked, **options}, repair=bool(options))
            if optimizer is not None:
                yield _judged(name, optimizer, asked, motions)
    except Exception as error:  # whatever is wrong with one reference, the others are still to be tried
        yield _broken(name, error)


def _fitted(tried: Sequence[Fit], asked: Mapping[str, Any], motions: Sequence[Motion], *, most: int) -> Iterator[Fit]:
    """Those ``tried``, with other numbers: fitted to a few steps, and the nearest of them to all.

    Not with more changes than another needs: at ``most`` so many.
    """
    near: list[tuple[Fit, Solution]] = []
    for each in tried:
        assert each.optimizer is not None
        try:
            begin = nearest_start(each.optimizer, motions, first=SCREENED // 2)
            scale = moves_of(motions, SCREENED)
            near.append(
                (each, solve(begin, slots(each.optimizer), motions, scale, first=SCREENED, evaluations=12, dtype=float))
            )
        except Exception as error:
            yield _broken(each.name, error)
    order = nearest([solution for _, solution in near], motions)
    for i in order:
        each, solution = near[i]
        assert each.optimizer is not None
        try:
            optimizer = solution.optimizer
            fitted: Mapping[str, tuple[float, float]] = {}
            if i in order[:LIKELY]:
                optimizer, fitted = fewest(each.optimizer, optimizer, motions, most=most - len(each.changed))
            found = replace(_judged(each.name, optimizer, asked, motions), fitted=fitted)
            most = min(most, len(found.changed)) if found.fits else most
            yield found
        except Exception as error:
            yield _broken(each.name, error)


def _judged(name: str, optimizer: Optimizer, asked: Mapping[str, Any], motions: Sequence[Motion]) -> Fit:
    """A reference with its numbers, replayed in running-error arithmetic."""
    share = share_of(optimizer, motions)
    return Fit(
        name=name,
        optimizer=optimizer,
        changed=_changes(optimizer, asked),
        share=share,
        residual=residual(optimizer, motions),
        fits=share <= 1,
    )


def _broken(name: str, error: Exception) -> Fit:
    return Fit(name=name, text=f"{name} could not be tried: {type(error).__name__}: {error}")


# -- options -----------------------------------------------------------------------------------------------------------


def _usual(cls: Any, asked: Mapping[str, Any]) -> dict[str, Any]:
    """Every field as asked for, or else as the reference has it."""
    default = {f.name: RATE if f.default is MISSING else f.default for f in fields(cls)}
    return {name: asked[name] if _has(default, asked, name) else value for name, value in default.items()}


def _has(own: Mapping[str, Any], asked: Mapping[str, Any], name: str) -> bool:
    """That what was asked for has its place among the ``own`` values of a family: a pair where that has a pair."""
    return name in asked and name in own and isinstance(asked[name], tuple) == isinstance(own[name], tuple)


def _combinations(cls: Any, asked: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """The options that differ from those asked for, in every combination: first none."""
    hints, usual = get_type_hints(cls), _usual(cls, asked)
    choices = {f.name: (False, True) for f in fields(cls) if hints[f.name] is bool} | dict(choice_fields(cls))
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


# -- words -------------------------------------------------------------------------------------------------------------


def _told(each: Fit, ranked: Sequence[Fit], motions: Sequence[Motion]) -> Fit:
    """With what it cannot see, and in words."""
    if each.text or each.optimizer is None:
        return each
    name = shown(each.optimizer)
    if not each.fits:
        left = f"{each.residual:.2g} of the moves is left"
        why = "there is no bound on most of its steps" if each.share == float("inf") else "it does not fit"
        return replace(each, text=f"{name}: {why}, and {left}")
    unseen = tuple(number for number, _, other in variants(each.optimizer) if share_of(other, motions) <= 1)
    text = f"{name} fits"
    if each.fitted:
        text += " with " + ", ".join(
            f"{number} = {value!r} ± {bar:.1g}" for number, (value, bar) in each.fitted.items()
        )
    alike = [other for other in ranked if other.fits and other.name != each.name]
    others = [shown(other.optimizer) for other in alike if len(other.changed) <= len(each.changed) + 1]
    if others:
        text += f"; this record cannot tell it from {', '.join(others)}"
    if unseen:
        text += f"; it says nothing about {', '.join(unseen)}"
    return replace(each, unseen=unseen, text=text)


def shown(optimizer: Any) -> str:
    """``Adam(lr=0.01, weight_decay=0.3)``: the rate, and what differs from its default."""
    given = {f.name: getattr(optimizer, f.name) for f in fields(optimizer)}
    kept = [f.name for f in fields(optimizer) if f.name == "lr" or given[f.name] != f.default]
    return f"{type(optimizer).__name__}({', '.join(f'{name}={given[name]!r}' for name in kept)})"
