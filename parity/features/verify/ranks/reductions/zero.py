"""``ZeroRedundancyOptimizer``: DDP reduces the gradients; each rank steps its own parameters and sends them.

https://docs.pytorch.org/docs/stable/distributed.optim.html
"""

from __future__ import annotations

from typing import Any

from parity.features.verify.options import OPTIONS
from parity.features.verify.ranks.reductions.ddp import DataParallel


class ZeroRedundancy(DataParallel):
    """``views``: parameters are views of the buckets that are sent."""

    def wrap(self) -> Any:
        from torch.nn.parallel import DistributedDataParallel

        return DistributedDataParallel(self.model)

    def make_optimizer(self) -> Any:
        from torch.distributed.optim import ZeroRedundancyOptimizer

        options = OPTIONS[self.case.optimizer][self.case.options]
        views = self.options.get("views", False)
        return ZeroRedundancyOptimizer(
            self.model.parameters(), optimizer_class=self.kind, parameters_as_bucket_view=views, **options
        )

    @property
    def inner(self) -> Any:
        return self.optimizer.optim
