"""Tables of the false alarms, and of the share of each tolerance that correct runs use."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Any

from benchmarks.common import Grid
from benchmarks.false_alarm_runs import CELLS, WRONG, Outcome, Tally, combine
from parity.backends.base import DTYPES

SHARP = 0.1

QUANTITIES = (
    "batch loss",
    "train loss",
    "validation loss",
    "objective",
    "norm",
    "gradient weight",
    "gradient bias",
    "gradient off span",
    "state weight.momentum_buffer",
    "state bias.momentum_buffer",
    "weights",
    "bias",
    "start",
    "untouched",
)
SUMS = (
    "Sums: the bound γₙ of a sum of n terms holds for every order of summation, also for one term after the other with "
    "all rounding errors of one sign. torch sums in blocks and its errors have random signs, so of the bound of a long "
    "sum in float64 and float32 it uses little; where sums are accumulated in float32 and stored in less, one rounding "
    "at the end decides and the bound is sharp at every p. The part of the gradient outside the span of the batch's "
    "rows has no long sums: it is sharp at every p."
)
VERDICTS = (
    "Verdicts: *agree*; *undecidable*, which agrees and names the hyper-parameters that the run cannot see; *known*, "
    "which agrees but for the change of `.grad` that foreach SGD makes. *unbounded*: values that may overflow in their "
    "dtype, of which nothing is said."
)
EQUALITIES = ("start", "untouched")
"""Held to equality, not to a tolerance."""


def total_by(outcomes: Iterable[Outcome], *keys: str) -> dict[tuple[Any, ...], Tally]:
    """Tallies of each quantity, added up over outcomes with the same ``dtype``, ``features``, …"""
    totals: dict[tuple[Any, ...], Tally] = {}
    for one in outcomes:
        where = tuple(getattr(one if key == "features" else one.cell, key) for key in keys)
        for quantity, tally in one.tallies.items():
            key = (quantity, *where)
            totals[key] = combine(totals[key], tally) if key in totals else tally
    return totals


def judgement(quantity: str, tally: Tally) -> str:
    """``sharp``, ``loose``, or ``equality`` for what has no tolerance."""
    if quantity in EQUALITIES or tally.values == tally.equal:
        return "equality"
    return "sharp" if tally.used >= SHARP else "loose"


def share(used: float) -> str:
    """Three digits, never rounded up to a full 1."""
    return f"{math.floor(used * 1000) / 1000:.3f}"


def main_table(outcomes: Sequence[Outcome]) -> Grid:
    """Per quantity and dtype: runs, judged values, alarms, share used."""
    totals = total_by(outcomes, "dtype")
    rows = []
    for quantity in QUANTITIES:
        for dtype in DTYPES:
            if (tally := totals.get((quantity, dtype))) is None:
                continue
            runs = sum(1 for one in outcomes if one.cell.dtype == dtype and quantity in one.tallies)
            bound = "–" if quantity in EQUALITIES else share(tally.used)
            cells = [f"{runs:,}", f"{tally.values:,}", f"{tally.equal:,}", f"{tally.unknown:,}", f"{tally.alarms}"]
            rows.append([quantity, dtype, *cells, bound, judgement(quantity, tally)])
    columns = ["quantity", "dtype", "runs", "values", "held to equality", "unbounded", "false alarms", "share used", ""]
    return Grid("False alarms and the largest share of the tolerance that a correct run used", columns, rows, left=2)


def share_table(outcomes: Sequence[Outcome]) -> Grid:
    """The largest share by number of features: bounds of sums grow with n, errors with √n."""
    totals = total_by(outcomes, "dtype", "features")
    features = sorted({one.features for one in outcomes if one.features})
    rows = []
    for quantity in QUANTITIES:
        if quantity in EQUALITIES:
            continue
        for dtype in DTYPES:
            used = [totals.get((quantity, dtype, p)) for p in features]
            rows.append([quantity, dtype, *(share(tally.used) if tally else "–" for tally in used)])
    return Grid("Largest share used, by number of features p", ["quantity", "dtype", *map(str, features)], rows, left=2)


def way_table(outcomes: Sequence[Outcome]) -> Grid:
    """Runs, alarms, the largest and the smallest share of the quantities' tolerances for each cell."""
    totals = total_by(outcomes, "dtype", "formulation", "implementation")
    rows = []
    for cell in CELLS:
        mine = [one for one in outcomes if one.cell == cell]
        of_cell = {q: totals[q, *cell] for q in QUANTITIES if (q, *cell) in totals and q not in EQUALITIES}
        if not mine or not of_cell:
            continue
        loose = [q for q, tally in of_cell.items() if judgement(q, tally) == "loose"]
        least = min(of_cell, key=lambda q: of_cell[q].used)
        alarms = sum(one.false_alarm for one in mine)
        verdict = "all sharp" if not loose else "loose: " + ", ".join(loose)
        rows.append([*cell, f"{len(mine)}", f"{alarms}", f"{share(of_cell[least].used)} {least}", verdict])
    columns = ["dtype", "formulation", "implementation", "runs", "false alarms", "least share of all quantities", ""]
    return Grid("By dtype × formulation × implementation", columns, rows, left=3)


def wrong_table(outcomes: Sequence[Outcome]) -> Grid:
    """Runs of what torch has wrong: how many the judge noted.

    Below a vector's width the fused kernel is right, and above it where no update reaches half an ulp.
    """
    rows = []
    for small in (True, False):
        for cell in WRONG:
            mine = [one for one in outcomes if one.cell == cell and (one.features < 16) == small]
            noted = sum(one.verdict == "disagree" for one in mine)
            rows.append([" ".join(cell), "p < 16" if small else "p ≥ 16", f"{noted} of {len(mine)}"])
    grad = [one for one in outcomes if one.changed_grad is not None]
    noted = sum(bool(one.changed_grad) for one in grad)
    rows.append(["foreach, Nesterov without decay: .grad changed", "all", f"{noted} of {len(grad)}"])
    return Grid("Known to be wrong in torch, counted apart", ["where", "which runs", "noted"], rows, left=2)
