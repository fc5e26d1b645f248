"""A training function on several ranks: what rank 0 recorded is held to the experiment, and all ranks to each other."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from parity.errors import Option, OptionError
from parity.experiment import Experiment
from parity.explain.diagnosis import diagnose
from parity.explain.finding import Diagnosis, Finding, finding
from parity.features.check.events import Moments, RankRun
from parity.features.check.launch import launch
from parity.features.check.target import Target
from parity.features.check.task_data import task_data
from parity.features.check.training import as_trajectory
from parity.step.design import check_linear
from refimpl.types import Array


def check_ranks(
    target: Target, experiment: Experiment, count: int, *, dtype: str = "float64", device: str = "cpu", limit: float
) -> Diagnosis:
    """Run ``train(task)``, or ``main()``, in ``count`` processes and say what they compute.

    Raises :class:`parity.features.check.worker.TheirError` where it raises, and :class:`InputError` where it is no
    training function, a rank fails or hangs, or the experiment asks for other ranks.
    """
    check_linear(experiment)
    if experiment.ranks is not None and experiment.ranks.count != count:
        asked = experiment.ranks.count
        raise OptionError(
            Option("ranks"), f" {count}: {experiment.name} asks for {asked} ranks; allowed: {asked}, or another [ranks]"
        )
    recorder = "parity.features.check.recorded:record_rank"
    runs = launch(recorder, target, task_data(experiment, count), dtype, device, count, count=count, limit=limit)
    if any(run is None for run in runs):
        raise OptionError(Option("ranks"), f": is for training functions; {target} is an optimizer")
    return diagnose_ranks(experiment, runs)


def diagnose_ranks(experiment: Experiment, runs: Sequence[RankRun]) -> Diagnosis:
    """The diagnosis of rank 0, and where the ranks part."""
    first = runs[0].run
    assert first is not None
    trajectory, observed = as_trajectory(experiment, first)
    moments = [run.moments for run in runs]
    silent = [str(rank) for rank, its in enumerate(moments) if not its]
    parted = None if silent else part(moments)
    equal = None if silent else parted is None
    diagnosis = diagnose(experiment, trajectory, observed=replace(observed, ranks_equal=equal))
    if parted is not None:
        findings = _beside(parted, diagnosis)
        text = "; ".join(one.text for one in findings)
        return replace(diagnosis, verdict="disagree", text=text, findings=findings)
    note = f"the ranks are not compared: no step of rank {' and '.join(silent)} was seen"
    if not silent:
        steps = len(moments[0]) - 1
        note = f"{len(runs)} ranks hold the same weights and state after each of {steps} steps, bit for bit"
        if names := divided(moments):
            note += f"; not compared, because each rank has its own part: {', '.join(names)}"
    return replace(diagnosis, notes=(*diagnosis.notes, note))


def _beside(parted: Finding, diagnosis: Diagnosis) -> tuple[Finding, ...]:
    """A cause that has a name comes first; a mere description may be what ranks that part have made of the gradient."""
    named = bool(diagnosis.explanations) and diagnosis.explanations[0].named
    return (*diagnosis.findings, parted) if named else (parted, *diagnosis.findings)


def part(ranks: Sequence[Moments]) -> Finding | None:
    """The first step, tensor and element at which ranks are not bit-equal, if any.

    A tensor that not all ranks have, such as a state that is divided over them, is compared where it is.
    """
    for k, moments in enumerate(zip(*ranks, strict=False)):
        for name in dict.fromkeys(name for moment in moments for name in moment):
            values = {rank: moment[name] for rank, moment in enumerate(moments) if name in moment}
            if (place := _first_difference(list(values.values()))) is not None:
                when = f"in step {k - 1}" if k else "before the first step"
                tensor = f"{name}{list(place)}" if place else name
                evidence = ", ".join(f"{value[place]:.17g} on rank {rank}" for rank, value in values.items())
                return finding("ranks-part", f"{tensor} {when}: {evidence}", tensor=tensor, when=when)
    steps = [len(moments) - 1 for moments in ranks]
    if len(set(steps)) > 1:
        said = ", ".join(f"rank {rank} {count}" for rank, count in enumerate(steps))
        return finding("ranks-other-steps", f"up to there all ranks are bit-equal; steps: {said}", steps=said)
    return None


def divided(ranks: Sequence[Moments]) -> list[str]:
    """The tensors that are not on all ranks, or not of one shape."""
    names = dict.fromkeys(name for moments in zip(*ranks, strict=False) for moment in moments for name in moment)
    return [
        name
        for name in names
        if any(
            len({moment[name].shape if name in moment else None for moment in moments}) > 1
            for moments in zip(*ranks, strict=False)
        )
    ]


def _first_difference(arrays: Sequence[Array]) -> tuple[int, ...] | None:
    """The first element that is not the same in all arrays, bit for bit; None where there is none."""
    bits = [np.array(array, float, order="C").view(np.int64) for array in arrays]
    if len({each.shape for each in bits}) > 1:
        return None  # divided over the ranks
    differs = np.any([each != bits[0] for each in bits], axis=0)
    if not np.any(differs):
        return None
    return tuple(int(i) for i in np.argwhere(differs)[0])
