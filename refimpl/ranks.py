"""Data-parallel ranks: each batch is divided over R ranks, whose gradients are reduced to one, on which all step.

With the rows B_r of rank r::

    g = (1/R) Σᵣ ∂J(B_r)          reduce = "mean", what DistributedDataParallel does
    g = Σᵣ ∂J(B_r)                reduce = "sum"

J has the mean over the rows of one rank, and the penalties that are in the gradient, so each rank adds them once more.
The mean of the ranks' means is the mean over all rows only where all ranks have as many rows. Where gradients are
accumulated, each micro-batch is divided, and ∂J(B_r) is what rank r has accumulated at the end of its window; the loss
of a step is reduced as the gradients are.

``shard``: row i of a batch goes to rank i mod R (``"interleaved"``, as ``DistributedSampler`` deals rows out), or each
rank has one contiguous block (``"blocks"``, those of ``torch.tensor_split``). In both the first n mod R ranks have one
row more than the others. ``DistributedSampler`` makes all ranks equal by repeating rows, or by leaving some out; here
every row counts once.

A rank without a row has no meaning and is refused. Under DistributedDataParallel it either makes no backward pass, and
the others wait for it for ever, or makes one of an empty batch, whose mean is nan.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from refimpl.accumulation import Accumulation, Window
from refimpl.batches import Order
from refimpl.errors import ParameterError
from refimpl.ranges import check_fields, check_integers
from refimpl.types import Array


@dataclass(frozen=True, kw_only=True)
class Ranks:
    """``count`` R ranks; how rows are divided over them, and how their gradients are reduced."""

    count: int
    shard: Literal["interleaved", "blocks"] = "interleaved"
    reduce: Literal["mean", "sum"] = "mean"

    def __post_init__(self) -> None:
        check_fields(self)
        check_integers(self, count=1)

    def shards(self, size: int) -> list[Array]:
        """The places of each rank's rows in a batch of so many rows.

        Raises :class:`ParameterError` where a rank has none.
        """
        if size < self.count:
            raise ParameterError(
                "count",
                given=f"{self.count} with a batch of {size} {'row' if size == 1 else 'rows'}: a rank without a row",
                allowed="a row of every batch for each rank",
                remedy="give fewer ranks, other batches, or batches.drop_last = true",
            )
        places = np.arange(size)
        if self.shard == "blocks":
            return np.array_split(places, self.count)
        return [places[rank :: self.count] for rank in range(self.count)]

    def divide(self, order: Order, windows: Sequence[Window] = ()) -> tuple[Order, tuple[Window, ...]]:
        """The same steps, with the rows of each rank by rank, and how they are divided.

        ``windows``: the micro-batches of each step, where gradients are accumulated.
        """
        steps: list[list[Array]] = []
        divided: list[Window] = []
        for batches in order:
            steps.append([])
            for rows in batches:
                window = windows[len(divided)] if windows else Window((len(rows),), 1)
                micro = [rows[some] for some in window.slices]
                shards = [self.shards(len(some)) for some in micro]
                parts = [some[own[rank]] for rank in range(self.count) for some, own in zip(micro, shards, strict=True)]
                steps[-1].append(np.concatenate(parts))
                world = self.count if self.reduce == "mean" else 1
                divided.append(Window(tuple(map(len, parts)), window.divisor, ranks=self.count, world=world))
        return tuple(map(tuple, steps)), tuple(divided)


def steps_of(
    batches: Order, accumulation: Accumulation | None, ranks: Ranks | None
) -> tuple[Order, tuple[Window, ...]]:
    """The rows of each step and how they are divided, from the batches of a loader; a plain loop has no windows."""
    order, windows = (batches, ()) if accumulation is None else accumulation.windows(batches)
    return (order, windows) if ranks is None else ranks.divide(order, windows)
