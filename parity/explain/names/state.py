"""The optimizer's state, or a part of it, begins anew: at which steps, found one after the other."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np

from parity.explain.cause import Cause, cause
from parity.explain.measure.chain import Chain
from parity.explain.measure.series import steps_text
from parity.step.design import Design
from refimpl.types import Array


def causes(chain: Chain, changed: Design) -> Iterator[Cause]:
    """All of the state, else one of its tensors. The first step that is not as asked is one where it was lost."""
    seen = chain.seen(changed)
    if seen.resets is not None or seen.steps != chain.engine.recording.steps:
        return
    first = _first_wrong(chain, seen)
    if not first:
        return
    keys = set.union(*(_keys(optimizer, chain, name) for name, optimizer in seen.form.optimizers.items()))
    for forgets in (frozenset[str](), *(frozenset({key}) for key in sorted(keys) if len(keys) > 1)):
        resets = _found(chain, seen, first, forgets)
        if resets is not None and not _starts_late(resets, forgets):
            yield _cause(seen, resets, forgets)
            return


def lost_at(steps: Sequence[int], design: Design) -> Iterator[Cause]:
    """All of the state is lost before these steps, where a training was to be resumed; for what else was lost there."""
    if steps:
        resets = np.zeros(design.steps, bool)
        resets[list(steps)] = True
        yield _cause(design, resets, frozenset())


def _starts_late(resets: Array, forgets: frozenset[str]) -> bool:
    """Whether it is a counter that reads 1 twice, at the first two steps: nothing was lost, it starts a step late."""
    return forgets == {"step"} and np.flatnonzero(resets).tolist() == [1]


def _keys(optimizer: Any, chain: Chain, name: str) -> set[str]:
    """List what an optimizer keeps of a parameter."""
    w = chain.engine.recording.weights[name][:1]
    return set(optimizer.step(w, np.zeros_like(w), optimizer.init(w))[1])


def _first_wrong(chain: Chain, design: Design) -> int | None:
    """The first step that is beyond its bound, None where there is none."""
    wrong = (int(piece.steps[0]) for piece in chain.engine.expected(design) if (piece.share > 1).any())
    return next(wrong, None)


def _found(chain: Chain, seen: Design, first: int, forgets: frozenset[str]) -> Array | None:
    """The steps before which the state is lost; None where a step is not as asked even so, or there is no state."""
    resets = np.zeros(seen.steps, bool)
    step: int | None = first
    while step is not None:
        if resets[step] or resets[step - 1]:  # what is lost at once was not kept
            return None
        resets[step] = True
        step = _first_wrong(chain, replace(seen, resets=resets.copy(), forgets=forgets))
    return resets


def _cause(design: Design, resets: Array, forgets: frozenset[str]) -> Cause:
    rates = design.rates("weight")
    new_rate = np.diff(rates, prepend=rates[0]) != 0
    new_epoch = np.diff(design.epoch, prepend=0) > 0
    apply = partial(replace, resets=resets, forgets=forgets)
    if np.array_equal(resets, new_epoch) and not forgets and resets.sum() > 1:
        return cause("state-reset-each-epoch", apply)
    why = "" if forgets else ": the optimizer is made anew there"
    if np.array_equal(resets, new_rate):
        why = ", at every change of the learning rate: a new optimizer is made for the new rate"
    return cause(
        "state-lost",
        apply,
        of="state-lost" if resets.sum() == 1 else "state-lost-again",
        what=f"of the optimizer's state {next(iter(forgets))}" if forgets else "the optimizer's state",
        steps=steps_text(resets, design.epoch),
        kept=", while the rest of it is kept" if forgets else "",
        why=why,
    )
