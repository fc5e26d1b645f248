"""What kind of weight decay an optimizer has, measured from runs that differ in the decay alone.

With Δ(λ) the moves of a run with decay and Δ(0) those of one without, from the same weights and gradients::

    coupled      a run with λ = 0 that is fed g + λw makes the same moves as one with λ that is fed g
    decoupled    Δ(λ) − Δ(0) = −c·w           in every element and step (or of w + Δ(0): decayed after the step)
    always       Δw = −c·w                    where the gradients are zero and λ = 0

c is an interval that holds for every element, with the rounding of the weights; what it is made of is told by how it
goes with η and with λ. Without momentum or normalisation, coupled and decoupled decay are the same moves.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from parity.check.feeds import Played
from parity.explain.formula import number
from refimpl.types import Array

Kind = Literal["none", "coupled", "decoupled", "either", "always", "other"]
ROUNDINGS = 16 * np.finfo(float).eps
"""Of the numbers that are subtracted: some roundings of each."""
SAME = 1e-9
"""Share of the largest move that two runs may differ by to be the same moves, and a ratio from a whole number."""
FORMS: Mapping[str, Callable[[float, float], float]] = {
    "ηλ": lambda lr, lam: lr * lam,
    "λ": lambda _, lam: lam,
    "η²λ": lambda lr, lam: lr * lr * lam,
    "ηλ/(1 + ηλ)": lambda lr, lam: lr * lam / (1 + lr * lam),
    "2ηλ": lambda lr, lam: 2 * lr * lam,
    "ηλ/2": lambda lr, lam: lr * lam / 2,
}
"""What the share of a weight that is lost in a step may be made of."""
Runs = Mapping[str, Played]


@dataclass(frozen=True)
class Decay:
    """``kind``; ``share`` ± ``error`` of a weight that is lost in a step, where it is one; ``form``: what it is
    made of; ``text``: in words."""

    kind: Kind
    text: str
    share: float = 0.0
    error: float = 0.0
    form: str = ""


def decay_of(runs: Runs, name: str, lr: float | None, lam: float | None) -> Decay:
    """The decay of one parameter. ``lr`` and ``lam``: η and λ of the feeds, None where the class has none."""
    always = always_of(runs, name)
    if lam is None or "decay" not in runs or "plain" not in runs:
        return always
    found = _of_lambda(runs, name, lr, lam)
    if found.kind == "none":
        return found if always.kind == "none" else always
    return found if always.kind == "none" else replace(found, text=f"{found.text}; and {always.text}")


def alike(one: Decay, other: Decay) -> bool:
    """Of the same kind, with coefficients that their error bars do not tell apart."""
    if one.share and other.share:
        return one.kind == other.kind and abs(one.share - other.share) <= one.error + other.error
    return one.text == other.text


def _of_lambda(runs: Runs, name: str, lr: float | None, lam: float) -> Decay:
    """What λ does."""
    plain, decayed = runs["plain"], runs["decay"]
    difference = decayed.moves(name) - plain.moves(name)
    if np.max(np.abs(difference)) <= np.max(_rounding(plain, decayed, name)):
        return Decay("none", f"none: weight_decay = {lam:g} changes nothing")
    factor = _coupled(runs, name)
    ways = [(slice(None), False), (slice(None), True), (slice(1), False)]
    for steps, after in ways[: 2 if factor else 3]:
        share = _share(plain, decayed, name, steps, after)
        if share:
            break
    else:
        if factor:
            return Decay("coupled", f"coupled (L2): g + {factor * lam:g}·w takes the place of g{_times(factor)}")
        return Decay("other", _neither(difference, plain, decayed, name, lam))
    c, error = share
    form = _form(runs, name, share, lr, lam, steps, after)
    size = f"{form} = 1 − {number(c, error)}" if form else number(c, error)
    if factor:
        text = f"of either kind: w times 1 − {size} and g + {factor * lam:g}·w are the same step{_times(factor)}"
        return Decay("either", text, c, error, form)
    after_it = " after the gradient's part" if after else ""
    when = "in each step" if steps == slice(None) else "in the first step (the later ones are as the weights are)"
    return Decay("decoupled", f"decoupled: w shrinks by the factor 1 − {size} {when}{after_it}", c, error, form)


def _coupled(runs: Runs, name: str) -> float:
    """How many λw enter the gradient; 0 if it is not coupled."""
    for factor, with_decay, fed in (
        (1.0, "decay", "coupled"),
        (2.0, "decay", "coupled 2λ"),
        (0.5, "decay 2λ", "coupled"),
    ):
        if with_decay in runs and fed in runs and _same_moves(runs[with_decay], runs[fed], name):
            return factor
    return 0.0


def _times(factor: float) -> str:
    return "" if factor == 1 else f", {'twice' if factor == 2 else 'half'} of λ"


def _rounding(one: Played, other: Played, name: str) -> Array:
    """What the difference of the moves of two runs may be by rounding alone."""
    first, second = (np.abs(run.weights[name][:-1]) + np.abs(run.moves(name)) for run in (one, other))
    total: Array = ROUNDINGS * (first + second)
    return total


def _same_moves(one: Played, other: Played, name: str) -> bool:
    largest = np.max(np.abs(one.moves(name)))
    return bool(np.max(np.abs(one.weights[name] - other.weights[name])) <= SAME * largest)


def _share(plain: Played, decayed: Played, name: str, steps: slice, after: bool) -> tuple[float, float] | None:
    """c and its error bar, where one c explains every element of these steps; None where none does."""
    base = decayed.weights[name][:-1] + (plain.moves(name) if after else 0)
    moved, rounding = decayed.moves(name) - plain.moves(name), _rounding(plain, decayed, name)
    return _common(moved[steps], base[steps], rounding[steps])


def _common(moved: Array, base: Array, rounding: Array) -> tuple[float, float] | None:
    """The c of moved = −c·base in all elements."""
    known = np.abs(base) > 0
    if not known.any():
        return None
    c, error = -moved[known] / base[known], rounding[known] / np.abs(base[known])
    low, high = np.max(c - error), np.min(c + error)
    return (float(low + high) / 2, float(high - low) / 2) if low <= high and low + high != 0 else None


def _form(
    runs: Runs, name: str, share: tuple[float, float], lr: float | None, lam: float, steps: slice, after: bool
) -> str:
    """What c is made of: the first form that explains it, at the other rate and the other λ, too."""
    measured = [(*share, 1.0, 1.0)]
    for plain, decayed, of_lr, of_lam in (("plain 2η", "decay 2η", 2.0, 1.0), ("plain", "decay 2λ", 1.0, 2.0)):
        if plain in runs and decayed in runs:
            other = _share(runs[plain], runs[decayed], name, steps, after)
            if other is None:
                return ""
            measured.append((*other, of_lr, of_lam))
    for text, form in FORMS.items():
        if (lr is not None or "η" not in text) and all(
            abs(each - form((lr or 0) * of_lr, lam * of_lam)) <= 2 * bar + SAME * abs(each)
            for each, bar, of_lr, of_lam in measured
        ):
            return text
    same = [abs(each - share[0]) <= bar + share[1] for each, bar, *_ in measured]
    return "a constant" if len(same) == 3 and all(same) else ""


def always_of(runs: Runs, name: str) -> Decay:
    """What moves the weights with zero gradients and λ = 0."""
    still = runs.get("plain still")
    if still is None or not still.moves(name).any():
        return Decay("none", "none")
    share = _common(still.moves(name)[:1], still.weights[name][:1], _rounding(still, still, name)[:1])
    if share is None:
        size = np.max(np.abs(still.moves(name)))
        return Decay("other", f"weights move by up to {size:.3g} in a step of zero gradients without decay")
    factor = f"1 − {number(*share)}"
    text = f"always there: w shrinks by the factor {factor} in a step of zero gradients, even without weight_decay"
    return Decay("always", text, *share)


def _neither(difference: Array, plain: Played, decayed: Played, name: str, lam: float) -> str:
    """λ does something, but not one of the two."""
    rounding = _rounding(plain, decayed, name)
    some = np.abs(difference[0]) > rounding[0]
    if some.any() and not some.all():
        share = _common(difference[0][some], decayed.weights[name][0][some], rounding[0][some])
        if share:
            count = f"{int(some.sum())} of {some.size} elements"
            return f"of {count} only: w·(1 − {number(*share)}) in the first step, the others are not decayed"
    return f"of another kind: λ = {lam:g} changes the moves, neither as g + λw nor as w·(1 − c)"
