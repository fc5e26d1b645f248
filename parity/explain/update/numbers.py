"""One number of a rule, solved for from the record, with an interval that every element allows.

::

    x ← x − Jᵀr/JᵀJ,   r = expected − recorded in units of the allowance    (β by its log(1 − β), others as they are)
    [x]ᵢ = x + (−rᵢ ± 1)/Jᵢ   of every element; what is left of all of them is the interval
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from parity.explain.update.rule import Rule
from parity.explain.update.trial import Record, first_wrong
from refimpl.types import Array

ITERATIONS, HALVINGS = 15, 6
SLOW = 5
"""Iterations after which a number that brings the record hardly nearer is given up."""
SOME = 8
"""Steps that a number is solved on."""
WIDER = 8.0
"""The allowances are those of the asked number: the interval is drawn with several of them, and a proof decides."""
SYMBOLS = {
    "lr": "lr",
    "beta1": "β₁",
    "beta2": "β₂",
    "eps": "ε",
    "weight_decay": "weight_decay",
    "dampening": "dampening",
    "momentum": "momentum",
    "clip": "clip",
    "accumulated": "initial_accumulator_value",
}
STARTS = {"beta1": 0.5, "weight_decay": 0.01, "dampening": 0.5, "momentum": 0.5, "eps": 1e-8}


@dataclass(frozen=True)
class Solved:
    """``field`` of a rule: a value in the interval [``low``, ``high``], and the one of fewest digits in it."""

    field: str
    value: float
    low: float
    high: float

    @property
    def short(self) -> float:
        return shortest(self.value, self.low, self.high)


def numbers_of(asked: Rule) -> list[str]:
    """The numbers that a rule depends on, the likely ones first."""
    found = ["lr"]
    found += ["weight_decay"] if asked.weight_decay else []
    found += ["beta1"] if asked.beta1 else []
    found += ["beta2"] if asked.beta2 and (asked.square != "none" or "lion" in asked.average) else []
    found += ["eps"] if asked.eps and asked.square != "none" else []
    found += ["dampening"] if "buffer" in asked.average else []
    found += ["momentum"] if asked.momentum else []
    return found + (["accumulated"] if asked.square == "sum" else [])


def solve(records: Sequence[Record], rules: Mapping[str, Rule], name: str) -> Solved | None:
    """The number that brings the records nearest; None where it cannot be told or where none comes near."""
    begin = first_wrong(records)
    steps = begin + SOME
    used = sorted((r for r in records if r.wrong), key=lambda r: -r.weights[0].size)[:2]
    scale = np.concatenate([record.allowance[:steps].ravel() for record in used])
    target = np.concatenate([record.weights[1 : 1 + min(steps, record.steps)].ravel() for record in used])
    known = np.isfinite(scale)

    def misses(x: float) -> Array:
        value = _out(name, x)
        parts = [record.predicted(rules[record.name].having(**{name: value}), steps).ravel() for record in used]
        with np.errstate(all="ignore"):
            off: Array = ((np.concatenate(parts) - target) / scale)[known]
        return np.nan_to_num(off, nan=1e30, posinf=1e30, neginf=-1e30)

    start = float(getattr(rules[used[0].name], name)) or STARTS.get(name, 0.1)
    x = _descend(misses, _in(name, start))
    if x is None:
        return None
    r, slope = misses(x), _slope(misses, x)
    told = np.abs(slope) > 0
    if not told.any() or np.quantile(np.abs(r), 0.85) > WIDER:
        return None
    middle, half = x - r[told] / slope[told], WIDER / np.abs(slope[told])
    low, high = float(np.max(middle - half)), float(np.min(middle + half))
    if not low <= high:
        low = high = x
    ends = sorted((_out(name, low), _out(name, high)))
    value = min(max(_out(name, x), ends[0]), ends[1])
    return Solved(name, value, *ends)


def _descend(misses: Callable[[float], Array], x: float) -> float | None:
    """Gauss and Newton with halved steps where one leads uphill."""
    r = misses(x)
    norm = begin = float(r @ r)
    for iteration in range(ITERATIONS):
        slope = _slope(misses, x)
        below = float(slope @ slope)
        if not np.isfinite(below) or below == 0:
            return None
        step = -float(slope @ r) / below
        for _ in range(HALVINGS):
            trial = misses(x + step)
            if float(trial @ trial) < norm:
                break
            step /= 2
        else:
            return x
        x, r, before, norm = x + step, trial, norm, float(trial @ trial)
        if norm > 0.999999 * before:
            return x
        if iteration == SLOW and norm > begin / 2:
            return None
    return x


def _slope(misses: Callable[[float], Array], x: float) -> Array:
    """dr/dx from the difference of both sides."""
    width = 1e-5 * (abs(x) or 1e-3)
    return (misses(x + width) - misses(x - width)) / (2 * width)


def _in(name: str, value: float) -> float:
    return float(np.log1p(-value)) if name.startswith("beta") else float(np.log(value)) if name == "eps" else value


def _out(name: str, x: float) -> float:
    if name.startswith("beta"):
        return float(-np.expm1(min(x, 3.0)))  # a β below −19 is none
    return float(np.exp(min(x, 300.0))) if name == "eps" else x


def shortest(value: float, low: float, high: float) -> float:
    """The decimal of fewest digits in the interval."""
    for digits in range(1, 18):
        rounded = float(f"{value:.{digits - 1}e}")
        if low <= rounded <= high:
            return rounded
    return value
