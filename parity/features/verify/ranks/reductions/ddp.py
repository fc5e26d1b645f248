"""``DistributedDataParallel``: gradients are averaged in buckets while the backward pass runs.

https://docs.pytorch.org/docs/stable/generated/torch.nn.parallel.DistributedDataParallel.html
"""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any

from torch import Tensor

from parity.features.verify.ranks.record import Record
from parity.features.verify.ranks.training import Training

HOOKS = {"allreduce": "allreduce_hook", "fp16": "fp16_compress_hook", "bf16": "bf16_compress_hook"}
"""torch's names of the communication hooks."""


class DataParallel(Training):
    """DDP with options of its own; ``hook``: the name of one of torch's communication hooks; ``sync_each``: every
    micro-batch is reduced.
    """

    broadcasts = True

    def wrap(self) -> Any:
        from torch.nn.parallel import DistributedDataParallel

        options = {name: value for name, value in self.options.items() if name not in ("hook", "sync_each")}
        wrapped = DistributedDataParallel(self.model, **options)
        if hook := self.options.get("hook"):
            from torch.distributed.algorithms.ddp_comm_hooks import default_hooks

            wrapped.register_comm_hook(None, getattr(default_hooks, HOOKS[hook]))
        return wrapped

    def syncing(self, last: bool) -> AbstractContextManager[Any]:
        skips = not last and not self.options.get("sync_each")
        return self.wrapped.no_sync() if skips else contextlib.nullcontext()


class Rows(DataParallel):
    """Ranks with different numbers of rows: each rank's sum of losses is multiplied by R and divided by all rows."""

    def accumulate(self, own: Sequence[Mapping[str, Tensor]]) -> None:
        rows = self.plan.rows
        self.optimizer.zero_grad()
        loss = self.wrapped(*own[: rows[self.rank]])
        (loss * self.scale(rows)).backward()

    def scale(self, rows: Sequence[int]) -> float:
        """R ÷ all rows: DDP's mean over the ranks makes 1 ÷ all rows of it."""
        return self.plan.ranks / sum(rows)


class Joined(DataParallel):
    """The last rank has fewer batches, and joins in the reductions of the others."""

    def wrap(self) -> Any:
        from torch.nn.parallel import DistributedDataParallel

        return DistributedDataParallel(self.model)

    def run(self) -> Record:
        with self.wrapped.join(**self.options):
            steps = [self.recorded(number) for number in self.numbers()]
        return Record(steps=steps, end=self.snapshot())
