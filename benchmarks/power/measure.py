"""One case: run its torch program, diagnose what it recorded, and compare with what was planted.

The judge is given the experiment and what was recorded: weights, losses, and what hooks saw; never the program.
"""

from __future__ import annotations

import time
from dataclasses import replace
from functools import cache

import numpy as np

from benchmarks.power.case import Outcome, Result, Trial
from benchmarks.power.causes import cause
from benchmarks.power.checks import checks
from benchmarks.power.mutants import program
from benchmarks.power.smallest import smallest_changes
from parity.experiment import Experiment
from parity.experiment_file import load
from parity.explain.diagnosis import diagnose
from parity.explain.observed import Observed
from parity.features.check.in_process import trajectory_here
from parity.gallery import find
from parity.step.design import as_asked
from parity.step.engine import Engine
from parity.step.recording import recording_of
from refimpl.trajectory import Trajectory


def measure(case: Trial) -> Result:
    """The result, or the error that was raised."""
    start = time.perf_counter()
    try:
        result = {"correct": _correct, "smallest": _smallest}.get(case.kind, _faulty)(case)
    except Exception as error:  # a case that breaks is a result like any other
        result = Result(case=case, outcome="error", text=f"{type(error).__name__}: {error}")
    return replace(result, seconds=time.perf_counter() - start)


def _correct(case: Trial) -> Result:
    """A finding in correct code is a false alarm, and so is a check beyond its tolerance, or a link not as asked."""
    experiment = _experiment(case)
    trajectory, observed = _run(case)
    diagnosis = diagnose(experiment, trajectory, observed=observed)
    shares = checks(experiment, trajectory, diagnosis)
    quiet = diagnosis.verdict in ("agree", "undecidable") and not diagnosis.findings and max(shares.values()) <= 1
    return Result(
        case=case,
        outcome="quiet" if quiet else "alarm",
        text=diagnosis.text if not quiet else "",
        checks=shares,
        unseen=diagnosis.unseen,
        steps=trajectory.steps,
        numbers=sum(values.size for values in trajectory.params.values()),
    )


def _faulty(case: Trial) -> Result:
    experiment = _experiment(case)
    trajectory, observed = _run(case)
    diagnosis = diagnose(experiment, trajectory, observed=observed)
    shares = checks(experiment, trajectory, diagnosis)
    right_cause = cause(case.faults, diagnosis)
    outcome: Outcome
    if diagnosis.verdict == "disagree":
        outcome = "named" if right_cause.rank == 1 else "caught"
    elif _same(trajectory, _run(replace(case, faults=()))[0]):
        outcome = "equal"
    else:
        outcome = "undecidable" if max(shares.values()) <= 1 else "missed"
    return Result(
        case=case, outcome=outcome, text=diagnosis.text, checks=shares, cause=right_cause, steps=trajectory.steps
    )


@np.errstate(all="ignore")
def _smallest(case: Trial) -> Result:
    experiment = _experiment(case)
    recording, _ = recording_of(_run(case)[0])
    changes = smallest_changes(as_asked(experiment), Engine(recording))
    return Result(case=case, outcome="measured", smallest=changes, steps=recording.steps)


def _experiment(case: Trial) -> Experiment:
    experiment = _loaded(case.experiment)
    return replace(experiment, seed=experiment.seed + case.seed)


@cache
def _loaded(name: str) -> Experiment:
    return load(find(name)[0])


def _run(case: Trial) -> tuple[Trajectory, Observed]:
    """Run the program with the faults of a case: its reports, and what was observed."""
    return trajectory_here(program(*case.faults), _experiment(case), case.dtype)


def _same(one: Trajectory, other: Trajectory) -> bool:
    """Whether all recorded weights are equal, bit for bit."""
    return one.params.keys() == other.params.keys() and all(
        np.array_equal(values, other.params[name]) for name, values in one.params.items()
    )
