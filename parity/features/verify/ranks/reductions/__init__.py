"""torch's reductions, by name, and the situations of each: what they are asked to do, and how they are switched on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from parity.features.verify.ranks.plan import Asked
from parity.features.verify.ranks.reductions.ddp import DataParallel, Joined, Rows
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
}
REDUCTIONS: Mapping[str, Mapping[str, Reduction]] = {"ddp": DDP}
SITUATIONS = tuple(dict.fromkeys(situation for reduction in REDUCTIONS.values() for situation in reduction))
