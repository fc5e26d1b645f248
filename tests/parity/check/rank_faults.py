"""Training functions for several ranks, correct ones and faults, and what records them all in one process of a rank."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

import torch
from torch import distributed
from torch.nn.parallel import DistributedDataParallel

from parity.features.check.events import RankRun
from parity.features.check.hooks import recording
from parity.features.check.recorded import rank_run
from parity.features.check.task import Task
from parity.features.check.task_data import TaskData

BY_HAND: Mapping[str, Mapping[str, Any]] = {
    "mean by hand": {"reduced": "mean"},
    "sum by hand": {"reduced": "sum"},
    "alone": {"reduced": "none"},
    "same rows by hand": {"reduced": "mean", "shard_of": 0},
    "other start": {"reduced": "mean", "moved": 0.5},
}
WITH_DDP: Mapping[str, Mapping[str, Any]] = {
    "correct": {},
    "sum": {"reduced": "hook"},
    "unequal": {},
    "same rows": {"shard_of": 0},
    "epoch": {"shuffled": False},
    "scheduler": {"schedules": 2},
    "correct scheduler": {"schedules": 1},
    "other rate": {"rate": 1.5},
}
FAULTS = {**BY_HAND, **WITH_DDP}


def train(
    task: Any,
    *,
    reduced: str = "mean by DistributedDataParallel",
    shard_of: int | None = None,
    shuffled: bool = True,
    schedules: int = 0,
    rate: float = 1.0,
    moved: float = 0.0,
) -> None:
    """A loop over the rank's own rows, with at most one fault; ``rate`` and ``moved`` are of rank 1 alone."""
    net = torch.nn.Linear(task.features, 1, dtype=task.dtype)
    net.load_state_dict(task.initial)
    net.weight.data += moved * task.rank
    by_hand = reduced in ("mean", "sum", "none")
    model: Any = net if by_hand else DistributedDataParallel(net)
    if reduced == "hook":
        model.register_comm_hook(None, added)
    optimizer = torch.optim.SGD(task.param_groups(net), momentum=0.9)
    for group in optimizer.param_groups:
        group["lr"] *= rate if task.rank else 1.0
    scheduler = torch.optim.lr_scheduler.ExponentialLR(optimizer, 0.9)
    first = list(task.loader)
    for epoch in range(task.epochs):
        for X, y in first if not shuffled or not epoch else task.loader:
            X_own, y_own = task.shard(task.rank if shard_of is None else shard_of, X, y)
            optimizer.zero_grad()
            torch.nn.functional.mse_loss(model(X_own), y_own).backward()
            for parameter in net.parameters() if reduced in ("mean", "sum") else ():
                assert parameter.grad is not None
                distributed.all_reduce(parameter.grad)
                parameter.grad /= task.world_size if reduced == "mean" else 1
            optimizer.step()
            for _ in range(schedules):
                scheduler.step()


def added(_, bucket):  # type: ignore[no-untyped-def]
    """The sum over the ranks, in the place of the mean. A hook has its annotations as classes, or none."""
    work = distributed.all_reduce(bucket.buffer(), async_op=True)
    return work.get_future().then(lambda future: future.value()[0])


def record_all(data: Mapping[str, TaskData], dtypes: tuple[str, ...], rank: int) -> dict[tuple[str, str], RankRun]:
    """Those that have data, in all dtypes, in the process of one rank."""
    distributed.init_process_group("gloo")
    runs = {}
    for what in data:
        how = FAULTS[what]
        for dtype in dtypes:
            task = Task(data[what], dtype, "cpu", rank, distributed.get_world_size())
            with recording(task.features, states=True) as log:
                runs[what, dtype] = rank_run(partial(train, **how), task, log)
    return runs
