"""What a rank has recorded of a case: its own weights, reduced gradients and state before and after each step."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from parity.record.snapshot import Snapshot
from refimpl.types import Optimizer


@dataclass(frozen=True)
class Shard:
    """The rows of a parameter that a rank has: those from ``first`` on, of ``rows``. ``keys``: the tensors of its state
    that are divided so, too.
    """

    first: int
    rows: int
    keys: frozenset[str]


@dataclass(frozen=True, kw_only=True)
class Step:
    """One step by parameter: ``before`` it, with the reduced gradient, and ``after`` it.

    ``optimizers``: the references with what torch has in effect, for the parameters that this rank updates.
    ``products``: those of matrices that the optimizer made. ``shards``: of the parameters that are divided over ranks,
    in which case the snapshots are of this rank's rows.
    """

    before: Mapping[str, Snapshot]
    after: Mapping[str, Snapshot]
    optimizers: Mapping[str, Optimizer]
    products: Sequence[Any] = ()
    shards: Mapping[str, Shard] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Record:
    """The steps of a rank, and its weights at the ``end``, when the last rank has ended, too."""

    steps: Sequence[Step]
    end: Mapping[str, Snapshot] = field(default_factory=dict)
