"""What a rank has recorded of a case: its own weights, reduced gradients and state before and after each step."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from parity.record.snapshot import Snapshot
from refimpl.types import Optimizer


@dataclass(frozen=True, kw_only=True)
class Step:
    """One step by parameter: ``before`` it, with the reduced gradient, and ``after`` it.

    ``optimizers``: the references with what torch has in effect, for the parameters that this rank updates.
    ``products``: those of matrices that the optimizer made.
    """

    before: Mapping[str, Snapshot]
    after: Mapping[str, Snapshot]
    optimizers: Mapping[str, Optimizer]
    products: Sequence[Any] = ()


@dataclass(frozen=True, kw_only=True)
class Record:
    """The steps of a rank, and its weights at the ``end``, when the last rank has ended, too."""

    steps: Sequence[Step]
    end: Mapping[str, Snapshot] = field(default_factory=dict)
