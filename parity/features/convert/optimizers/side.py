"""One library's run beside the rule: the same weights and gradients for all, each step held from what the run itself
had before it (:mod:`parity.explain.replay`)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from parity.explain.feeds import FACTORS, SHAPES, Feed, drawn
from parity.explain.motion import Motion
from parity.explain.replay import replay, share_of
from parity.explain.update import explain_update
from parity.features.convert.optimizers.library import Library
from parity.features.convert.optimizers.writing import Writing
from parity.judge.undecidable import variants
from parity.step.expected import Expected
from refimpl.arithmetic.bounded import Bounded, Profile
from refimpl.arithmetic.formats import FORMATS
from refimpl.types import Array, Optimizer

FORM = 2.0
"""Form factor: code of unknown form."""
STEPS = 32
SILENT = (6, 7, 20)
"""Steps of zero gradients."""
Place = tuple[str, tuple[int, ...], int]
"""A number of a run: parameter, index and step."""


@dataclass(frozen=True, kw_only=True)
class Side:
    """One library's run in a ``dtype``. ``weights`` ``(K + 1, …)`` by parameter; ``pieces``: the weights after each
    step beside those of the rule, as long as the run is finite. ``left``: the step in which it first leaves the rule,
    None where it does not. ``share``: the largest error ÷ allowance up to there, of ``count`` numbers that have a
    bound, 0 where most have none. ``reason``: why it leaves, where that was proven; ``hidden``: numbers of the rule
    that these steps do not show.
    """

    name: str
    dtype: str
    weights: Mapping[str, Array]
    pieces: Mapping[str, Sequence[Expected]]
    left: int | None
    share: float
    count: int
    reason: str
    hidden: tuple[str, ...]

    @property
    def moves(self) -> bool:
        return any(np.ptp(weights, axis=0).any() for weights in self.weights.values())

    @property
    def finite(self) -> bool:
        return all(np.isfinite(weights).all() for weights in self.weights.values())

    def at(self, place: Place) -> float:
        """Its weight after that step."""
        name, index, step = place
        return float(self.weights[name][step + 1][index])


def parting(here: Side, there: Side) -> Place | None:
    """The first number in which two runs depart from the rule otherwise than roundings allow::

        |(w − ŵ) − (w′ − ŵ′)| > a + a′

    ŵ: what the rule makes of a run's own weights, a: its allowance. None where there is none among the numbers that
    have a bound.
    """
    for step in range(STEPS):
        for name, pieces in here.pieces.items():
            if step < min(len(pieces), len(there.pieces[name])):
                index = _apart(pieces[step], there.pieces[name][step])
                if index is not None:
                    return name, index, step
    return None


def _apart(one: Expected, other: Expected) -> tuple[int, ...] | None:
    """The first element of a step that differs so; where both are not finite, they are alike."""
    room = one.allowance + other.allowance
    with np.errstate(invalid="ignore"):
        near = np.abs((one.candidate - one.value) - (other.candidate - other.value)) <= room
    alike = near | ~(np.isfinite(one.candidate) | np.isfinite(other.candidate))
    apart = np.argwhere(~alike & np.isfinite(room))
    return tuple(int(i) for i in apart[0][1:]) if len(apart) else None


def life() -> Feed:
    """Rates that change by powers of two, some zero gradients, two parameters of one shape and one of one element."""
    feed = drawn({**SHAPES, "twin": SHAPES["weight"]}, steps=STEPS)
    gradients = {name: some.astype("float32").astype(float) for name, some in feed.gradients.items()}
    for some in gradients.values():
        some[list(SILENT)] = 0
    weights = {name: start.astype("float32").astype(float) for name, start in feed.weights.items()}
    factor = tuple(FACTORS[k * len(FACTORS) // STEPS] for k in range(STEPS))
    return Feed(weights=weights, gradients=gradients, factor=factor)


def run_side(
    name: str, known: Library, writing: Writing, words: Mapping[str, Any], reference: Optimizer, dtype: str
) -> Side:
    """Run a library and hold it to the reference. Raises ImportError where it is not installed."""
    feed = life()
    moments = known.run(writing.name, words, feed, dtype)
    weights = {n: np.stack([np.asarray(moment[n], float) for moment in moments]) for n in moments[0]}
    motions = list(_motions(weights, feed, dtype, known.SCALARS[dtype]))
    pieces = {motion.parameter: tuple(replay(reference, motion)) for motion in motions}
    off = [k for some in pieces.values() for k, piece in enumerate(some) if np.any(piece.share > 1)]
    left = min(off, default=None)
    judged = [piece for some in pieces.values() for piece in some[: None if left is None else left + 1]]
    count, total = sum(int(np.isfinite(one.allowance).sum()) for one in judged), sum(one.share.size for one in judged)
    explainable = left is not None and all(np.isfinite(some).all() for some in weights.values())
    explained = explain_update(dict.fromkeys(pieces, reference), motions) if explainable else None
    return Side(
        name=name,
        dtype=dtype,
        weights=weights,
        pieces=pieces,
        left=left,
        share=max(float(np.max(piece.share, initial=0)) for piece in judged),
        count=count if 2 * count > total else 0,
        reason=explained.best.text if explained is not None and explained.best is not None else "",
        hidden=_hidden(reference, motions) if left is None else (),
    )


def _motions(weights: Mapping[str, Array], feed: Feed, dtype: str, scalar: str) -> Iterator[Motion]:
    format = FORMATS[dtype]
    profile = Profile(compute=format, accumulate=format, scalar=FORMATS[scalar], form=FORM)
    for name, moments in weights.items():
        gradient = Bounded.tensor(feed.gradients[name], profile)
        factor = np.array(feed.factor)
        yield Motion(parameter=name, weights=moments, gradient=gradient, format=format, profile=profile, factor=factor)


def _hidden(reference: Optimizer, motions: list[Motion]) -> tuple[str, ...]:
    """Numbers that could have a neutral value without leaving the bounds."""
    return tuple(name for name, _, other in variants(reference) if share_of(other, motions) <= 1)
