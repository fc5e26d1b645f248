"""What was seen of a run from outside, beside what its code reported: gradients, optimizer steps, numbers in effect."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any

import numpy as np

from refimpl.types import Array


@dataclass(frozen=True, kw_only=True)
class Observed:
    """One entry for each of K steps of the trajectory, by parameter; a parameter that was never seen is absent.

    ``raw``         (K, 1, …): the gradient after the last backward pass of the step, accumulated as in ``.grad``
    ``seen``        (K, 1, …): the gradient as the last optimizer step saw it; nan where there was none
    ``points``      (K, 1, …): the value at which the last backward pass before the step was made; nan without one
    ``calls``       (K,): optimizer steps
    ``numbers``     by key (K,): those of the parameter's group before the last optimizer step, ``betas[0]``,
                    ``betas[1]`` for pairs, 0 and 1 for options, nan where there was no step
    ``optimizer``   the class, as the user's code calls it; several are joined by commas
    ``before``, ``after``   (K, 1, …): the value right before and after the last optimizer step; nan without one
    ``averaged``    (K, 1, …): the mean of the values right after the last steps of all tensors of its shape that were
                    stepped; nan where there is no other one
    ``others``      how many optimizer steps another tensor of the weight's shape made after the last one of the weight
    ``trouble``     an exception at which recording was given up; what came before it is there
    ``ranks_equal`` whether all ranks had the same weights and state in each step; None of a single process

    """

    raw: Mapping[str, Array] = field(default_factory=dict)
    seen: Mapping[str, Array] = field(default_factory=dict)
    points: Mapping[str, Array] = field(default_factory=dict)
    calls: Mapping[str, Array] = field(default_factory=dict)
    numbers: Mapping[str, Mapping[str, Array]] = field(default_factory=dict)
    optimizer: Mapping[str, str] = field(default_factory=dict)
    before: Mapping[str, Array] = field(default_factory=dict)
    after: Mapping[str, Array] = field(default_factory=dict)
    averaged: Mapping[str, Array] = field(default_factory=dict)
    others: int = 0
    trouble: str = ""
    ranks_equal: bool | None = None

    def since(self, step: int) -> Observed:
        """The observation without the first steps."""
        return Observed(**{each.name: _since(getattr(self, each.name), step) for each in fields(self)})


def _since(values: Any, step: int) -> Any:
    """Arrays lose their first entries, wherever they are kept."""
    if isinstance(values, Mapping):
        return {key: _since(value, step) for key, value in values.items()}
    return values[step:] if isinstance(values, np.ndarray) else values
