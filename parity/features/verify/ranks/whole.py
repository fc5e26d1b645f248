"""Whole parameters, put together from the rows that the ranks have."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from parity.features.verify.ranks.record import Record, Shard, Step
from parity.record.snapshot import Snapshot
from refimpl.types import Array

Snapshots = Sequence[Mapping[str, Snapshot]]
"""One mapping for each rank."""


def assembled(records: Sequence[Record]) -> list[Record]:
    """The records with each parameter whole, as its replica has it; those of parameters that are not divided stay."""
    if not any(step.shards for record in records for step in record.steps):
        return list(records)
    steps = [_whole_steps(one_step) for one_step in zip(*(record.steps for record in records), strict=True)]
    ends = _whole([record.end for record in records], [record.steps[-1].shards for record in records])
    return [Record(steps=[ranks[rank] for ranks in steps], end=end) for rank, end in enumerate(ends)]


def _whole_steps(steps: Sequence[Step]) -> list[Step]:
    shards = [step.shards for step in steps]
    before = _whole([step.before for step in steps], shards)
    after = _whole([step.after for step in steps], shards)
    return [replace(step, before=b, after=a) for step, b, a in zip(steps, before, after, strict=True)]


def _whole(snapshots: Snapshots, shards: Sequence[Mapping[str, Shard]]) -> list[dict[str, Snapshot]]:
    """The snapshots of each rank with whole parameters."""
    result = [dict(some) for some in snapshots]
    for name in shards[0]:
        for ranks in replicas([some[name].first for some in shards]):
            parts = [(shards[rank][name], snapshots[rank][name]) for rank in ranks]
            joined = _joined(parts)
            for rank in ranks:
                result[rank][name] = joined
    return result


def replicas(first: Sequence[int]) -> list[list[int]]:
    """The ranks that have a whole parameter together, from the first row of each: a replica begins at row 0."""
    groups: list[list[int]] = []
    for rank, row in enumerate(first):
        if row == 0:
            groups.append([])
        groups[-1].append(rank)
    return groups


def _joined(parts: Sequence[tuple[Shard, Snapshot]]) -> Snapshot:
    """One snapshot of all rows, ``(1, rows, …)``."""
    shard, first = parts[0]
    gradients = [snapshot.gradient for _, snapshot in parts]
    present = [gradient for gradient in gradients if gradient is not None]
    state = {
        key: _rows([snapshot.state[key] for _, snapshot in parts]) if key in shard.keys else value
        for key, value in first.state.items()
    }
    value = _rows([snapshot.value for _, snapshot in parts])
    assert value.shape[1] == shard.rows
    return replace(first, value=value, gradient=_rows(present) if len(present) == len(parts) else None, state=state)


def _rows(parts: Sequence[Array]) -> Array:
    return np.concatenate(parts, axis=1)
