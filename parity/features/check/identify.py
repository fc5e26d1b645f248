"""Which reference a recorded class is, and how well a reference is kept to in each dtype."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from operator import itemgetter
from typing import Any

import numpy as np

from parity.errors import InputError
from parity.explain.feeds import Played
from parity.explain.replay import replay
from parity.explain.update.references import BEYOND, ReferenceFit, fit, shown
from parity.features.check.examined import Examined
from parity.features.check.held import BY_NAME, FORM, counts_calls, demanded, key_of, known_numbers, motions, recorded
from parity.step.expected import Expected
from refimpl.optimizers import OPTIMIZERS
from refimpl.types import Array, Optimizer

LEAST = 0.01
"""Share of the tolerance that float32 numbers use at least, in half of the steps."""
Held = Mapping[str, Optimizer]
"""The reference of each parameter."""


@dataclass(frozen=True, kw_only=True)
class Identification:
    """``held``: the reference of each parameter; ``fit``: how that of the first was found."""

    fit: ReferenceFit
    held: Held

    @property
    def text(self) -> str:
        """The references with the parameters that each is of, or the one of all."""
        names: dict[str, list[str]] = {}
        for name, optimizer in self.held.items():
            names.setdefault(shown(optimizer), []).append(name)
        if len(names) == 1:
            return next(iter(names))
        return ", ".join(f"{text} for {' and '.join(of)}" for text, of in names.items())


@dataclass(frozen=True, kw_only=True)
class Judgement:
    """``share``: largest error ÷ allowance, ``steps``: of each step; ``first``: the first disagreement, in words;
    ``scalar``: what numbers were taken to be computed in; ``count``: numbers that have a bound, and were held to it.
    ``bounded``: whether most have one, or one is beyond its own: else nothing was shown."""

    share: float
    steps: Array
    first: str
    scalar: str
    count: int
    bounded: bool


def identify(examined: Examined, families: Mapping[str, Any] = OPTIMIZERS) -> tuple[Identification | None, str]:
    """The reference that fits, of some ``families``, else the nearest one in words.

    It is looked for on the first parameter, a matrix. Others may follow it, or do so without decay, or be of a second
    reference, as a trust ratio is for matrices only in some code.
    """
    matrix, *others = examined.parameters
    fits, nearest = _find(examined, [matrix], families)
    if fits is None:
        return None, nearest
    assert fits.optimizer is not None
    held = {matrix: fits.optimizer}
    for name in others:
        for way in (fits.optimizer, _without_decay(fits.optimizer)):
            if name not in held and _is(examined, {name: way}):
                held[name] = way
    left = [name for name in others if name not in held]
    if left:
        second, nearest = _find(examined, left, OPTIMIZERS)
        if second is None or second.optimizer is None:
            return None, f"{matrix} is that of {shown(fits.optimizer)}; of {' and '.join(left)} {nearest}"
        held |= dict.fromkeys(left, second.optimizer)
    return Identification(fit=fits, held=held), ""


def _find(examined: Examined, names: Sequence[str], families: Mapping[str, Any]) -> tuple[ReferenceFit | None, str]:
    """The reference of the class's own name, if it fits as asked, else the best of all; and else the nearest."""
    asked = known_numbers(examined)
    moved = [motion for motion in motions(examined.runs["drawn"], "float64") if motion.parameter in names]
    key = BY_NAME.get(examined.name.lower())
    if key is not None and key in families:
        own = fit(moved, asked, {key: OPTIMIZERS[key]}, FORM)[0]
        if own.fits and not own.changed:
            return own, ""
    best = fit(moved, asked, families, FORM)[0]
    if best.fits:
        return best, ""
    for optimizer in _as_asked(asked, key, families) if examined.keeps_float32 else ():
        if _is(examined, dict.fromkeys(names, optimizer)):
            return ReferenceFit(name=key_of(optimizer), optimizer=optimizer, fits=True), ""
    return None, _near(best)


def _is(examined: Examined, held: Held) -> bool:
    """Whether these parameters follow these references."""
    played = examined.runs["drawn"]
    part = replace(
        played,
        weights={n: played.weights[n] for n in held},
        gradients={n: played.gradients[n] for n in held},
    )
    scalars = ("float64", "float32") if examined.keeps_float32 else ("float64",)
    if not any(_stays(held, part, scalar) for scalar in scalars):
        return False
    return judge(held, part, "float64", float32=examined.keeps_float32).share <= 1


def _stays(held: Held, played: Played, scalar: str) -> bool:
    """Whether no number of a run is refuted; the replay ends at the first one that is, which costs least."""
    pieces = (
        p for motion in recorded(held, played, "float64", scalar=scalar) for p in replay(held[motion.parameter], motion)
    )
    return not any(np.max(piece.share, initial=0) > 1 for piece in pieces)


def _as_asked(asked: Mapping[str, Any], first: str | None, families: Mapping[str, Any]) -> Iterator[Optimizer]:
    """Each reference with the numbers asked for, that of the class's own name first."""
    for key in sorted([name for name in families if name not in BEYOND], key=lambda name: name != first):
        with contextlib.suppress(InputError):
            yield demanded(key, {}, {}, asked)


def _without_decay(optimizer: Any) -> Optimizer:
    has = "weight_decay" in vars(optimizer)
    undecayed: Optimizer = replace(optimizer, weight_decay=0.0) if has else optimizer
    return undecayed


def _near(fit: ReferenceFit) -> str:
    if fit.optimizer is None:
        return "no reference is near"
    return f"the nearest reference is {fit.name}, of whose moves {fit.residual:.2g} is left with fitted numbers"


def judge(held: Held, played: Played, dtype: str, *, float32: bool = False, shown: bool = False) -> Judgement:
    """Every number of a run, beside its reference's. ``float32``: numbers alone may be computed in that.

    They are, if the error is of that size, or if that was ``shown`` elsewhere: where it is far below, something else is
    wrong.
    """
    judgement = judge_with(held, played, dtype, "float64")
    if judgement.share > 1 and played.numbers and counts_calls(held):  # or it counts the steps of each parameter
        other = judge(held, replace(played, numbers={}), dtype, float32=float32, shown=shown)
        judgement = other if other.share <= 1 else judgement
    if judgement.share > 1 and float32:
        other = judge_with(held, played, dtype, "float32")
        judgement = other if other.share <= 1 and (shown or np.median(other.steps) >= LEAST) else judgement
    return judgement


def judge_with(held: Held, played: Played, dtype: str, scalar: str) -> Judgement:
    """Every number of a run, where the numbers of the reference are computed in ``scalar``."""
    share = np.zeros(max(len(gradient) for gradient in played.gradients.values()))
    disagreements: list[tuple[int, str]] = []
    count, total = 0, 0
    for motion in recorded(held, played, dtype, scalar=scalar):
        after = late = played.late.get(motion.parameter, 0)
        known = True
        for k, piece in enumerate(replay(held[motion.parameter], motion), start=late):
            worst = float(np.max(piece.share, initial=0))
            share[k] = max(share[k], worst)
            known = bool(np.isfinite(piece.allowance).any())
            count, total, after = count + int(np.isfinite(piece.allowance).sum()), total + piece.share.size, k + 1
            if worst > 1:
                disagreements.append((k, first_of(piece, k)))
        if known and after < len(played.gradients[motion.parameter]):  # else the reference may overflow as well
            share[after:] = np.inf
            disagreements.append((after, f"{motion.parameter} is not finite before step {after}"))
    bounded = 2 * count > total
    disagreements += [] if bounded else [(len(share), "most numbers have no bound")]
    first = min(disagreements, key=itemgetter(0))[1] if disagreements else ""
    total_share = float(np.max(share, initial=0)) if bounded else np.inf
    return Judgement(
        share=total_share,
        steps=share,
        first=first,
        scalar=scalar,
        count=count,
        bounded=bounded or float(np.max(share, initial=0)) > 1,
    )


def first_of(piece: Expected, step: int) -> str:
    """``weight[0, 3] at step 2: 0.25, expected 0.5 ± 1e-16``."""
    index = np.unravel_index(np.argmax(piece.share > 1), piece.share.shape)
    at = ", ".join(str(int(i)) for i in index[1:])
    arrays = (piece.candidate, piece.value, piece.allowance)
    candidate, value, allowance = (float(np.broadcast_to(array, piece.share.shape)[index]) for array in arrays)
    return f"{piece.quantity}[{at}] after step {step}: {candidate:.17g}, expected {value:.17g} ± {allowance:.2g}"
