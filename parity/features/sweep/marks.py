"""The λ that each rule chooses, in every seed, and what that choice costs.

``first``          the first value after which the validation loss is no smaller: where one would stop who raises λ
``validation``     the value with the least validation loss
``gcv``            the value with the least generalised cross-validation score, of the ridge solutions
``leave_one_out``  the value with the least leave-one-out error, of the ridge solutions
``prior``          the λ of the true noise and width of the weights: best for the ridge solution on average
``truth``          the value with the least expected loss of the trained weights, which only the truth tells

Values at which training diverges are not chosen. The truth may choose the λ of the prior, which is run as well.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from parity.features.sweep.run import Sweep
from refimpl.types import Array

RULES = ("first", "validation", "gcv", "leave_one_out", "prior", "truth")


@dataclass(frozen=True, kw_only=True, eq=False)  # eq=False: arrays have no single truth value
class Mark:
    """``strengths``: the λ chosen, ``(seeds,)``. The losses: of the run with it and of the ridge solution there.

    ``excess``: how much larger its loss is than the least of all runs, the prior's included, as a share of that: the
    expected loss where it is known, else the validation loss.
    """

    rule: str
    strengths: Array
    validation_loss: Array | None
    expected_loss: Array | None
    ridge_expected_loss: Array | None
    excess: Array


def marks(sweep: Sweep) -> tuple[Mark, ...]:
    """The rules that the experiment allows, in the order of ``RULES``; none where all runs of a seed diverge."""
    curves, k = sweep.curves, len(sweep.grid.values)
    if np.any(np.all(curves.rose, axis=1)) or curves.validation_loss is None:
        return ()
    strengths, named = sweep.grid.values, curves.named()
    if sweep.prior is not None and sweep.at_prior is not None:  # its run is one column more
        strengths = np.append(strengths, sweep.prior)
        named = {name: np.hstack([named[name], values]) for name, values in sweep.at_prior.named().items()}
    rose = named["rose"]
    chosen = {"first": _first(curves.rose, curves.validation_loss)}
    for rule, name in (("validation", "validation_loss"), ("gcv", "gcv"), ("leave_one_out", "leave_one_out")):
        if name in named:
            chosen[rule] = _least(curves.rose, named[name][:, :k])
    if "expected_loss" in named:
        chosen["truth"] = _least(rose, named["expected_loss"])
    if len(strengths) > k and not np.any(rose[:, k]):
        chosen["prior"] = np.full(len(sweep.seeds), k)
    return tuple(_mark(rule, chosen[rule], strengths, named) for rule in RULES if rule in chosen)


def first_rise(losses: Array) -> npt.NDArray[np.intp]:
    """``(seeds,)``: the first index of a row after which the loss is no smaller; the last where it falls to the end."""
    rises = ~(losses[:, 1:] < losses[:, :-1])
    return np.asarray(np.where(np.any(rises, axis=1), np.argmax(rises, axis=1), losses.shape[1] - 1))


def _first(rose: Array, losses: Array) -> npt.NDArray[np.intp]:
    """The first rise among the runs that do not diverge, seed by seed."""
    steady = [np.flatnonzero(~row) for row in rose]
    return np.array([kept[first_rise(row[None, kept])[0]] for kept, row in zip(steady, losses, strict=True)])


def _least(rose: Array, values: Array) -> npt.NDArray[np.intp]:
    return np.asarray(np.argmin(np.where(rose, np.inf, values), axis=1))


def _mark(rule: str, index: npt.NDArray[np.intp], strengths: Array, named: dict[str, Array]) -> Mark:
    judged = named.get("expected_loss", named["validation_loss"])
    rows = np.arange(len(index))
    least = np.where(named["rose"], np.inf, judged).min(axis=1)
    at = judged[rows, index]
    more = at > least  # a least loss of 0 is no more than itself

    def of(name: str) -> Array | None:
        return named[name][rows, index] if name in named else None

    with np.errstate(divide="ignore"):
        excess = np.divide(at, least, out=np.ones(len(at)), where=more) - 1
    return Mark(
        rule=rule,
        strengths=strengths[index],
        validation_loss=of("validation_loss"),
        expected_loss=of("expected_loss"),
        ridge_expected_loss=of("ridge_expected_loss"),
        excess=excess,
    )
