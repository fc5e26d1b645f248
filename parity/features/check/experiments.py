"""Which experiments a training function may be held to: those that ask for the optimizer that it was seen to use."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

import numpy as np

from parity.errors import InputError, Option, OptionError
from parity.experiment import Experiment
from parity.experiment_file import load
from parity.explain.observed import Observed
from parity.features.check.target import Target
from parity.features.check.task_data import task_data
from parity.features.check.worker import TheirError, run
from parity.gallery import find
from refimpl.schedules import Constant

TRIED = ("check-sgd", "check-momentum", "check-adam", "check-rmsprop")
"""What the function is run on to see its optimizer, one after the other: it may ask for numbers that one has not."""
OPTIONS = ("momentum", "nesterov", "dampening", "amsgrad", "centered")
"""Switches of one optimizer that experiments differ in."""


def ask_for_experiment(target: Target, dtype: str, device: str, limit: float) -> InputError | None:
    """One line: what the code uses, and the experiments that ask for it; None of an optimizer, which needs none.

    Raises what was raised last where the code runs on none of those that were tried."""
    every = [load(path) for path in find("check-*")]
    general = (f"{target}: to what is it held? give ", Option("experiment"))
    used, fitting = "", list[Experiment]()
    failed: InputError | TheirError | None = None
    for name in TRIED:
        some = next(one for one in every if one.name == name)
        try:
            recorded = run(
                "parity.features.check.recorded:record_target", target, task_data(some), dtype, device, limit=limit
            )
        except (InputError, TheirError) as error:
            if str(error).startswith(f"{target}:"):  # of the code, whatever it runs on
                raise
            failed = error
            continue
        if recorded is None:
            return None
        used, fitting = _used(recorded.observed, every)
        break
    else:
        if isinstance(failed, InputError):
            own = "a name of `parity list` or a file of your own with the data of the code"
            raise OptionError(*general, f", {own}; with {TRIED[-1]}: ", *failed.args)
        if failed is not None:
            raise failed
    if not used:
        return OptionError(
            *general,
            f", a name of `parity list`; no optimizer of torch was seen, so any of these may be meant: "
            f"{', '.join(one.name for one in every)}",
        )
    names = ", ".join(one.name for one in fitting) or "none of those that come with parity, write your own"
    return OptionError(*general, f"; it uses {used}, for which there are {names}")


def _used(observed: Observed, every: list[Experiment]) -> tuple[str, list[Experiment]]:
    """The optimizer of the weight in words, and the experiments with the same kind and switches."""
    kind = observed.optimizer.get("weight", "")
    finite = {key: values[np.isfinite(values)] for key, values in observed.numbers.get("weight", {}).items()}
    numbers = {key: float(values[0]) for key, values in finite.items() if len(values)}
    switched = [name for name in OPTIONS if numbers.get(name, 0)]
    moved = len(set(finite.get("lr", np.zeros(1)).tolist())) > 1
    fitting = [one for one in every if _fits(one, kind, switched, moved)]
    said = [kind, *(f"{name} {numbers[name]:g}" if name != "nesterov" else name for name in switched)]
    return " with ".join([said[0], " and ".join(said[1:])]) if len(said) > 1 else said[0], fitting


def _fits(experiment: Experiment, kind: str, switched: list[str], moved: bool) -> bool:
    optimizer: Any = experiment.optimizer
    own = [field.name for field in fields(optimizer) if field.name in OPTIONS and getattr(optimizer, field.name)]
    scheduled = not isinstance(experiment.schedule, Constant)
    return type(optimizer).__name__.lower() == kind.lower() and sorted(own) == sorted(switched) and scheduled == moved
