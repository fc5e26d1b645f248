"""A log, held to an experiment: step by step where it has the weights, else beside free runs of every named fault.

Losses and norms alone leave much open. Each design is run freely from the experiment's own start, and its log compared,
with as much room as rounding errors need to grow in and the digits that were written. What lies within it cannot be
ruled out; what does not is ruled out.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from parity.check.events import Records
from parity.check.logfile import WEIGHTS, Log, read, saved
from parity.check.training import ACCUMULATE, UNKNOWN_FORM, trajectory_of
from parity.errors import InputError
from parity.experiment import Experiment
from parity.explain.cause import cause_of
from parity.explain.diagnosis import diagnose
from parity.explain.finding import Diagnosis, Finding
from parity.explain.hypotheses import HYPOTHESES, NARROWER
from parity.step.design import Design, as_asked, check_linear
from parity.step.engine import Engine
from parity.step.expected import expect
from parity.step.free import FreeRun, random_push, simulate
from parity.step.quantity import Quantity
from parity.step.recording import Recording
from refimpl.arithmetic.bounded import Bounded, Profile
from refimpl.arithmetic.formats import FORMATS
from refimpl.reductions import norm
from refimpl.types import Array

COPIES = 16
"""Runs that are pushed at every step, to see how far correct ones may drift apart."""
ROOM = 4.0
"""Times the farthest of them: how much farther others may."""
READINGS: Mapping[str, tuple[Callable[[Array], Array], Callable[[Array], Array]]] = {
    "‖w‖": (lambda norm: norm, np.ones_like),
    "½‖w‖²": (lambda norm: norm * norm / 2, lambda norm: norm),
    "‖w‖²": (lambda norm: norm * norm, lambda norm: 2 * norm),
}
"""What people log as the norm, and its derivative."""


def check_log(place: str, experiment: Experiment, *, dtype: str = "float64") -> Diagnosis:
    """Hold a log to an experiment. Raises :class:`InputError` for what is no log, or a model that is not linear."""
    check_linear(experiment)
    if (trajectory := saved(place)) is not None:
        return diagnose(experiment, replace(trajectory, gradients={}, state={}))
    log = read(place)
    names = [name for name in WEIGHTS if name in experiment.model.ndim]
    missing = [name for name in names if name not in log.weights]
    if not missing:
        return _with_weights(log, experiment, dtype)
    note = f"the log has no {' and no '.join(missing)}: single elements, signs and what cancels in sums cannot be seen"
    found = _without_weights(log, experiment, dtype)
    return replace(found, notes=(note, *found.notes))


def _with_weights(log: Log, experiment: Experiment, dtype: str) -> Diagnosis:
    """As a training function that had reported every row."""
    losses = log.series.get("loss", np.full(log.rows, np.nan))
    steps = sum(len(batches) for batches in experiment.draw().order)
    shapes = {"weight": (1, 1, -1), "bias": (1, 1)}
    records: Records = []
    for row in range(log.rows):
        params = {name: values[row].reshape(shapes[name]) for name, values in log.weights.items()}
        loss = None if np.isnan(losses[row]) or (log.rows == steps + 1 and row == 0) else float(losses[row])
        records.append((params, loss))
    return diagnose(experiment, trajectory_of(experiment, records, dtype))


@dataclass(frozen=True)
class Reading:
    """How a design's log lies to the one that was written: the largest difference ÷ room, and how the norm was read."""

    distance: float
    norm: str


def _without_weights(log: Log, experiment: Experiment, dtype: str) -> Diagnosis:
    design = _rounded(as_asked(experiment), dtype)
    if log.rows not in (design.steps, design.steps + 1) or not log.series:
        raise InputError(
            f"the log has {log.rows} rows; {experiment.name} has {design.steps} steps: give that many, or one more"
        )
    correct = _read(log, design, dtype)
    names = ", ".join(log.series)
    read_as = f"norm is read as {correct.norm}" if "norm" in log.series and correct.norm != "‖w‖" else ""
    if correct.distance <= 1:
        same = [name for name, other in _others(design) if _read(log, other, dtype).distance <= 1]
        verdict: Any = "undecidable" if same else "agree"
        text = f"{log.rows} rows of {names} lie within the drift of correct runs"
        if same:
            text += f"; so they would with {', '.join(same[:8])}{' …' if len(same) > 8 else ''}"
        notes = (read_as,) if read_as else ()
        return Diagnosis(
            verdict=verdict, text=text, against=experiment.name, share=correct.distance, unseen=tuple(same), notes=notes
        )
    fitting = [(name, one) for name, other in _others(design) if (one := _read(log, other, dtype)).distance <= 1]
    evidence = f"correct code is off by {correct.distance:.3g} times the drift of correct runs"
    findings = []
    if fitting:
        first, *rest = (name for name, _ in fitting)
        hypothesis = {**HYPOTHESES, **NARROWER}.get(first)
        findings.append(
            Finding(
                id=first,
                text=_text(first, design),
                evidence=f"{evidence}; with this, at {fitting[0][1].distance:.2f} of it",
                change=hypothesis.change if hypothesis else "",
                probe="log the weights, too",
                alike={name: _text(name, design) for name in rest},
            )
        )
    nothing = f"{evidence}, and no single fault that is known explains it; log the weights"
    text = findings[0].text if findings else nothing
    return Diagnosis(
        verdict="disagree",
        text=text,
        against=experiment.name,
        share=correct.distance,
        findings=tuple(findings),
        notes=(read_as,) if read_as else (),
    )


def _others(design: Design) -> list[tuple[str, Design]]:
    """Every fault with a fixed number."""
    found = []
    for hypothesis in HYPOTHESES.values():
        for value in hypothesis.values if not hypothesis.free else ():
            changed = cause_of(hypothesis, value).to(design)
            if changed is not None and changed.steps == design.steps:
                found.append((hypothesis.id, changed))
    return list({name: (name, changed) for name, changed in reversed(found)}.values())[::-1]


def _text(name: str, design: Design) -> str:
    hypothesis = {**HYPOTHESES, **NARROWER}[name]
    fault = next(cause_of(hypothesis, value) for value in hypothesis.values if cause_of(hypothesis, value).to(design))
    return fault.text


def _read(log: Log, design: Design, dtype: str) -> Reading:
    """The log beside a free run, each norm as it fits best."""
    room = _room(design, dtype)
    worst, best_norm = 0.0, "‖w‖"
    if "loss" in log.series:
        rows = slice(log.rows - design.steps, None)
        readings = [_off(log, "loss", rows, *room.of(name)) for name in ("loss", "objective")]
        worst = max(worst, min(readings))
    if "norm" in log.series:
        series, allowance = room.of("norm")
        start = 0 if log.rows == design.steps + 1 else 1
        both = {}
        for name, (f, slope) in READINGS.items():
            value = f(series)
            allowed = allowance * slope(series[:, 0]) + 4 * FORMATS[dtype].u * np.abs(value[:, 0])
            shifts = (slice(None, log.rows), slice(start, None))  # logged before the step, or after it
            both[name] = min(_off(log, "norm", slice(None), value[some], allowed[some]) for some in shifts)
        best_norm = min(both, key=lambda name: both[name])
        worst = max(worst, both[best_norm])
    return Reading(worst, best_norm)


def _off(log: Log, name: str, rows: slice, series: Array, allowance: Array) -> float:
    """The largest difference ÷ room: the drift of the copies, the rounding of the value itself, and half a unit of the
    last written digit."""
    written, unit = log.series[name][rows], log.unit[name][rows]
    room = ROOM * np.abs(series[:, 1:] - series[:, :1]).max(axis=1) + allowance + unit
    with np.errstate(all="ignore"):
        off = np.abs(written - series[:, 0]) / room
    return float(np.max(np.where(np.isnan(off), np.inf, off), initial=0.0))


@dataclass(frozen=True)
class Room:
    """A free run with its pushed copies, and what each value may be off by rounding alone, at the same weights."""

    runs: FreeRun
    allowances: Mapping[str, Array]

    def of(self, quantity: str) -> tuple[Array, Array]:
        """``(K, copies)`` or ``(K + 1, copies)``, and the allowance of each row."""
        return getattr(self.runs, quantity), self.allowances[quantity]


def _room(design: Design, dtype: str) -> Room:
    """Free runs, each pushed at every step by what one correct step may be off."""
    plain = simulate(design)
    format = FORMATS[dtype]
    profile = Profile(compute=format, accumulate=FORMATS[ACCUMULATE.get(dtype, dtype)], form=UNKNOWN_FORM)
    recording = Recording(
        weights={name: values[:, 0] for name, values in plain.weights.items()},
        loss=plain.loss[:, 0],
        dtype=dtype,
        profiles={"loss": profile, "update": profile},
        formats=dict.fromkeys(plain.weights, format),
    )
    predictions = Engine(recording)
    steps: dict[str, list[Array]] = {name: [] for name in plain.weights}
    for piece in predictions.expected(design):
        steps[piece.quantity.parameter].append(np.asarray(piece.allowance[0], float))
    push = random_push({name: np.stack(some) for name, some in steps.items()})
    losses = {str(piece.quantity): np.asarray(piece.allowance, float) for piece in predictions.losses(design)}
    weights: Any = [Bounded.tensor(recording.weights[name], profile) for name in design.form.in_gradient.model.weights]
    length: Any = norm(*weights)
    of_norm = expect(Quantity("norm"), np.arange(len(length)), plain.norm[:, 0], length, format)
    return Room(simulate(design, runs=COPIES + 1, push=push), losses | {"norm": np.asarray(of_norm.allowance, float)})


def _rounded(design: Design, dtype: str) -> Design:
    """Data and initial weights in the dtype of the log."""
    format, material = FORMATS[dtype], design.material
    params = {name: np.asarray(format.round(values), float) for name, values in material.params.items()}
    X, y = (np.asarray(format.round(values), float) for values in (material.dataset.X, material.dataset.y))
    return replace(design, material=replace(material, params=params)).with_data(X=X, y=y)
