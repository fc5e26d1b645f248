"""How far two correct runs of an experiment may be apart, and what each of two runs is beside it.

A correct run lies within the drift of free runs (:mod:`parity.explain.free`): four times the farthest of copies that
are pushed at every step by what one correct step may be off. So two of them may differ by both drifts and by what their
dtypes make of the same start.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from parity.errors import InputError
from parity.experiment import Experiment
from parity.explain.finding import Diagnosis
from parity.explain.free import Free, free
from parity.explain.readings import Layout, layouts
from parity.features.check.log import check_log, judge_log
from parity.features.check.logfile import Log
from parity.features.check.series import LogFit, Reading, fit_of, profile_in, readings_of
from parity.features.compare.runs import RecordedRun, shifted, until_divergence
from parity.step.design import as_asked, check_linear
from refimpl.types import Array

Runs = tuple[RecordedRun, RecordedRun]


def held_to(runs: Runs, experiment: Experiment, dtype: str | None) -> tuple[Runs, tuple[Diagnosis, ...], list[str]]:
    """The runs with their steps and rooms, what ``parity check`` says of each, and notes.

    Raises :class:`InputError` for a run that is none of the experiment.
    """
    diagnoses = tuple(_diagnosis(run, experiment, dtype) for run in runs)
    asked, known = as_asked(experiment), dict[str, Free]()
    held, fits = [], []
    for run, diagnosis in zip(runs, diagnoses, strict=True):
        used = diagnosis.dtype or "float64"
        if used not in known:
            known[used] = free(asked, profile_in(used))
        fit = _fit(run, known[used])
        fits.append(fit)
        held.append(_with_room(run, known[used], fit))
    notes = []
    bounded = {name for run in held for name, one in run.series.items() if one.room is not None}
    if unbounded := dict.fromkeys(name for run in held for name in run.series if name not in bounded):
        notes.append(f"not compared, as rounding of them is not bounded here: {', '.join(unbounded)}")
    other = _read_otherwise(*fits)
    notes += [f"{name} is not compared: it is {texts}" for name, texts in other.items()]
    left = bounded - other.keys()
    a, b = (until_divergence(replace(run, series={n: run.series[n] for n in run.series if n in left})) for run in held)
    return (a, b), diagnoses, notes


def _diagnosis(run: RecordedRun, experiment: Experiment, dtype: str | None) -> Diagnosis:
    """What ``parity check`` says of a run; of a log, as far as its numbers are finite."""
    if not isinstance(run.source, Log) or (rows := run.source.finite_rows) == run.source.rows:
        return check_log(run.place, experiment, dtype=dtype)
    if not rows:
        raise InputError(f"{run.place}: has no row of finite numbers; give a run that begins with some")
    check_linear(experiment)
    return judge_log(run.place, run.source.first(rows), experiment, dtype)


def _fit(run: RecordedRun, correct: Free) -> LogFit:
    """What the columns of a run are read as, and which step each row is of.

    Raises :class:`InputError` where the rows are neither its steps nor its epochs.
    """
    source = run.source
    if not isinstance(source, Log):
        columns = {
            "loss": Reading(0.0, "the loss", correct.losses["loss"]),
            "norm": Reading(0.0, "‖w‖", correct.norms["‖w‖"]),
        }
        return LogFit(layouts(source.steps + 1, correct.design)[0], columns)
    if not source.weights:
        return fit_of(source, correct)
    ways = layouts(source.rows, correct.design)
    if not ways:
        steps = correct.design.steps
        raise InputError(
            f"{run.place}: has {source.rows} rows; the experiment has {steps} steps: give as many, or one more"
        )
    finite = source.first(source.finite_rows)
    layout = min(ways, key=lambda one: _off(finite, correct, one.first(finite.rows)))
    return LogFit(layout, readings_of(finite, layout.first(finite.rows), correct))


@np.errstate(all="ignore")
def _off(log: Log, correct: Free, layout: Layout) -> float:
    """How far the weights of a log are from those of correct code, with its rows laid out so."""
    shares = []
    for name, values in log.weights.items():
        series = correct.weights[name]
        expected, room = (_flat(part)[layout.norms] for part in (series.value, series.room))
        off = np.abs(values - expected) / (room + log.unit[name])
        shares.append(float(np.max(np.where(values == expected, 0, off))))
    return max(shares)


def _with_room(run: RecordedRun, correct: Free, fit: LogFit) -> RecordedRun:
    """The run with the step of each row, what correct code has there, and how far it may be from it."""
    layout, series = fit.layout, dict(run.series)
    is_log = isinstance(run.source, Log)
    for name, one in run.series.items():
        if name in correct.weights:
            of_weights = correct.weights[name]
            known = [_flat(part)[layout.norms] for part in (of_weights.value, of_weights.room)]
        elif name in fit.columns:
            of_column = fit.columns[name].series
            known = [_flat(part) for part in (of_column.value, of_column.room)]
            if isinstance(run.source, Log):
                rows = np.arange(len(layout.losses)) < run.source.finite_rows
                if name == "loss":  # of the rows whose step is known
                    rows &= layout.losses >= 0
                known = [_spread(part, rows, other) for part, other in zip(known, (np.nan, 0.0), strict=True)]
        else:
            continue
        series[name] = replace(one, correct=known[0], room=known[1])
    run = replace(run, series=series)
    return shifted(run, layout.norms - 1, layout.losses) if is_log else run


def _spread(values: Array, rows: Array, other: float) -> Array:
    """The values in their rows, and another one in the rest."""
    whole = np.full((len(rows), values.shape[1]), other)
    whole[rows] = values
    return whole


def _flat(values: Array) -> Array:
    return values.reshape(len(values), -1)


def _read_otherwise(a: LogFit, b: LogFit) -> dict[str, str]:
    """The columns that are one thing in one run and another in the other, with both."""
    texts = {}
    for name in ("loss", "norm"):
        one, other = a.columns.get(name), b.columns.get(name)
        if one and other and max(one.distance, other.distance) <= 1 and one.text != other.text:
            texts[name] = f"{one.text} in A and {other.text} in B"
    return texts
