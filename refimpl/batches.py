"""The order of minibatches as data: index arrays, made once and handed to every framework."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from refimpl.errors import ParameterError
from refimpl.ranges import check_fields

Order = tuple[tuple[npt.NDArray[np.intp], ...], ...]
"""The row numbers of every batch of every epoch."""


@dataclass(frozen=True, kw_only=True)
class Batches:
    """How rows become batches.

    ``size``: rows per batch, 0 for all rows at once. ``order``: ``"shuffled"`` draws a new permutation each epoch,
    ``"fixed"`` takes the rows as they lie. ``drop_last``: leave out a last batch that is smaller than ``size``.
    """

    size: int = 0
    order: Literal["shuffled", "fixed"] = "shuffled"
    drop_last: bool = False

    def __post_init__(self) -> None:
        check_fields(self)
        if not isinstance(self.size, int) or self.size < 0:
            raise ParameterError("size", given=self.size, allowed="an integer ≥ 0", remedy="0 means the full batch")

    def draw(self, rows: int, epochs: int, rng: np.random.Generator) -> Order:
        """The batches of every epoch over ``rows`` rows; ``rng`` is used for shuffling only."""
        size = self.size or rows
        if size > rows:
            raise ParameterError(
                "size", given=size, allowed=f"at most the {rows} training rows", remedy="use 0 for the full batch"
            )
        ends = rows - rows % size if self.drop_last else rows
        epochs_of_batches = []
        for _ in range(epochs):
            order = rng.permutation(rows) if self.order == "shuffled" else np.arange(rows)
            epochs_of_batches.append(tuple(order[start : start + size] for start in range(0, ends, size)))
        return tuple(epochs_of_batches)
