"""Parameters, an optimizer and drawn gradients, stepped through, and the comparison of two runs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from parity.explain.feeds import drawn
from parity.features.check.drive import Driver
from parity.features.check.task import exact
from refimpl.arithmetic.formats import FORMATS
from refimpl.types import Array

ROUNDING = 1e-6
"""The share of the largest move by which another order of sums, or a state kept in float32, may change a step."""
Shapes = Mapping[str, tuple[int, ...]]


class ConductRun:
    """Parameters, optimizer and drawn gradients, stepped through."""

    def __init__(self, driver: Driver, shapes: Shapes, **hyper: Any) -> None:
        self.driver, self.feed, self.k = driver, drawn(shapes, steps=8, seed=1), 0
        self.parameters = driver.parameters(self.feed.weights)
        self.optimizer = driver.make(list(self.parameters.values()), **hyper)

    def steps(self, number: int, *without: str) -> None:
        for _ in range(number):
            self.step(*without)

    def step(self, *without: str, gradients: Mapping[str, Array] | None = None) -> None:
        given = gradients or {n: g[self.k] for n, g in self.feed.gradients.items() if n not in without}
        self.driver.step(self.optimizer, self.parameters, given)
        self.k += 1

    @property
    def weights(self) -> dict[str, Array]:
        return {name: exact(parameter) for name, parameter in self.parameters.items()}


def largest_move(after: Array, before: Array) -> float:
    """max |after − before|; 0 where they are the same, infinite or nan included."""
    if np.array_equal(after, before, equal_nan=True):
        return 0.0
    with np.errstate(invalid="ignore"):
        return float(np.max(np.abs(after - before)))


def apart_from(one: Mapping[str, Array], other: Mapping[str, Array], start: Mapping[str, Array]) -> str:
    """Where two runs from one start differ by more than ROUNDING of the largest move, and float32 of the weights.

    Weights that overflow in both runs, as they do with ``lr = 1e308``, say nothing of a difference.
    """
    for name in one:
        if not (np.all(np.isfinite(one[name])) or np.all(np.isfinite(other[name]))):
            continue
        size = max(float(np.max(np.abs(array - start[name]), initial=0)) for array in (one[name], other[name]))
        weights = max(float(np.max(np.abs(array), initial=0)) for array in (one[name], other[name]))
        difference = np.nan_to_num(np.abs(one[name] - other[name]), nan=np.inf)
        room = ROUNDING * size + 4 * FORMATS["float32"].u * weights
        if size and not np.max(difference, initial=0) <= room:
            i = np.unravel_index(np.argmax(difference), difference.shape)
            at = ", ".join(str(int(index)) for index in i)
            return (
                f"{name}[{at}] moves by {one[name][i] - start[name][i]:.6g} and {other[name][i] - start[name][i]:.6g}"
            )
    return ""
