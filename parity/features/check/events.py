"""What is recorded of a training function: events in the order of time, tensors called by a number; and what was made
of them."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from parity.explain.observed import Observed
from refimpl.types import Array

Records = list[tuple[dict[str, Array], float | None]]
"""The weights by name and the loss of every moment that was reported."""


@dataclass(frozen=True)
class RecordedRun:
    """A run: ``records``; what was ``observed`` before each of them; the ``dtype`` of the model.

    ``started``: the first record is known to be from before the first step. ``averages``: of the weights by name, after
    each step, where they were reported.
    """

    records: Records
    observed: Observed
    dtype: str
    started: bool = False
    averages: Sequence[Mapping[str, Array]] = ()


Moments = Sequence[Mapping[str, Array]]
"""Weights, state and numbers of the groups by name, before the first step and of each one."""


@dataclass(frozen=True)
class RankRun:
    """What one rank did: its ``moments``, none where nothing was seen of it; and the whole ``run`` of rank 0."""

    moments: Moments
    run: RecordedRun | None = None


@dataclass(frozen=True)
class Seen:
    """A tensor that was met: its shape and dtype."""

    shape: tuple[int, ...]
    dtype: str

    @property
    def size(self) -> int:
        return math.prod(self.shape)


@dataclass(frozen=True)
class Backward:
    """A backward pass: gradients that it left, and the values at which it was made."""

    gradients: Mapping[int, Array]
    values: Mapping[int, Array]


@dataclass
class Step:
    """A step of an optimizer, with all that concerns each of its tensors. ``state``: of each, after the step, where
    that was asked for."""

    optimizer: str
    before: dict[int, Array]
    seen: dict[int, Array] = field(default_factory=dict)
    numbers: Mapping[int, Mapping[str, float]] = field(default_factory=dict)
    after: dict[int, Array] = field(default_factory=dict)
    state: Mapping[int, Mapping[str, Array]] = field(default_factory=dict)

    @property
    def values(self) -> Mapping[int, Array]:
        return self.before


@dataclass(frozen=True)
class ReportEvent:
    """A report; ``tensors``: what was reported under a name, where it is a tensor that was met before."""

    tensors: Mapping[str, int]


Event = Backward | Step | ReportEvent


@dataclass(frozen=True)
class History:
    """All events, the tensors in them, and the values of these at the end.

    ``shapes``: of all that optimizers stepped, whatever their size. ``trouble``: why recording was given up, if it was.
    """

    events: Sequence[Event]
    tensors: Sequence[Seen]
    last: Mapping[int, Array]
    shapes: Sequence[tuple[int, ...]] = ()
    trouble: str = ""

    def rows(self) -> Iterator[list[Event]]:
        """The events before each report, since the one before."""
        row: list[Event] = []
        for event in self.events:
            if isinstance(event, ReportEvent):
                yield row
                row = []
            else:
                row.append(event)
