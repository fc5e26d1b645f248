"""A sweep in sentences: which λ, and whether the first where the loss stops falling is the right one."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from parity.features.sweep.marks import Mark
from parity.features.sweep.run import Sweep
from refimpl.types import Array

RULES = {
    "first": "validation stops falling",
    "validation": "best on validation",
    "gcv": "GCV",
    "leave_one_out": "leave-one-out",
    "prior": "prior and noise",
    "truth": "truth",
}
"""Short names; the page about sweeps says how each is derived."""


def middle(strengths: Array) -> float:
    """The median, a value that was run: the lower of the two where their number is even."""
    return float(np.quantile(strengths, 0.5, method="lower"))


def number(value: float) -> str:
    return f"{value:.4g}"


def percent(share: float) -> str:
    """``0.3 %``, ``77 %``, ``7,750 times as much``, ``any number of times as much`` as nothing."""
    if math.isinf(share):
        return "any number of times as much"
    if share >= 10:
        return f"{float(f'{share + 1:.3g}'):,.0f} times as much"
    return f"{100 * share:.2g} %" if share < 0.1 else f"{100 * share:.0f} %"


def sentences(sweep: Sweep, marks: Sequence[Mark]) -> list[str]:
    """The answer, a sentence or two for each part of it."""
    by_rule = {mark.rule: mark for mark in marks}
    lines = [_divergence(sweep)] if np.any(sweep.diverges) else []
    if "first" in by_rule:
        lines.append("Is the first λ where the validation loss stops falling the right one?")
        lines.append(_first(sweep, by_rule["first"], by_rule["validation"]))
    if "truth" in by_rule:
        lines.append(_cost(sweep, by_rule["first"], by_rule["validation"]))
    if "prior" in by_rule:
        lines.append(_prior(sweep, by_rule["prior"]))
    return lines


def _divergence(sweep: Sweep) -> str:
    values, diverges = sweep.grid.values, sweep.diverges
    first = int(np.argmax(diverges))
    if np.all(diverges):
        name = sweep.experiment.name
        return f"Training diverges at every λ: the learning rate may be too large; see parity stability {name}."
    worst = int(sweep.curves.rose[:, -1].sum())
    if np.all(diverges[first:]):
        seeds = f"; at λ = {values[-1]:g} in {worst} of {len(sweep.seeds)} seeds" if len(sweep.seeds) > 1 else ""
        return f"Training diverges from λ = {number(values[first])} on{seeds}."
    return f"Training diverges at {int(diverges.sum())} of {len(values)} values, the smallest {number(values[first])}."


def _first(sweep: Sweep, first: Mark, best: Mark) -> str:
    assert first.validation_loss is not None and best.validation_loss is not None
    seeds, least, most = len(sweep.seeds), first.strengths.min(), first.strengths.max()
    same = int(np.sum(first.validation_loss <= best.validation_loss))
    if seeds == 1:
        text = f"It is λ = {number(least)}, and " + ("the best on validation" if same else "not the best on validation")
    else:
        text = (
            f"It is λ = {number(middle(first.strengths))} (median of {seeds} seeds; {number(least)} to {number(most)})"
        )
        text += f", in {same} of {seeds} seeds the best on validation"
    if same < seeds:
        worse = first.validation_loss > best.validation_loss
        with np.errstate(divide="ignore"):  # of a best loss of 0
            more = percent(float(np.max(first.validation_loss[worse] / best.validation_loss[worse])) - 1)
        text += f"; the best is λ = {number(middle(best.strengths))}, and the first loses up to {more} more than that"
    to_the_end = int(np.sum(first.strengths == sweep.grid.values[-1]))
    at_the_start = int(np.sum(first.strengths == sweep.grid.values[0]))
    if at_the_start and not to_the_end:
        where = "It" if seeds == 1 else f"In {at_the_start} of {seeds} seeds it"
        text += f". {where} is the smallest of the range: sweep smaller ones, too"
    if to_the_end:
        where = "It" if seeds == 1 else f"In {to_the_end} of {seeds} seeds it"
        text += f". {where} falls to the end of the range: sweep further"
    return text + "."


def _cost(sweep: Sweep, first: Mark, best: Mark) -> str:
    costs = [percent(float(np.median(mark.excess))) for mark in (first, best)]
    if len(sweep.seeds) > 1:
        costs = [
            f"{cost} (at most {percent(float(mark.excess.max()))})"
            for cost, mark in zip(costs, (first, best), strict=True)
        ]
    return (
        f"On new rows it is expected to lose {costs[0]} more than the best λ, which only the truth tells; "
        f"the best on validation {costs[1]}."
    )


def _prior(sweep: Sweep, prior: Mark) -> str:
    assert prior.expected_loss is not None and prior.ridge_expected_loss is not None and sweep.at_prior is not None
    assert sweep.at_prior.ridge_distance is not None
    run, ridge = float(np.median(prior.expected_loss)), float(np.median(prior.ridge_expected_loss))
    distance = float(np.median(sweep.at_prior.ridge_distance))
    return (
        "GCV, leave-one-out and the prior speak of the ridge solution. "
        f"At the λ of the prior, {number(prior.strengths[0])}, "
        f"its expected loss is {number(ridge)}, that of the trained weights {number(run)}: "
        f"training ends ‖w − w_ridge‖₂ = {number(distance)} away from it."
    )
