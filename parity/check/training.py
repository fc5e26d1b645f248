"""A training function, run on an experiment and diagnosed from what it reported."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from parity.check.events import Recorded, Records
from parity.check.target import Target
from parity.check.worker import run
from parity.errors import InputError
from parity.experiment import Experiment
from parity.explain.diagnosis import diagnose
from parity.explain.finding import Diagnosis
from parity.explain.observed import Observed
from parity.step.design import check_linear
from refimpl.arithmetic.formats import FORMATS
from refimpl.trajectory import Trajectory
from refimpl.types import Array

UNKNOWN_FORM = 2.0
"""Multiplies the unit roundoff: w·(1 − ηλ) − ηg is as right as w − η(g + λw), and rounds otherwise."""
ACCUMULATE = {"bfloat16": "float32", "float16": "float32"}
"""What matrix products of narrow formats are added up in."""


def check_training(
    target: Target, experiment: Experiment, *, dtype: str = "float64", device: str = "cpu", limit: float = 60.0
) -> tuple[Diagnosis, Trajectory, Observed]:
    """Run ``train(task)``, or ``main()``, in a process of its own and say what it computes.

    Raises :class:`parity.check.worker.TheirError` where it raises, and :class:`InputError` where it reports nothing and
    no optimizer is seen at work, or the experiment's model is not linear.
    """
    check_linear(experiment)
    recorded = run("parity.check.recorded:record_target", target, experiment, dtype, device, limit=limit)
    trajectory, observed = as_trajectory(experiment, recorded)
    return diagnose(experiment, trajectory, observed=observed), trajectory, observed


def as_trajectory(experiment: Experiment, recorded: Recorded) -> tuple[Trajectory, Observed]:
    """The trajectory of what was recorded, and what was observed in each of its steps."""
    if recorded.dtype not in FORMATS:
        raise InputError(f"its weight is of {recorded.dtype}; allowed: {', '.join(FORMATS)}")
    trajectory = trajectory_of(experiment, recorded.records, recorded.dtype, started=recorded.started)
    return trajectory, recorded.observed.since(0 if trajectory.meta["assumed start"] else 1)


def trajectory_of(experiment: Experiment, records: Records, dtype: str, *, started: bool = False) -> Trajectory:
    """The trajectory of what was reported; without a report before the first step it starts as the experiment does.

    ``started``: there surely is one.
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
    assumed = not started and not _has_start(records, asked, steps)
    records = [(asked, None), *records] if assumed else records
    names = [name for name in asked if all(name in params for params, _ in records)]
    losses = [np.nan if loss is None else loss for _, loss in records[1:]]
    inputs = {name: np.asarray(format.round(values), float) for name, values in material.inputs.items()}
    nothing = np.full((1, 1), np.nan)
    profile = {"compute": dtype, "accumulate": ACCUMULATE.get(dtype, dtype)}
    profiles = {"loss": profile, "update": profile}
    return Trajectory(
        params={name: np.stack([params[name] for params, _ in records]) for name in names},
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
            "profile": profiles,
            "form": UNKNOWN_FORM,
            "assumed start": assumed,
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
