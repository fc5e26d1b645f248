"""``fully_shard`` (FSDP2): each rank keeps a part of every parameter, and gets the mean of that part's gradient.

https://docs.pytorch.org/docs/stable/distributed.fsdp.fully_shard.html
"""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from contextlib import AbstractContextManager
from functools import cache
from typing import Any

import torch

from parity.features.verify.ranks.training import Training

DTYPES = ("param_dtype", "reduce_dtype")
"""Options that name a dtype."""


@cache
def mesh_of(shape: Sequence[int], names: Sequence[str]) -> Any:
    """A mesh of the ranks, made once: it has process groups of its own."""
    from torch.distributed.device_mesh import init_device_mesh

    return init_device_mesh("cpu", tuple(shape), mesh_dim_names=tuple(names))


class FullyShard(Training):
    """``param_dtype`` and ``reduce_dtype`` of the mixed precision; ``ignored``: parameters that are left as they are;
    ``reshard``: whether parameters are divided again after the forward pass; ``divide``: a divisor of its own.
    """

    def mesh(self) -> Any:
        """All ranks in a row."""
        return mesh_of((self.case.ranks,), ("shard",))

    def wrap(self) -> Any:
        from torch.distributed.fsdp import MixedPrecisionPolicy, fully_shard

        dtypes = {name: getattr(torch, self.options[name]) for name in DTYPES if name in self.options}
        options: dict[str, Any] = {"mesh": self.mesh(), "mp_policy": MixedPrecisionPolicy(**dtypes)}
        if "ignored" in self.options:
            options["ignored_params"] = {self.model.get_parameter(name) for name in self.options["ignored"]}
        if "reshard" in self.options:
            options["reshard_after_forward"] = self.options["reshard"]
        wrapped: Any = fully_shard(self.model, **options)
        if "divide" in self.options:
            wrapped.set_force_sum_reduction_for_comms(True)
            wrapped.set_gradient_divide_factor(self.options["divide"])
        return wrapped

    def syncing(self, last: bool) -> AbstractContextManager[Any]:
        self.wrapped.set_requires_gradient_sync(last)
        return contextlib.nullcontext()


class HybridShard(FullyShard):
    """HSDP: two groups of ranks that are replicas; within each of them, parameters are divided."""

    def mesh(self) -> Any:
        return mesh_of((2, self.case.ranks // 2), ("replicate", "shard"))
