"""``DistributedDataParallel``: gradients are averaged in buckets while the backward pass runs.

https://docs.pytorch.org/docs/stable/generated/torch.nn.parallel.DistributedDataParallel.html
"""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any

from torch import Tensor
from torch.distributed.algorithms.ddp_comm_hooks import default_hooks
from torch.nn.parallel import DistributedDataParallel

from parity.features.verify.ranks.record import Record
from parity.features.verify.ranks.training import Training

HOOKS = {
    "allreduce": default_hooks.allreduce_hook,
    "fp16": default_hooks.fp16_compress_hook,
    "bf16": default_hooks.bf16_compress_hook,
}


class DataParallel(Training):
    """DDP with options of its own; ``hook``: the name of one of torch's communication hooks; ``sync_each``: every
    micro-batch is reduced.
    """

    broadcasts = True

    def wrap(self) -> Any:
        options = {name: value for name, value in self.options.items() if name not in ("hook", "sync_each")}
        wrapped = DistributedDataParallel(self.model, **options)
        if hook := self.options.get("hook"):
            wrapped.register_comm_hook(None, HOOKS[hook])
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
        return DistributedDataParallel(self.model)

    def run(self) -> Record:
        with self.wrapped.join(**self.options):
            steps = [self.recorded(number) for number in self.numbers()]
        return Record(steps=steps, end=self.snapshot())
