"""A log, held to an experiment: step by step where it has the weights, else beside free runs of every named fault.

A log does not say its dtype. Where the user does not, either, it is taken for a run in the first of float64, float32,
float16 and bfloat16 in which correct code explains it. It is not taken for a run in one of the last two where its
numbers are none of that format.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from parity.errors import InputError, Option, OptionError
from parity.experiment import Experiment
from parity.explain.diagnosis import diagnose
from parity.explain.finding import Diagnosis, Finding
from parity.explain.readings import factor, norms
from parity.features.check.events import Records
from parity.features.check.logfile import WEIGHTS, Log, read, saved
from parity.features.check.series import judge_series
from parity.features.check.training import misfit, trajectory_of
from parity.step.design import check_linear
from parity.step.recording import profile_of
from refimpl.arithmetic.bounded import Bounded, Profile
from refimpl.arithmetic.formats import FORMATS
from refimpl.reductions import norm
from refimpl.trajectory import Trajectory

DTYPES = ("float64", "float32", "float16", "bfloat16")
"""The dtypes that a log is taken for, in this order."""


def check_log(place: str, experiment: Experiment, *, dtype: str | None = None) -> Diagnosis:
    """Hold a log to an experiment. Raises :class:`InputError` for what is no log, or a model that is not linear."""
    check_linear(experiment)
    if (trajectory := saved(place)) is not None:
        _check_saved(place, trajectory, experiment)
        inputs = experiment.draw().inputs | dict(trajectory.inputs)  # the reference keeps none
        diagnosis = diagnose(experiment, replace(trajectory, gradients={}, state={}, inputs=inputs))
        return replace(diagnosis, dtype=str(trajectory.meta.get("dtype", "float64")))
    return judge_log(place, read(place), experiment, dtype)


def judge_log(place: str, log: Log, experiment: Experiment, dtype: str | None) -> Diagnosis:
    """Hold what was read of a log to an experiment. Raises :class:`InputError` where it is none of the experiment."""
    asked = {name: values.shape[1:] for name, values in experiment.draw().params.items()}
    for name, values in log.weights.items():
        if name in asked and values.shape[1] != (size := int(np.prod(asked[name]))):
            raise InputError(f"{place}: {name} has {values.shape[1]} numbers; that of {experiment.name} has {size}")
    missing = [name for name in WEIGHTS if name in asked and name not in log.weights]
    notes = [f"columns not used: {', '.join(log.unused)}"] if log.unused else []
    if not missing:
        diagnosis = _with_weights(log, experiment, dtype)
        return replace(diagnosis, notes=(*notes, *diagnosis.notes))
    lacks = f"the log has no {' and no '.join(missing)}: single elements, signs and what cancels in sums cannot be seen"
    if not log.series:
        raise InputError(f"{place}: has no {' and no '.join(missing)}, and neither loss nor norm; log them all")
    tried = [name for name in DTYPES if name in DTYPES[:2] or any(_holds(log, series, name) for series in log.series)]
    diagnosis = judge_series(log, experiment, [dtype] if dtype else tried)
    return replace(diagnosis, notes=(lacks, *notes, *diagnosis.notes))


def _check_saved(place: str, trajectory: Trajectory, experiment: Experiment) -> None:
    """One line with both shapes where it is a run of another experiment."""
    material = experiment.draw()
    steps = sum(len(batches) for batches in material.order)
    asked = {name: values.shape[1:] for name, values in material.params.items()}
    given = {name: values.shape[2:] for name, values in trajectory.params.items()}
    single = all(values.shape[1] == 1 for values in trajectory.params.values())
    recorded = all(len(values) == trajectory.steps + 1 for values in trajectory.params.values())
    if given != asked or trajectory.steps != steps or not single or not recorded:
        theirs, ours = ("; ".join(f"{n} {' × '.join(map(str, s))}" for n, s in some.items()) for some in (given, asked))
        kept = "" if recorded else ", of which the weights of each were not kept"
        raise OptionError(
            f"{place}: a run of {theirs}, {trajectory.steps} steps{kept}; {experiment.name} has {ours}, {steps} steps: "
            "give the experiment of that run with ",
            Option("experiment"),
        )


# -- with the weights ------------------------------------------------------------------------------------------------


def _with_weights(log: Log, experiment: Experiment, dtype: str | None) -> Diagnosis:
    """Judge a log as a training function that had reported every row, each number as far as it was written."""
    tried = [dtype] if dtype else [name for name in DTYPES if all(_holds(log, some, name) for some in log.weights)]
    tried = tried or ["float64"]
    trajectories = [_trajectory(log, experiment, name) for name in tried]
    fits = [misfit(experiment, one)[0] for one in trajectories]
    agreeing = [position for position, off in enumerate(fits) if off <= 1]
    chosen = agreeing[0] if agreeing else -1  # the narrowest that holds all weights, as few numbers are of one
    diagnosis = diagnose(experiment, trajectories[chosen])
    said = () if dtype else (f"taken for a {tried[chosen]} run: a log does not say its dtype",)
    diagnosis = replace(diagnosis, notes=(*said, *diagnosis.notes), dtype=tried[chosen])
    return _with_norm(log, diagnosis, profile_of(trajectories[chosen], "loss"))


def _holds(log: Log, name: str, format: str) -> bool:
    """Whether every number of a column, as far as it was written, may be one of a format."""
    values, unit = {**log.series, **log.weights}[name], log.unit[name]
    some = ~np.isnan(values)
    away = np.abs(np.asarray(FORMATS[format].round(values[some]), float) - values[some])
    return bool(np.all(away <= unit[some]))


def _trajectory(log: Log, experiment: Experiment, dtype: str) -> Trajectory:
    material = experiment.draw()
    losses = log.series.get("loss", np.full(log.rows, np.nan))
    written = {name: log.unit[name].reshape(log.rows, *material.params[name].shape).copy() for name in log.weights}
    written |= {"loss": log.unit["loss"]} if "loss" in log.series else {}
    records: Records = []
    for row in range(log.rows):
        params = {name: values[row].reshape(material.params[name].shape) for name, values in log.weights.items()}
        records.append((params, None if np.isnan(losses[row]) else float(losses[row])))
    start = {name: np.asarray(FORMATS[dtype].round(values), float) for name, values in material.params.items()}
    if all(np.all(np.abs(records[0][0][name] - start[name]) <= written[name][0]) for name in log.weights):
        records[0] = ({name: start[name] for name in log.weights}, records[0][1])
        for name in log.weights:
            written[name][0] = 0  # the initial weights are known
    if not any(np.any(units) for units in written.values()):
        written = {}
    return trajectory_of(experiment, records, dtype, written)


def _with_norm(log: Log, diagnosis: Diagnosis, profile: Profile) -> Diagnosis:
    """The norms beside the weights of their own rows."""
    if "norm" not in log.series:
        return diagnosis
    weights: Mapping[str, Any] = {name: Bounded(v, log.unit[name], profile) for name, v in log.weights.items()}
    lengths = {False: norm(weights["weight"]), True: norm(*weights.values())}
    written, unit = log.series["norm"], log.unit["norm"]
    factors = []
    for called, values in norms(lengths, profile).items():
        for when, rows in (("", slice(None)), (" before the step", slice(1, None))):
            moved, room = (part[: len(written[rows])] for part in (values.value, values.room))
            if np.all(np.abs(written[rows] - moved) <= room + unit[rows]):
                read = f"{called}{when}"
                note = () if read == "‖w‖" else (f"norm is read as {read}",)
                return replace(diagnosis, notes=(*diagnosis.notes, *note))
        factors.append((called, factor(written, unit, *(np.asarray(x, float) for x in (values.value, values.room)))))
    times = next((f"{by} {called}" for called, by in factors if by), "")
    text = f"the norm that was logged is {times}" if times else "the norm that was logged is not that of its weights"
    evidence = "it is held to the weights of its own row" + (f"; read as {times}, every row fits" if times else "")
    finding = Finding(id="norm-reported", text=text, evidence=evidence, change="log ‖w‖ of the weights after the step")
    text = text if diagnosis.verdict != "disagree" else f"{diagnosis.text}; {text}"
    return replace(diagnosis, verdict="disagree", text=text, findings=(*diagnosis.findings, finding))
