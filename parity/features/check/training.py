"""A training function, run on an experiment and diagnosed from what it reported."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial

import numpy as np

from parity.errors import InputError
from parity.experiment import Experiment
from parity.explain.diagnosis import diagnose
from parity.explain.finding import Diagnosis
from parity.explain.observed import Observed
from parity.explain.readings import spacings
from parity.explain.recorded import replay
from parity.features.check.events import RecordedRun, Records
from parity.features.check.launch import started_by_torchrun
from parity.features.check.target import Target
from parity.features.check.task_data import task_data
from parity.features.check.worker import run
from parity.step.design import as_asked, check_linear
from parity.step.engine import Engine
from parity.step.recording import recording_of
from refimpl.arithmetic.formats import FORMATS
from refimpl.trajectory import Trajectory
from refimpl.types import Array

UNKNOWN_FORM = 2.0
"""Multiplies the unit roundoff: w·(1 − ηλ) − ηg is as right as w − η(g + λw), and rounds otherwise."""
ACCUMULATE = {"bfloat16": "float32", "float16": "float32"}
"""The format in which matrix products of narrow formats are added up."""


def check_training(
    target: Target, experiment: Experiment, *, dtype: str = "float64", device: str = "cpu", limit: float = 60.0
) -> tuple[Diagnosis, Trajectory, Observed] | None:
    """Run ``train(task)``, or ``main()``, in a process of its own and say what it computes; None of an optimizer.

    Raises :class:`parity.features.check.worker.TheirError` where it raises, and :class:`InputError` where it reports
    nothing and no optimizer is seen at work, or the experiment's model is not linear.
    """
    check_linear(experiment)
    data = task_data(experiment, started_by_torchrun()[1])
    recorded = run("parity.features.check.recorded:record_target", target, data, dtype, device, limit=limit)
    if recorded is None:
        return None
    trajectory, observed = as_trajectory(experiment, recorded)
    return diagnose(experiment, trajectory, observed=observed), trajectory, observed


def as_trajectory(experiment: Experiment, recorded: RecordedRun) -> tuple[Trajectory, Observed]:
    """The trajectory of what was recorded, and what was observed in each of its steps."""
    if recorded.dtype not in FORMATS:
        raise InputError(f"its weight is of {recorded.dtype}; allowed: {', '.join(FORMATS)}")
    trajectory = trajectory_of(experiment, recorded.records, recorded.dtype, started=recorded.started)
    if recorded.averages:
        trajectory = replace(trajectory, averages=_averages(experiment, recorded.averages, trajectory.steps))
    if trajectory.meta.get("notes"):  # each report was made before its step: what was seen since is of two steps
        return trajectory, Observed()
    return trajectory, recorded.observed.since(0 if trajectory.meta["assumed start"] else 1)


def _averages(experiment: Experiment, reported: Sequence[Mapping[str, Array]], steps: int) -> dict[str, Array]:
    """The averages after each step ``(K, runs, …)``; raises :class:`InputError` where they are not that."""
    if experiment.average is None:
        raise InputError(f"{experiment.name}: asks for no average, one was recorded; add [ema] decay, or [swa], to it")
    if len(reported) != steps:
        raise InputError(
            f"{len(reported)} averages and {steps} steps; call task.record_average(…) once after each step"
        )
    names = experiment.model.ndim
    for moment in reported:
        if set(moment) != set(names):
            raise InputError(
                f"task.record_average: given {', '.join(moment)}; allowed: {', '.join(names)}, all of the model's "
                "parameters after each step"
            )
    return {name: np.stack([moment[name] for moment in reported]) for name in names}


def trajectory_of(
    experiment: Experiment,
    records: Records,
    dtype: str,
    written: Mapping[str, Array] | None = None,
    *,
    started: bool = False,
) -> Trajectory:
    """The trajectory of what was reported; without a report before the first step it starts as the experiment does.

    ``written``: half units of the numbers of each record, where they are known to some digits only. ``started``: there
    surely is a report before the first step.
    """
    if len(records) < 2:
        raise InputError(
            f"{len(records)} reports; call task.record(net, loss=loss) after every step, or yield the weights"
        )
    material = experiment.draw()
    steps = sum(len(batches) for batches in material.order)
    format = FORMATS[dtype]
    asked = {name: np.asarray(format.round(values), float) for name, values in material.params.items()}
    for name, values in records[0][0].items():
        if name in asked and values.shape != asked[name].shape:
            raise InputError(f"{name} was reported with {values.size} numbers; the experiment's has {asked[name].size}")
    written = written or {}
    start = started or _has_start(records, asked, steps)
    reading = partial(_reported, experiment, records, asked, dtype, written)
    tried = [reading(slice(1, None))] if start else []
    unclear = records[0][1] is not None and len(records) <= steps  # they may be after a first step that moved nothing
    if not start or (not started and unclear):
        tried.append(reading(slice(None), assumed=True))
    if start and records[0][1] is not None:
        tried.append(reading(slice(-1), notes=(BEFORE,)))
    return tried[0] if len(tried) == 1 else min(tried, key=lambda one: misfit(experiment, one))


BEFORE = "each report was made before its step, and none after the last: that step is not seen"


def misfit(experiment: Experiment, trajectory: Trajectory) -> tuple[float, float]:
    """How far correct code is from a reading of the reports: its steps, then its losses; 1 within the tolerance."""
    recording, _ = recording_of(trajectory)
    whole = as_asked(experiment)
    if trajectory.steps > whole.steps or not recording.steps:
        return np.inf, np.inf
    design, predictions = whole.first(recording.steps), Engine(recording)
    losses = min(predictions.loss_shares(design).values(), default=1.0)
    seldom = [replay(whole, recording, marks).share for _, marks in spacings(whole) if len(marks) == recording.steps]
    return max(min([predictions.share(design), *seldom]), 1.0), max(losses, 1.0)


def _reported(
    experiment: Experiment,
    records: Records,
    asked: dict[str, Array],
    dtype: str,
    written: Mapping[str, Array],
    with_losses: slice,
    *,
    assumed: bool = False,
    notes: tuple[str, ...] = (),
) -> Trajectory:
    """One reading of the reports: which of them have the losses of the steps, and whether the start is ``assumed``."""
    material, format = experiment.draw(), FORMATS[dtype]
    moments: Records = [(asked, None), *records] if assumed else records
    names = [name for name in material.params if all(name in params for params, _ in moments)]
    losses = [np.nan if loss is None else loss for _, loss in records[with_losses]]
    known = {n: np.zeros((int(assumed), *units.shape[1:])) for n, units in written.items()}  # of an assumed start
    written = {n: u[with_losses] if n == "loss" else np.concatenate([known[n], u]) for n, u in written.items()}
    inputs = {name: np.asarray(format.round(values), float) for name, values in material.inputs.items()}
    nothing = np.full((1, 1), np.nan)
    profile = {"compute": dtype, "accumulate": ACCUMULATE.get(dtype, dtype)}
    return Trajectory(
        params={name: np.stack([params[name] for params, _ in moments]) for name in names},
        gradients={},
        state={},
        loss=np.array(losses, float)[:, None],
        objective=np.full((len(losses), 1), np.nan),
        norm=nothing,
        train_loss=nothing,
        validation_loss=None,
        inputs=inputs,
        meta={
            "backend": "training function",
            "dtype": dtype,
            "profile": {"loss": profile, "update": profile},
            "form": UNKNOWN_FORM,
            "assumed start": assumed,
            "written": written,
            "notes": notes,
        },
    )


def _has_start(records: Records, asked: Mapping[str, Array], steps: int) -> bool:
    """Whether the first report is from before the first step."""
    first, loss = records[0]
    if all(np.array_equal(first[name], values) for name, values in asked.items() if name in first):
        return True
    if any(each is not None for _, each in records[1:]):
        return loss is None
    return len(records) == steps + 1
