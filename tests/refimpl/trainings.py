"""Data, groups and the order of batches of small trainings."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from refimpl.batches import Batches
from refimpl.losses import SquaredError
from refimpl.training import Group

Array = npt.NDArray[Any]
BOTH = ("weight", "bias")
HALF_MEAN = SquaredError(factor=0.5, reduction="mean")


def material(rows: int = 7, features: int = 3, runs: int = 1, seed: int = 0) -> tuple[dict[str, Array], Array, Array]:
    rng = np.random.default_rng(seed)
    params = {"weight": rng.standard_normal((runs, 1, features)), "bias": rng.standard_normal((runs, 1))}
    return params, rng.standard_normal((1, rows, features)), rng.standard_normal((1, rows, 1))


def together(optimizer: Any) -> list[Group]:
    return [Group(parameters=BOTH, optimizer=optimizer)]


def order(rows: int, epochs: int, **options: Any) -> Any:
    return Batches(**options).draw(rows, epochs, np.random.default_rng(1))
