"""Inputs that met the targets of other rows: with δ solved for over all rows of the data, ``y′ᵢ = ŷᵢ − δᵢ·n/(2c)``.

The target that input i met is the one of row j where ``y′ᵢ = y_j``.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from parity.explain.cause import Cause, cause
from parity.explain.measure.chain import SLACK, Chain
from parity.explain.measure.rows import Rows
from parity.explain.measure.series import listed
from parity.explain.names.batches import batch_by_batch
from refimpl.losses import SquaredError
from refimpl.types import Array

Pairs = tuple[Array, Array]
"""The rows of the inputs of one step, and those of the targets that they met."""


def causes(chain: Chain) -> Iterator[Cause]:
    """One cause where every input that counted met the target of some row, and not all of their own."""
    rows = chain.of_all_rows
    if rows is None or not isinstance(chain.design.form.in_gradient.loss, SquaredError):
        return
    met = [_met(chain, rows, k) for k in range(chain.steps)]
    pairs = [each for each in met if each is not None]
    if len(pairs) < chain.steps or all(np.array_equal(inputs, targets) for inputs, targets in pairs):
        return
    step = next(k for k, (inputs, targets) in enumerate(pairs) if not np.array_equal(inputs, targets))
    yield cause(
        "rows-paired-otherwise",
        batch_by_batch(chain.design, [chain.X[i] for i, _ in pairs], [chain.y[j] for _, j in pairs]),
        known=_known(pairs, chain.design.rows, chain.design.epoch),
        step=step,
        inputs=listed(pairs[step][0]),
        targets=listed(pairs[step][1]),
    )


def _met(chain: Chain, rows: Rows, k: int) -> Pairs | None:
    """Which inputs counted in a step, and whose targets they met; None where a target is none of the data."""
    inputs = np.flatnonzero(np.abs(rows.delta[k]) > SLACK * rows.delta_error[k])
    target, bar = chain.targets(k, rows, np.arange(len(chain.y)), max(len(inputs), 1))
    off = np.abs(target[inputs, None] - chain.y[None, :])
    near = off <= bar[inputs, None]
    return (inputs, np.argmin(off, axis=1)) if len(inputs) and near.any(axis=1).all() else None


def _known(pairs: Sequence[Pairs], asked: Sequence[Array], epoch: Array) -> str:
    """How the inputs go with the batches that were handed out, where that is known."""
    for late, words in ((1, "the following batch"), (-1, "the batch before")):
        other = 0
        for k, (inputs, targets) in enumerate(pairs):
            its = asked[k + late] if 0 <= k + late < len(asked) and epoch[k + late] == epoch[k] else asked[k][:0]
            filled = np.concatenate([its[: len(asked[k])], asked[k][len(its) :]])
            of = dict(zip(asked[k].tolist(), filled.tolist(), strict=True))
            if any(of.get(int(j)) != i for i, j in zip(inputs, targets, strict=True)):
                break
            other += len(its)
        else:
            return (
                f"the inputs are those of {words} of the epoch where it has a row at the same place: " if other else ""
            )
    return ""
