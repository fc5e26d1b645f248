"""A log of losses and norms alone, beside free runs of correct code and of every named fault.

Losses and norms leave much open: what lies within the drift of a design's free runs cannot be ruled out, what does not
is ruled out. A column may be read in several ways (:mod:`parity.explain.readings`); the first that fits is said.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

import numpy as np

from parity.errors import InputError
from parity.experiment import Experiment
from parity.explain.cause import FAR, NamedFault, named
from parity.explain.finding import Diagnosis, Finding
from parity.explain.free import Free, free
from parity.explain.readings import Layout, ReportedSeries, factor, layouts, maps_of, words
from parity.features.check.logfile import Log
from parity.features.check.training import ACCUMULATE, UNKNOWN_FORM
from parity.step.design import Design, as_asked
from refimpl.arithmetic.bounded import Profile
from refimpl.arithmetic.formats import FORMATS
from refimpl.types import Array

FEWEST = 4
"""Rows of a run that was not logged in full, with fewer of which nearly any reading fits."""


@dataclass(frozen=True)
class Reading:
    """How one column lies to a design: the largest difference ÷ room, what it is read as, and what correct code has
    as that in the rows that are judged."""

    distance: float
    text: str
    series: ReportedSeries


@dataclass(frozen=True)
class LogFit:
    """How a log lies to a design, with the layout of its rows."""

    layout: Layout
    columns: dict[str, Reading]

    @property
    def distance(self) -> float:
        return max(reading.distance for reading in self.columns.values())

    @property
    def notes(self) -> list[str]:
        said = words({column: reading.text for column, reading in self.columns.items()})
        return [*([self.layout.note] if self.layout.note else []), *said]


def judge_series(log: Log, experiment: Experiment, dtypes: Sequence[str]) -> Diagnosis:
    """The diagnosis, as a run in the first of the dtypes that explains the log."""
    asked = as_asked(experiment)
    if not layouts(log.rows, asked) or log.rows < min(FEWEST, asked.steps):
        raise _rows(log, experiment, asked)
    runs = [(dtype, free(asked, profile_in(dtype))) for dtype in dtypes]
    fits = [fit_of(log, run) for _, run in runs]
    said = "taken for a {} run: a log does not say its dtype" if len(dtypes) > 1 else ""
    for (dtype, run), fit in zip(runs, fits, strict=True):
        if fit.distance <= 1:
            return replace(_agreeing(log, asked, run, fit, experiment.name, said.format(dtype)), dtype=dtype)
    for (dtype, run), fit in zip(runs, fits, strict=True):
        findings = _misreported(log, run, fit) or _faults(log, asked, run, fit, dtype)
        if findings:
            notes = (*fit.notes[:1] * bool(fit.layout.note), *([said.format(dtype)] if said else []))
            text = findings[0].text
            return replace(_disagreeing(experiment.name, text, fit, tuple(findings), notes), dtype=dtype)
    if log.rows not in (asked.steps, asked.steps + 1):
        raise _rows(log, experiment, asked)
    fit, dtype = min(zip(fits, dtypes, strict=True), key=lambda one: one[0].distance)
    off = f"correct code is off by {fit.distance:.3g} times the drift of correct runs"
    text = f"{off}, and no single fault that is known explains it; log the weights"
    notes = _of_start(log, dict(runs)[dtype], fit)
    return replace(_disagreeing(experiment.name, text, fit, notes=notes), dtype=dtype)


def _of_start(log: Log, run: Free, fit: LogFit) -> tuple[str, ...]:
    """What a loss says that is off before the first step: the fault is not in the steps alone."""
    firsts = np.flatnonzero(fit.layout.losses == 0)
    if "loss" not in log.series or not len(firsts):
        return ()
    row = firsts[0]
    written, unit = float(log.series["loss"][row]), float(log.unit["loss"][row])
    if any(abs(written - series.value[0]) <= series.room[0] + unit for series in run.losses.values()):
        return ()
    asked = float(next(iter(run.losses.values())).value[0])
    return (
        f"the first loss, which no step has changed yet, is {written:.6g}, asked {asked:.6g}: compare the data, the "
        "initial weights, the first batch and what the loss is; the log may be of another experiment",
    )


def _rows(log: Log, experiment: Experiment, asked: Design) -> InputError:
    return InputError(
        f"the log has {log.rows} rows; {experiment.name} has {asked.steps} steps in {len(asked.material.order)} "
        "epochs, and these rows show neither its first steps nor its epochs: give a row for each step, or one more"
        if log.rows < asked.steps
        else f"the log has {log.rows} rows; {experiment.name} has {asked.steps} steps: give that many, or one more"
    )


def _disagreeing(
    name: str, text: str, fit: LogFit, findings: tuple[Finding, ...] = (), notes: tuple[str, ...] = ()
) -> Diagnosis:
    return Diagnosis(verdict="disagree", text=text, against=name, share=fit.distance, findings=findings, notes=notes)


def _agreeing(log: Log, asked: Design, run: Free, fit: LogFit, name: str, said: str) -> Diagnosis:
    """It agrees, but for faults that would lie within the drift as well, and are not correct code by another name."""
    exact = free(asked, profile_in("float64"))
    same = []
    for fault, other in named(asked):
        if fault.name.free or other.steps != asked.steps or _equal(exact, other):
            continue
        if _near(log, run, other) and fit_of(log, free(other, run.engine.recording.profiles["loss"])).distance <= 1:
            same.append(fault.id)
    unseen = tuple(dict.fromkeys(same))
    text = f"{log.rows} rows of {', '.join(log.series)} lie within the drift of correct runs"
    if unseen:
        text += f"; so they would with {', '.join(unseen[:8])}{' …' if len(unseen) > 8 else ''}"
    notes = (*fit.notes, *([said] if said else []))
    verdict: Any = "undecidable" if unseen else "agree"
    return Diagnosis(verdict=verdict, text=text, against=name, share=fit.distance, unseen=unseen, notes=notes)


def _equal(exact: Free, other: Design) -> bool:
    """Whether a design differs from correct code by no more than float64 runs of it drift apart: in how it rounds."""
    values = exact.with_values_of(other, losses=False).weights
    return all(
        bool(np.all(np.abs(values[name].value - series.value) <= series.room)) for name, series in exact.weights.items()
    )


def _near(log: Log, run: Free, other: Design) -> bool:
    """A first look, which costs one plain run: designs that are farther are not run with copies."""
    if "norm" in log.series:
        norms = run.with_values_of(other, losses=False)
        if min(_norm(log, layout, norms).distance for layout in layouts(log.rows, other)) > FAR:
            return False
    return fit_of(log, run.with_values_of(other)).distance <= FAR


def _faults(log: Log, asked: Design, run: Free, fit: LogFit, dtype: str) -> list[Finding]:
    """The named faults whose free runs have the log within their drift; the likeliest first."""
    fitting: list[tuple[NamedFault, LogFit]] = []
    for fault, other in named(asked):
        if other.steps == asked.steps and not _near(log, run, other):
            continue
        if layouts(log.rows, other) and (found := fit_of(log, free(other, profile_in(dtype)))).distance <= 1:
            fitting.append((fault, found))
    fitting.sort(key=lambda pair: (pair[0].name.rare, _as_asked(pair[1]), pair[0].name.free))
    if not fitting:
        return []
    (first, best), *rest = fitting
    alike = {fault.id: _text(fault, other) for fault, other in rest if fault.id != first.id}
    evidence = f"correct code is off by {fit.distance:.3g} times the drift of correct runs; with this, at "
    evidence += f"{best.distance:.2f} of it"
    change, probe = first.name.change, "log the weights, too"
    text = _text(first, best)
    return [Finding(id=first.id, text=text, evidence=evidence, change=change, probe=probe, alike=alike)]


def _as_asked(fit: LogFit) -> bool:
    return "loss" in fit.columns and fit.columns["loss"].text == "the loss as asked"


def _text(fault: NamedFault, fit: LogFit) -> str:
    """A loss that is logged as asked, with steps of another: the gradient is not that of what is logged."""
    if not _as_asked(fit):
        return fault.text
    if fault.id in ("loss-other-factor", "loss-doubled", "loss-halved"):
        times = {"loss-doubled": 2.0, "loss-halved": 0.5}.get(fault.id, fault.value)
        return f"the gradient of the loss counts {times:.6g} times, while the loss that is logged is as asked"
    return f"of the gradient, not of the loss that is logged: {fault.text}"


def _misreported(log: Log, run: Free, fit: LogFit) -> list[Finding]:
    """Where one column is that of correct code and the other is not: what the other is instead."""
    wrong = [column for column, reading in fit.columns.items() if reading.distance > 1]
    if len(wrong) != 1 or len(fit.columns) < 2:
        return []
    column = wrong[0]
    other = next(name for name in fit.columns if name != column)
    off = fit.columns[column].distance
    evidence = f"the {other} is that of correct code, the {column} is off by {off:.3g} times the drift of correct runs"
    if column == "loss":
        for fault, changed in named(run.design):
            if fault.name.kind in ("loss", "penalty") and not fault.name.free:
                losses = _losses_at(run, changed)
                if losses and _loss(log, fit.layout, changed, losses, run).distance <= 1:
                    text = f"of the loss that was logged, not of the steps: {fault.text}"
                    return [Finding(id=fault.id, text=text, evidence=evidence, change=fault.name.change)]
    series = run.losses if column == "loss" else run.norms
    rows = fit.layout.losses if column == "loss" else fit.layout.norms
    judged = rows >= 0
    for name, values in series.items():
        written, unit = log.series[column][judged], log.unit[column][judged]
        by = factor(written, unit, values.value[rows[judged]], values.room[rows[judged]])
        if by:
            called = f"the {name}" if column == "loss" else name
            text = f"of the {column} that was logged, not of the steps: it is {by} {called}"
            change = "log the loss of the step's batch" if column == "loss" else "log ‖w‖ after the step"
            return [Finding(id=f"{column}-reported", text=text, evidence=evidence, change=change)]
    return []


def _losses_at(run: Free, changed: Design) -> dict[str, ReportedSeries]:
    """The losses of another design at the weights of correct code."""
    if changed.steps != run.design.steps:
        return {}
    drift = run.losses["objective"].room
    found = {}
    for piece in run.engine.losses(changed):
        times = np.maximum(np.abs(piece.value) / np.maximum(np.abs(run.losses["objective"].value), 1e-300), 1)
        allowance = np.asarray(piece.allowance, float) + drift * np.asarray(times, float)
        found[str(piece.quantity)] = ReportedSeries(np.asarray(piece.value, float), allowance)
    return found


# -- one log beside one free run -------------------------------------------------------------------------------------


def fit_of(log: Log, run: Free) -> LogFit:
    """The log as it lies nearest: the first layout and the first readings within the room, else the nearest.

    Only what stands before the first number that is not finite is read.
    """
    best: LogFit | None = None
    finite = log.first(log.finite_rows)
    for layout in layouts(log.rows, run.design):
        fit = LogFit(layout, readings_of(finite, layout.first(finite.rows), run))
        if fit.distance <= 1:
            return fit
        best = fit if best is None or fit.distance < best.distance else best
    assert best is not None
    return best


def readings_of(log: Log, layout: Layout, run: Free) -> dict[str, Reading]:
    """Each column of losses and norms as what it lies nearest to, in one layout of the rows."""
    columns = {}
    if "loss" in log.series:
        columns["loss"] = _loss(log, layout, run.design, dict(run.losses), run)
    if "norm" in log.series:
        columns["norm"] = _norm(log, layout, run)
    return columns


def _loss(log: Log, layout: Layout, design: Design, losses: dict[str, ReportedSeries], run: Free) -> Reading:
    """The first of what people make of a loss that is within the room."""
    u = float(run.engine.recording.profiles["loss"].compute.u)
    judged = layout.losses >= 0
    names, matrices = maps_of(design)
    seen = int(layout.losses.max()) + 1  # no map looks ahead
    chosen = matrices[:, layout.losses[judged], :seen]
    readings = []
    for what, series in losses.items():
        mapped = ReportedSeries(series.value[:seen], series.room[:seen]).mapped(chosen, u)
        pairs = map(ReportedSeries, mapped.value, mapped.room)
        each = zip(_off(log, "loss", judged, mapped), names, pairs, strict=True)
        readings += [Reading(float(off), name.format(what), pair) for off, name, pair in each]
    return _first(readings)


def _norm(log: Log, layout: Layout, run: Free) -> Reading:
    """The first form of the norm that is within the room."""
    every = np.ones(log.rows, bool)
    forms = {name: ReportedSeries(one.value[layout.norms], one.room[layout.norms]) for name, one in run.norms.items()}
    return _first([Reading(float(_off(log, "norm", every, one)), name, one) for name, one in forms.items()])


def _first(readings: Sequence[Reading]) -> Reading:
    """The first that fits, else the nearest."""
    return next((one for one in readings if one.distance <= 1), min(readings, key=lambda one: one.distance))


def _off(log: Log, column: str, rows: Array, series: ReportedSeries) -> Array:
    """The largest difference ÷ room of the rows, half a unit of the last written digit included."""
    written, unit = log.series[column][rows], log.unit[column][rows]
    with np.errstate(all="ignore"):
        off = np.abs(written - series.value) / (series.room + unit)
    off = np.where(written == series.value, 0, np.where(np.isnan(off), np.inf, off))
    largest: Array = np.max(off, axis=-1, initial=0.0)
    return largest


@lru_cache
def profile_in(dtype: str) -> Profile:
    """The arithmetic of code of unknown form in a dtype."""
    accumulate = FORMATS[ACCUMULATE.get(dtype, dtype)]
    return Profile(compute=FORMATS[dtype], accumulate=accumulate, form=UNKNOWN_FORM)
