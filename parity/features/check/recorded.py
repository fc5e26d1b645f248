"""A training function at work, with all that it reports and all that is seen of it. Imported in its process only."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable, Generator, Mapping
from typing import Any

from torch import Tensor, nn

from parity.errors import InputError
from parity.explain.observed import Observed
from parity.features.check.align import (
    going_on,
    moments_of,
    observed_in,
    reports_of,
    roles_by_report,
    roles_by_start,
    steps_of,
)
from parity.features.check.events import History, RankRun, RecordedRun, Records, Step
from parity.features.check.groups import keep_groups
from parity.features.check.hooks import EventLog, recording
from parity.features.check.kind import kind_of
from parity.features.check.launch import started_by_torchrun
from parity.features.check.put_off import put_off_dynamo
from parity.features.check.target import Target, load
from parity.features.check.task import Task, exact
from parity.features.check.task_data import TaskData
from refimpl.types import Array

Start = Mapping[str, Array]


def record_target(target: Target, data: TaskData, dtype: str, device: str) -> RecordedRun | None:
    """Record a user's function in the process of its code, from the import of its file on; None of an optimizer."""
    put_off_dynamo()
    sys.argv[:] = [target.place]  # for code that reads its command line
    task = Task(data, dtype, device, *started_by_torchrun())
    with recording(task.features) as log:
        train = load(target)
        if kind_of(str(target), train) == "optimizer":
            return None
        return _record(train, task, log)


def record_function(train: Callable[..., Any], data: TaskData, dtype: str) -> RecordedRun:
    """A function run here and now. Raises what it raises."""
    task = Task(data, dtype, "cpu", *started_by_torchrun())
    with recording(task.features) as log:
        return _record(train, task, log)


def record_rank(target: Target, data: TaskData, dtype: str, device: str, count: int, rank: int) -> RankRun | None:
    """Record one of several ranks in its process; None of an optimizer."""
    put_off_dynamo()
    sys.argv[:] = [target.place]
    task = Task(data, dtype, device, rank, count)
    keep_groups()
    with recording(task.features, states=True) as log:
        train = load(target)
        if kind_of(str(target), train) == "optimizer":
            return None
        return rank_run(train, task, log)


def rank_run(train: Callable[..., Any], task: Task, log: EventLog) -> RankRun:
    """What one rank does. Raises what it raises, and :class:`InputError` where nothing is seen of rank 0."""
    returned = _run(train, task, log)
    history = log.history()
    run = _recorded(task, history, returned, given=takes_task(train)) if task.rank == 0 else None
    return RankRun(moments_of(history, start_of(task), [params for params, _ in task.records]), run)


def takes_task(train: Callable[..., Any]) -> bool:
    """Whether a function is to be given the task: it demands an argument, or calls its first one ``task``."""
    try:
        parameters = list(inspect.signature(train).parameters.values())
    except (TypeError, ValueError):
        return True
    required = [one for one in parameters if one.default is one.empty and one.kind is not one.VAR_KEYWORD]
    return bool(required) or any(one.name == "task" for one in parameters[:1])


def _record(train: Callable[..., Any], task: Task, log: EventLog) -> RecordedRun:
    """Run it and record what it does. Raises :class:`InputError` where there is nothing to be recorded."""
    returned = _run(train, task, log)
    return _recorded(task, log.history(), returned, given=takes_task(train))


def _run(train: Callable[..., Any], task: Task, log: EventLog) -> Any:
    """What it returns; where it reports nothing, that is read as its reports."""
    task.noted = log.mark
    returned = train(task) if takes_task(train) else train()
    late = isinstance(returned, list)
    if not task.records and (isinstance(returned, Generator) or (late and all(map(_is_moment, returned)))):
        for moment in returned:
            task.record(*moment) if isinstance(moment, tuple) else task.record(moment)
    return returned


def _recorded(task: Task, history: History, returned: Any, *, given: bool) -> RecordedRun:
    """Two reports or more win over what is seen of its steps.

    Raises :class:`InputError` where there is neither.
    """
    start = start_of(task)
    if len(task.records) > 1:
        return _reported(task, history, start, late=isinstance(returned, list))
    if given and not any(isinstance(event, Step) for event in history.events):
        raise InputError(_said(len(task.records), returned))
    return _unreported(task, history, start, given=given)


def start_of(task: Task) -> Start:
    """The initial weights, with the axis of runs."""
    return {name: exact(values)[None] for name, values in task.initial.items()}


def _is_moment(what: Any) -> bool:
    """Something to be reported; a list may hold losses as well."""
    return isinstance(what, tuple | Mapping | nn.Module | Tensor)


def _said(reports: int, returned: Any) -> str:
    """Why there is nothing."""
    if returned is None or reports:
        return f"{reports} reports; call task.record(net, loss=loss) after every step, or yield the weights"
    return (
        f"it returned a {type(returned).__name__} and reported nothing; call task.record(net, loss=loss) after every "
        "step, yield the weights after every step, or return a list of them"
    )


def _reported(task: Task, history: History, start: Start, *, late: bool) -> RecordedRun:
    """From the reports; those that all came at the end belong to the steps in their order, where they are as many."""
    roles = roles_by_report(history, [params for params, _ in task.records], start)
    rows = list(history.rows())
    if late:
        steps = steps_of(history, roles)
        rows = [*([[]] if len(steps) == len(task.records) - 1 else []), *steps]
    unknown = len(rows) != len(task.records)
    observed = Observed(trouble=history.trouble) if unknown else observed_in(history, rows, roles, start)
    return RecordedRun(task.records, observed, dtype_of(task), averages=task.averages)


def _unreported(task: Task, history: History, start: Start, *, given: bool) -> RecordedRun:
    """From the steps of the optimizers alone; data and dtype are the code's own where it has no task."""
    roles = going_on(history, roles_by_start(history, start))
    steps = steps_of(history, roles)
    records: Records = [(dict(params), None) for params in reports_of(history, steps, roles, start)]
    own = next(history.tensors[n].dtype for n, name in roles.items() if name == "weight")
    observed = observed_in(history, [[], *steps], roles, start)
    dtype = dtype_of(task) if given else own
    return RecordedRun(records, observed, dtype, started=True, averages=task.averages)


def dtype_of(task: Task) -> str:
    return str(task.dtype).removeprefix("torch.")
