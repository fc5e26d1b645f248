"""torch's reductions, by name, and the situations of each: what they are asked to do, and how they are switched on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from parity.features.verify.ranks.plan import Asked
from parity.features.verify.ranks.reductions.ddp import DataParallel, Joined, Rows
from parity.features.verify.ranks.reductions.dtensor import Distributed
from parity.features.verify.ranks.reductions.fsdp import FullyShard, HybridShard
from parity.features.verify.ranks.reductions.tensor_parallel import TensorParallel
from parity.features.verify.ranks.reductions.zero import ZeroRedundancy
from parity.features.verify.ranks.training import Training


@dataclass(frozen=True)
class Reduction:
    """``training``: the class that makes the steps, with its ``options``; ``asked``: what must come of it.

    ``without``: optimizers that cannot be held to their references there. ``multiple``: the number of ranks is a
    multiple of it.
    """

    training: type[Training]
    asked: Asked = field(default_factory=Asked)
    options: Mapping[str, Any] = field(default_factory=dict)
    without: tuple[str, ...] = ()
    multiple: int = 1

    def possible(self, ranks: int) -> bool:
        """Whether so many ranks can do it."""
        return ranks % self.multiple == 0


TINY = 1e-6
"""Megabytes of a bucket that holds one parameter."""
DDP: Mapping[str, Reduction] = {
    "plain": Reduction(DataParallel),
    "small-buckets": Reduction(DataParallel, options={"bucket_cap_mb": TINY}),
    "bucket-view": Reduction(DataParallel, options={"gradient_as_bucket_view": True}),
    "static-graph": Reduction(DataParallel, options={"static_graph": True}),
    "no-sync": Reduction(DataParallel, Asked(micro=2)),
    "sync-each": Reduction(DataParallel, Asked(micro=2), {"sync_each": True}),
    "frozen": Reduction(DataParallel, Asked(frozen=("v",))),
    "unused": Reduction(DataParallel, Asked(unused=("v",)), {"find_unused_parameters": True}),
    "rows": Reduction(Rows, Asked(micro=3, rows=(3, 1))),
    "allreduce-hook": Reduction(DataParallel, options={"hook": "allreduce"}),
    "fp16-hook": Reduction(DataParallel, Asked(wire="float16"), {"hook": "fp16"}),
    "bf16-hook": Reduction(DataParallel, Asked(wire="bfloat16"), {"hook": "bf16"}),
    "join": Reduction(Joined, Asked(leaves=5)),
    "join-divide-by-active": Reduction(
        Joined, Asked(leaves=5, leaves_divisor=True), {"divide_by_initial_world_size": False}
    ),
    "checkpoint": Reduction(DataParallel, Asked(reloads=1)),
}
MATRICES = ("Muon",)
"""Optimizers that multiply whole matrices: of divided ones, and of ``DTensor``, no product is recorded."""


def sharded(training: type[Training], options: Mapping[str, Any] | None = None, **asked: Any) -> Reduction:
    """A situation in which each rank has a part of each parameter."""
    return Reduction(training, Asked(sharded=True, **asked), options or {}, without=MATRICES)


LOW: Mapping[str, Any] = {"param_dtype": "bfloat16", "reduce_dtype": "float32"}
FSDP: Mapping[str, Reduction] = {
    "plain": sharded(FullyShard),
    "no-reshard": sharded(FullyShard, {"reshard": False}),
    "bf16-parameters": sharded(FullyShard, LOW, local="bfloat16", wire="float32"),
    "bf16-reduction": sharded(FullyShard, {"reduce_dtype": "bfloat16"}, wire="bfloat16"),
    "fp32-reduction": sharded(FullyShard, {"reduce_dtype": "float32"}, wire="float32"),
    "ignored": sharded(FullyShard, {"ignored": ["v"]}, alone=("v",)),
    "frozen": sharded(FullyShard, frozen=("v",)),
    "no-sync": sharded(FullyShard, micro=2),
    "divide-factor": sharded(FullyShard, {"divide": 4.0}, divisor=4),
    "checkpoint": sharded(FullyShard, reloads=1),
}
HSDP: Mapping[str, Reduction] = {
    name: Reduction(HybridShard, how.asked, how.options, how.without, multiple=2)
    for name, how in FSDP.items()
    if name in ("plain", "bf16-parameters", "bf16-reduction", "no-sync")
}
ZERO: Mapping[str, Reduction] = {
    "plain": Reduction(ZeroRedundancy),
    "bucket-view": Reduction(ZeroRedundancy, options={"views": True}),
    "no-sync": Reduction(ZeroRedundancy, Asked(micro=2)),
}
TENSOR_PARALLEL: Mapping[str, Reduction] = {
    "colwise": Reduction(TensorParallel, Asked(divisor=1), {"style": "colwise"}),
    "colwise-accumulated": Reduction(TensorParallel, Asked(divisor=1, micro=2), {"style": "colwise"}),
    "rowwise": Reduction(TensorParallel, Asked(divisor=1), {"style": "rowwise"}),
}
DTENSOR: Mapping[str, Reduction] = {
    "shard": sharded(Distributed, {"shard": True, "reduce": "avg"}),
    "replicate": Reduction(Distributed, options={"reduce": "avg"}, without=MATRICES),
    "sum": sharded(Distributed, {"shard": True, "reduce": "sum"}, divisor=1),
    "rows": Reduction(Distributed, Asked(divisor=1), without=MATRICES),
    "checkpoint": sharded(Distributed, {"shard": True, "reduce": "avg"}, reloads=1),
}
REDUCTIONS: Mapping[str, Mapping[str, Reduction]] = {
    "ddp": DDP,
    "fsdp": FSDP,
    "hsdp": HSDP,
    "zero": ZERO,
    "tensor-parallel": TENSOR_PARALLEL,
    "dtensor": DTENSOR,
}
SITUATIONS = tuple(dict.fromkeys(situation for reduction in REDUCTIONS.values() for situation in reduction))
