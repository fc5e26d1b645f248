"""A recorded run as series of numbers by step: what ``parity run`` saved, or a log as ``parity check`` reads it.

Every row of a series belongs to the step that made it: weights, state and norm to the step that they are of the end of,
loss and gradient to the step that they are used in. What was there before the first step has the step −1.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from parity.errors import InputError, nearest_file
from parity.features.check.logfile import Log, read, saved
from parity.features.check.target import LOGS
from refimpl.trajectory import Trajectory
from refimpl.types import Array

IN_STEP = ("loss", "objective", "gradient")
"""Quantities of the beginning of a step; all others are of its end."""


@dataclass(frozen=True)
class Series:
    """``values`` ``(rows, numbers)``, the ``step`` ``(rows,)`` of each row, and the ``shape`` of a row's tensor.

    ``unit``: half a unit of the last digit that was written, of the shape of the values. ``correct`` and ``room``: what
    a correct run has there, and how far correct runs may be from it; None where that is not known.
    """

    values: Array
    step: Array
    unit: Array
    shape: tuple[int, ...]
    correct: Array | None = None
    room: Array | None = None

    def of_rows(self, rows: Array) -> Series:
        """Some of the rows."""
        parts = {name: getattr(self, name) for name in ("values", "step", "unit", "correct", "room")}
        return replace(self, **{name: part[rows] for name, part in parts.items() if part is not None})


@dataclass(frozen=True)
class RecordedRun:
    """``source``: the log or the trajectory that ``series`` are of, by their names in the order of a step."""

    place: str
    source: Log | Trajectory
    series: Mapping[str, Series]

    @property
    def last(self) -> int:
        """The last step of the record."""
        return max(int(one.step[-1]) for one in self.series.values())

    @property
    def as_written(self) -> bool:
        """Whether some of the numbers are known to some digits only."""
        return any(bool(np.any(one.unit)) for one in self.series.values())

    @property
    def divergence(self) -> int | None:
        """The first step with a number that is not finite, if there is one."""
        rows = [(one.step, ~np.isfinite(one.values).all(axis=1)) for one in self.series.values()]
        return min((int(step[bad].min()) for step, bad in rows if bad.any()), default=None)


def read_run(place: str) -> RecordedRun:
    """Read a file. Raises :class:`InputError` for what is no recorded run."""
    if not place.endswith(LOGS) or not Path(place).is_file():
        lacks = "no such file" if place.endswith(LOGS) else f"no recorded run; allowed: {', '.join(LOGS)}"
        raise InputError(f"{place}: {lacks}{nearest_file(place)}")
    trajectory = saved(place)
    return _of_trajectory(place, trajectory) if trajectory is not None else _of_log(place, read(place, finite=False))


def until_divergence(run: RecordedRun) -> RecordedRun:
    """The run up to the first step with a number that is not finite, that step included."""
    last = run.divergence
    if last is None:
        return run
    return replace(run, series={name: one.of_rows(one.step <= last) for name, one in run.series.items()})


def aligned(run: RecordedRun, other: RecordedRun) -> RecordedRun:
    """The run with the steps of its rows counted so that they meet those of another one.

    A log does not say whether its first row is of the initial weights. It is where it has one row more than the other
    run has steps, or no loss in its first row.
    """
    if not isinstance(run.source, Log):
        return run
    theirs = other.source.rows - int(_begins(other.source)) if isinstance(other.source, Log) else other.source.steps
    begins = _begins(run.source) or run.source.rows == theirs + 1
    step = np.arange(run.source.rows) - int(begins)
    return shifted(run, step, step)


def shifted(run: RecordedRun, at_end: Array, in_step: Array) -> RecordedRun:
    """A log with the steps that its weights and norms are of, and those of its losses, where −1 is none."""
    moved = {}
    for name, one in run.series.items():
        of_loss = name in IN_STEP
        kept = in_step >= 0 if of_loss else np.ones(len(at_end), bool)
        if of_loss and np.isnan(one.values[0]).all():  # of the row before the first step
            kept[0] = False
        step = (in_step if of_loss else at_end)[kept]
        moved[name] = replace(one.of_rows(kept), step=step)
    return replace(run, series=moved)


def _begins(log: Log) -> bool:
    """Whether a log has no loss in its first row, which therefore is of the initial weights."""
    losses = log.series.get("loss")
    return losses is not None and bool(np.isnan(losses[0]))


def _of_log(place: str, log: Log) -> RecordedRun:
    columns: dict[str, Array] = {**log.series, **log.weights}
    names = [name for name in ("loss", "weight", "bias", "norm") if name in columns]
    series: dict[str, Series] = {}
    for name in names:
        values, unit = columns[name].reshape(log.rows, -1), log.unit[name].reshape(log.rows, -1)
        shape = () if values.shape[1] == 1 else (values.shape[1],)
        series[name] = Series(values, np.arange(log.rows), unit, shape)
    return RecordedRun(place, log, series)


def _of_trajectory(place: str, trajectory: Trajectory) -> RecordedRun:
    tensors: dict[str, Array] = {"loss": trajectory.loss, "objective": trajectory.objective}
    tensors |= {f"gradient {name}": values for name, values in trajectory.gradients.items()}
    tensors |= {
        f"state {name}.{key}": values for name, states in trajectory.state.items() for key, values in states.items()
    }
    tensors |= {**trajectory.params, "norm": trajectory.norm}
    steps, series = trajectory.steps, {}
    for name, values in tensors.items():
        rows = values[:, 0].reshape(len(values), -1)
        last = steps - 1  # of every tensor: they are aligned at the end
        step = np.arange(last - len(rows) + 1, last + 1)
        series[name] = Series(rows, step, np.zeros(rows.shape), values.shape[2:])
    return RecordedRun(place, trajectory, series)
