"""Where an experiment asks for ranks: other reductions, shards and ranks that are counted, each held to the run."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from functools import partial

import numpy as np

from parity.explain.cause import Cause, cause
from parity.explain.names.accumulation import accumulated, with_windows
from parity.step.design import Design
from refimpl.accumulation import Accumulation, Window
from refimpl.ranks import Ranks
from refimpl.types import Array

SHARDS = {"interleaved": "row by row", "blocks": "in contiguous blocks"}
"""How rows are divided, in words."""


def reduced(design: Design, asked: Ranks) -> Iterator[Cause]:
    """Causes that divide the sum over ranks by another number, or reduce the gradients of other rows."""
    count, mean = asked.count, asked.reduce == "mean"
    for decayed in _decays(design):
        changed = partial(partial, with_windows, decayed=decayed)
        if mean:
            yield cause("ranks-not-averaged", changed(change=partial(_by, world=1)), count=count, variant=decayed)
            twice = changed(change=partial(_by, world=count**2))
            yield cause("ranks-divided-twice", twice, variant=decayed)
        else:
            yield cause("ranks-averaged", changed(change=partial(_by, world=count)), count=count, variant=decayed)
    if mean:
        yield cause("ranks-mean-over-rows", _over_rows)
    other = replace(asked, shard="blocks" if asked.shard == "interleaved" else "interleaved")
    otherwise = partial(_with_ranks, ranks=other)
    yield cause("ranks-other-shard", otherwise, executed=SHARDS[other.shard], asked=SHARDS[asked.shard])


def counted(design: Design, asked: Ranks, equal: bool | None = None) -> Iterator[Cause]:
    """Causes that count one rank otherwise than the others.

    ``equal``: whether all ranks were seen to hold the same weights, so that they made one and the same gradient.
    """
    count = asked.count
    world = count if asked.reduce == "mean" else 1
    for rank in range(count):
        alone = np.eye(count)[rank]
        for decayed in _decays(design):
            changed = partial(partial, _with_times, decayed=decayed)
            own = changed(times=alone * world)
            yield cause("ranks-same-rows" if equal else "ranks-own-gradient", own, rank=rank, variant=decayed)
            for divisor in {world, max(world - 1, 1)} if count > 2 else {world}:
                others = changed(times=(1 - alone) * world / divisor)
                yield cause("ranks-one-missing", others, rank=rank, divisor=divisor, variant=decayed)
            yield cause("ranks-one-twice", changed(times=1 + alone), rank=rank, variant=decayed)


def _decays(design: Design) -> tuple[bool, ...]:
    """Whether penalties may be the optimizer's decay, which is not reduced; it makes no difference without any."""
    return (True, False) if design.form.in_gradient.terms else (False,)


def _by(window: Window, world: int) -> Window:
    return replace(window, world=world)


def _with_times(design: Design, times: Array, *, decayed: bool) -> Design:
    """Each rank's gradient counts so often; the penalties as before where they are ``decayed``, else as it does."""
    of_rows = [np.repeat(np.repeat(times, window.micro), window.sizes) for window in design.windows]
    changed = replace(design, row_times=tuple(of_rows))
    return changed if decayed else changed.with_penalty_times(np.mean(times))


def _with_ranks(design: Design, ranks: Ranks | None) -> Design | None:
    """Other ranks, or none, with the same accumulation."""
    asked = design.form.accumulation or Accumulation(micro=1)
    return accumulated(replace(design, form=replace(design.form, ranks=ranks)), asked)


def _over_rows(design: Design) -> Design | None:
    return _with_ranks(design, None)
