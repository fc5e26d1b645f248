"""The checks in this process, where the code to be checked already runs: for tests."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch

from parity.backends.base import DTYPES
from parity.errors import InputError, spelled
from parity.experiment import Experiment
from parity.explain.diagnosis import diagnose
from parity.explain.finding import Diagnosis
from parity.explain.observed import Observed
from parity.features.check.assumed import ANY
from parity.features.check.examine import examine
from parity.features.check.held import needs_products, parse_against
from parity.features.check.kind import kind_of
from parity.features.check.launch import started_by_torchrun
from parity.features.check.optimizer import conclude
from parity.features.check.recorded import record_function
from parity.features.check.run import NAMED, of_class, single
from parity.features.check.task_data import task_data
from parity.features.check.training import as_trajectory
from parity.step.design import check_linear
from refimpl.trajectory import Trajectory


def trajectory_here(train: Callable[..., Any], experiment: Experiment, dtype: str) -> tuple[Trajectory, Observed]:
    """What ``train(task)`` reports, and what is seen of it; hooks are there while it runs.

    Raises what it raises, and :class:`InputError` where it reports nothing and no optimizer is seen at work.
    """
    (dtype,) = _known(dtype)
    check_linear(experiment)
    _, count = started_by_torchrun()
    return as_trajectory(experiment, record_function(train, task_data(experiment, count), dtype))


def check_class_here(
    cls: type,
    hyper: Mapping[str, Any],
    against: str | None,
    dtypes: Sequence[str],
    state: Mapping[str, str] | None = None,
) -> Diagnosis:
    """Hold an optimizer class to a reference. Raises what the class raises, and :class:`InputError` for bad input."""
    if against not in (None, ANY):
        parse_against(str(against))
    dtypes = _known(*dtypes)
    with torch.random.fork_rng(devices=[]):  # the check seeds torch's generator, which the caller's tests may use
        examined = examine(cls, hyper, dtypes, products=needs_products(against))
    return conclude(examined, hyper, against, state)


def check_here(
    name: str,
    code: Any,
    experiment: Experiment | None,
    hyper: Mapping[str, Any],
    against: str | None,
    state: Mapping[str, str],
    dtypes: Sequence[str],
) -> Diagnosis:
    """Check a training function, an optimizer class or a function that makes an optimizer.

    Raises what it raises, and :class:`InputError` for what is none of them, or has no experiment to be held to.
    """
    if kind_of(name, code, hyper if hyper or against or state else None) == "optimizer":
        if experiment is not None:
            raise InputError(f"{name}: is an optimizer, which is held to against; an experiment is for functions")
        return check_class_here(code, hyper, against, of_class(dtypes), state)
    dtype = single("a training function", hyper, against, state, dtypes)
    if experiment is None:
        raise InputError(f"{name}: to what is it held? give an experiment: {NAMED}, or parity.Experiment(…)")
    trajectory, observed = trajectory_here(code, experiment, dtype or "float64")
    return diagnose(experiment, trajectory, observed=observed)


def _known(*dtypes: str) -> list[str]:
    """The dtypes as they are spelled here. Raises :class:`InputError` for one that is unknown."""
    known = [spelled(dtype, DTYPES) if isinstance(dtype, str) else dtype for dtype in dtypes]
    for dtype in known:
        if dtype not in DTYPES:
            raise InputError(f"dtype={dtype!r}: must be one of {', '.join(map(repr, DTYPES))}")
    return known
