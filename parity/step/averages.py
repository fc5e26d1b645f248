"""Moving averages of the weights along a recorded run, step by step, from the average that the run itself had."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from parity.step.arithmetics import Rounding, like
from parity.step.expected import Expected, Quantity, equal, expect
from parity.step.recording import Recording
from refimpl.averaging import EMA, SWA, combined
from refimpl.types import Array


@dataclass(frozen=True, kw_only=True)
class Averaging:
    """``e_k = a_k·e_{k−1} + b_k·v_k`` for the steps k = 1 … K.

    ``kept``: a, ``added``: b, each ``(K,)``. ``start``: whether e_0 is 0 or the initial weights. ``before``: v_k is the
    weights before the step k, not after it. ``roundings``: how many times the bound of one such line is allowed.
    """

    kept: Array
    added: Array
    start: bool = False
    before: bool = False
    roundings: float = 1.0


def kept_of(asked: EMA | SWA, steps: int) -> Averaging:
    """The average as it is asked for, whose first update copies the weights."""
    if isinstance(asked, SWA):
        return equal_weights(np.arange(1, steps + 1))
    kept, added = (np.full(steps, float(each)) for each in (asked.decay, 1 - asked.decay))
    kept[:1], added[:1] = 0, 1
    return Averaging(kept=kept, added=added)


def equal_weights(counts: Array) -> Averaging:
    """Averages of so many weights ``(K,)``, all counting alike."""
    return Averaging(kept=1 - 1 / counts, added=1 / counts)


def averaged(recording: Recording, how: Averaging) -> Iterator[Expected]:
    """The averages that a correct run may have, beside those recorded."""
    arithmetic, every = Rounding(recording.profiles["update"]), np.arange(recording.steps)
    for name, candidate in recording.averages.items():
        weights, quantity = recording.weights[name], Quantity("average", name)
        begin = weights[:1] if how.start else np.zeros_like(weights[:1])
        copied = (how.kept == 0) & (how.added == 1) & (how.roundings == 1)
        given = weights[:-1] if how.before else weights[1:]
        if copied.any():
            yield equal(quantity, every[copied], candidate[copied], given[copied])
        some = every[~copied]
        if not len(some):
            continue
        before = arithmetic.tensor(np.concatenate([begin, candidate[:-1]])[some])
        kept, added = (like(before, each[some]) for each in (how.kept, how.added))
        bounded = combined(before, arithmetic.tensor(given[some]), kept, added)
        piece = expect(quantity, some, candidate[some], bounded, recording.format(name))
        yield replace(piece, allowance=how.roundings * piece.allowance)
