"""The checks in this process, where the code to be checked already runs: for tests."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch

from parity.errors import InputError, spelled
from parity.experiment import Experiment
from parity.explain.finding import Diagnosis
from parity.explain.observed import Observed
from parity.features.check.examine import examine
from parity.features.check.held import parse_against
from parity.features.check.optimizer import conclude
from parity.features.check.recorded import record_function
from parity.features.check.task_data import task_data
from parity.features.check.training import as_trajectory
from parity.step.design import check_linear
from refimpl.trajectory import Trajectory

DTYPES = ("float64", "float32", "bfloat16", "float16")


def trajectory_here(train: Callable[..., Any], experiment: Experiment, dtype: str) -> tuple[Trajectory, Observed]:
    """What ``train(task)`` reports, and what is seen of it; hooks are there while it runs.

    Raises what it raises, and :class:`InputError` where it reports nothing and no optimizer is seen at work.
    """
    (dtype,) = _known(dtype)
    check_linear(experiment)
    return as_trajectory(experiment, record_function(train, task_data(experiment), dtype))


def check_class_here(cls: type, hyper: Mapping[str, Any], against: str, dtypes: Sequence[str]) -> Diagnosis:
    """Hold an optimizer class to a reference. Raises what the class raises, and :class:`InputError` for bad input."""
    parse_against(against)
    dtypes = _known(*dtypes)
    with torch.random.fork_rng(devices=[]):  # the check seeds torch's generator, which the caller's tests may use
        examined = examine(cls, hyper, dtypes)
    return conclude(examined, hyper, against)


def _known(*dtypes: str) -> list[str]:
    """The dtypes as they are spelled here. Raises :class:`InputError` for one that is unknown."""
    known = [spelled(dtype, DTYPES) if isinstance(dtype, str) else dtype for dtype in dtypes]
    for dtype in known:
        if dtype not in DTYPES:
            raise InputError(f"dtype={dtype!r}: must be one of {', '.join(map(repr, DTYPES))}")
    return known
