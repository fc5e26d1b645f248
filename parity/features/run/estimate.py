"""How long the runs of an experiment take at least, and the memory they need, said before they start."""

from __future__ import annotations

from time import perf_counter

from parity.experiment import Experiment, Material
from parity.formulation import realise
from refimpl.memory import gibibytes
from refimpl.training import train

LONG = 60.0
"""Seconds from which on it is said."""
SAMPLE = 20
"""The first of so many steps are timed, 50 at most."""
JUDGED = 8
"""A run in torch with its judgement takes at least so many times the reference's own time: 9 to 40 were measured."""
COPIES = 7
"""The memory of a run holds the data so many times, in one arithmetic or another: measured on 500,000 rows at once."""


def estimate(experiment: Experiment, material: Material, runs: int) -> str:
    """``at least 12 min and about 1.5 GiB: …`` for an experiment and so many settings; empty where it is short."""
    steps = sum(len(batches) for batches in material.order)
    some = material.order[0][: min(50, steps // SAMPLE)]
    if not some:
        return ""
    form, inputs = realise(experiment, "loss"), material.inputs
    started = perf_counter()
    train(
        form.in_gradient,
        form.groups,
        material.params,
        inputs["X"],
        inputs["y"],
        (some,),
        schedule=form.schedule,
        masks=material.masks[: len(some)],
        windows=material.windows[: len(some)],
        record="losses",
    )
    seconds = (perf_counter() - started) / len(some) * steps * (1 + JUDGED * runs)
    if seconds < LONG:
        return ""
    size = COPIES * sum(array.nbytes for array in inputs.values()) + 2 * experiment.record_size(material)
    work = f"{runs} run{'s' if runs > 1 else ''} of {steps:,} steps, each judged"
    return f"{experiment.name}: at least {_duration(seconds)} and about {gibibytes(size)} of memory: {work}"


def _duration(seconds: float) -> str:
    return f"{seconds / 3600:.1f} h" if seconds >= 3600 else f"{seconds / 60:.0f} min"
