"""The order of an experiment's rows as samplers of ``torch.utils.data``, for trainers that make their own loader.

Every ``iter`` is the next epoch, and begins with the first again after the last, as that of ``task.loader`` does. A
look at the first batch before the training, as Keras takes to learn its shape, is no epoch.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from torch.utils.data import Sampler

Epochs = Sequence[Sequence[Sequence[int]]]
"""The row numbers of each batch of each epoch."""


class EpochBatches(Sampler[list[int]]):
    """The batches of the next epoch, as row numbers. ``batch_size``, ``drop_last``: what trainers ask a sampler for."""

    drop_last = False  # what an experiment leaves out is not in its order

    def __init__(self, epochs: Epochs) -> None:
        self._epochs, self._next, self._looked = epochs, 0, False
        self.batch_size = len(epochs[0][0])

    def __len__(self) -> int:
        return len(self._epochs[0])

    def __iter__(self) -> Iterator[list[int]]:
        batches, following = self._epochs[self._next % len(self._epochs)], self._next + 1
        if self._looked:
            self._next = following
        self._looked = True
        for rows in batches:
            yield list(rows)
            self._next = max(self._next, following)


class EpochRows(Sampler[int]):
    """The rows of the next epoch one by one, which a loader with the experiment's batch size cuts into its batches."""

    def __init__(self, epochs: Epochs) -> None:
        self._batches, self._rows = EpochBatches(epochs), sum(map(len, epochs[0]))

    def __len__(self) -> int:
        return self._rows

    def __iter__(self) -> Iterator[int]:
        for rows in self._batches:
            yield from rows
