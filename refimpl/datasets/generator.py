"""The protocol of all sources of data."""

from __future__ import annotations

from typing import Protocol

import numpy as np

from refimpl.datasets.dataset import Dataset


class Generator(Protocol):
    """A source of data; ``rng`` is its only source of randomness. A file is one too, and ignores it."""

    def make(self, rng: np.random.Generator) -> Dataset: ...
