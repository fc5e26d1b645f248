"""The λ that each rule chooses, in every seed, and what that choice costs.

``first``          the first value after which the validation loss is no smaller: where one would stop who raises λ
``validation``     the value with the least validation loss
``gcv``            the value with the least generalised cross-validation score, of the ridge solutions
``leave_one_out``  the value with the least leave-one-out error, of the ridge solutions
``prior``          the λ of the true noise and width of the weights: best for the ridge solution on average
``truth``          the value with the least expected loss of the trained weights, which only the truth tells

Values at which training diverges are not chosen.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from parity.study.sweep.run import Sweep
from refimpl.types import Array

RULES = ("first", "validation", "gcv", "leave_one_out", "prior", "truth")


@dataclass(frozen=True, kw_only=True, eq=False)  # eq=False: arrays have no single truth value
class Mark:
    """``strengths``: the λ chosen, ``(seeds,)``. The losses: of the run with it and of the ridge solution there.

    ``excess``: how much larger its loss is than the least of the sweep, as a share of that: the expected loss where it
    is known, else the validation loss.
    """

    rule: str
    strengths: Array
    validation_loss: Array | None
    expected_loss: Array | None
    ridge_expected_loss: Array | None
    excess: Array


def marks(sweep: Sweep) -> tuple[Mark, ...]:
    """The rules that the experiment allows, in the order of ``RULES``; none where all runs of a seed diverge."""
    curves = sweep.curves
    if np.any(np.all(curves.rose, axis=1)) or curves.validation_loss is None:
        return ()
    chosen = {"first": first_rise(curves.validation_loss), "validation": _least(sweep, curves.validation_loss)}
    if curves.gcv is not None and curves.leave_one_out is not None:
        chosen |= {"gcv": _least(sweep, curves.gcv), "leave_one_out": _least(sweep, curves.leave_one_out)}
    if curves.expected_loss is not None:
        chosen |= {"truth": _least(sweep, curves.expected_loss)}
    found = {rule: _at(sweep, rule, index) for rule, index in chosen.items()}
    if sweep.prior is not None and sweep.at_prior is not None and not np.any(sweep.at_prior.rose):
        found["prior"] = _mark(sweep, "prior", np.full(len(sweep.seeds), sweep.prior), sweep.at_prior.named())
    return tuple(found[rule] for rule in RULES if rule in found)


def first_rise(losses: Array) -> npt.NDArray[np.intp]:
    """``(seeds,)``: the first index of a row after which the loss is no smaller; the last where it falls to the end."""
    rises = ~(losses[:, 1:] < losses[:, :-1])
    return np.asarray(np.where(np.any(rises, axis=1), np.argmax(rises, axis=1), losses.shape[1] - 1))


def _least(sweep: Sweep, values: Array) -> npt.NDArray[np.intp]:
    return np.asarray(np.argmin(np.where(sweep.curves.rose, np.inf, values), axis=1))


def _at(sweep: Sweep, rule: str, index: npt.NDArray[np.intp]) -> Mark:
    rows = np.arange(len(index))
    named = {name: values[rows, index][:, None] for name, values in sweep.curves.named().items()}
    return _mark(sweep, rule, sweep.grid.values[index], named)


def _mark(sweep: Sweep, rule: str, strengths: Array, at: dict[str, Array]) -> Mark:
    judged = "validation_loss" if sweep.curves.expected_loss is None else "expected_loss"
    least = np.where(sweep.curves.rose, np.inf, sweep.curves.named()[judged]).min(axis=1)

    def of(name: str) -> Array | None:
        return at[name][:, 0] if name in at else None

    with np.errstate(divide="ignore", invalid="ignore"):  # of a least loss of 0
        excess = at[judged][:, 0] / least - 1
    return Mark(
        rule=rule,
        strengths=strengths,
        validation_loss=of("validation_loss"),
        expected_loss=of("expected_loss"),
        ridge_expected_loss=of("ridge_expected_loss"),
        excess=excess,
    )
