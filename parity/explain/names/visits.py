"""Targets that change from visit to visit of a row: ``y′ = a·y + b·ŷ₋ + c·y′₋ + d``, with those of the visit before."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from parity.explain.cause import Cause
from parity.explain.measure.chain import Chain
from parity.explain.measure.laws import shortest
from parity.explain.names.batches import batch_by_batch
from parity.explain.words import cause
from refimpl.types import Array

ROUNDINGS = 8.0
"""Roundings of a target at each visit."""


def causes(chain: Chain, executed: Sequence[tuple[Array, Array]]) -> Iterator[Cause]:
    """One formula for all rows and visits. ``executed``: the targets of each batch as they were, with their bars."""
    seen: dict[int, tuple[float, float, float]] = {}
    lines, goals, rooms = [], [], []
    for k, some in enumerate(chain.design.rows):
        outputs = chain.outputs(k, some)
        for i, row in enumerate(some.tolist()):
            target, bar = executed[k][0][i], executed[k][1][i]
            if row in seen:
                output, before, its = seen[row]
                lines.append([chain.y[row], output, before, 1.0])
                goals.append(target)
                rooms.append(bar + its)
            elif abs(target - chain.y[row]) > bar:
                return
            seen[row] = float(outputs[i]), float(target), float(bar)
    A, goal, room = np.array(lines).reshape(-1, 4), np.array(goals), np.array(rooms)
    if len(A) <= 4 or np.linalg.matrix_rank(A) < 4:
        return
    inverse = np.linalg.pinv(A / room[:, None])  # each equation in units of its own bar
    middle, error = inverse @ (goal / room), np.abs(inverse).sum(axis=1)
    c = np.array([shortest(low, high) for low, high in zip(middle - error, middle + error, strict=True)])
    c[3] = middle[3] if c[3] else 0.0  # a mean has no few digits
    if np.any(np.abs(A @ c - goal) > (1 + np.abs(c).sum()) * room) or np.array_equal(c, [1, 0, 0, 0]):
        return
    terms = [f"{value:g}·{name}" for value, name in zip(c, ("y", "ŷ₋", "y′₋", "1"), strict=True) if value]
    lower = bool(c[3]) and np.array_equal(c[:3], [0, 0, 1])
    in_place = np.array_equal(c, [0, -1, 1, 0])
    visits = int(np.max(np.bincount(np.concatenate(chain.design.rows))))
    inputs = [chain.X[some] for some in chain.design.rows]
    yield cause(
        "targets-from-visit-before",
        batch_by_batch(chain.design, inputs, _targets(chain, c), roundings=ROUNDINGS * (1 + visits)),
        of="targets-moved-at-each-visit" if lower else "targets-from-visit-before",
        numbers=int(np.count_nonzero(~np.isin(c, (-1, 0, 1)))),
        terms=" + ".join(terms),
        why=": the residual is formed in place, in the memory of the targets" if in_place else "",
        side="lower" if c[3] < 0 else "higher",
        by=abs(c[3]),
    )


def _targets(chain: Chain, c: Array) -> list[Array]:
    """The targets of each batch by the formula."""
    before: dict[int, tuple[float, float]] = {}
    made: list[list[float]] = []
    for k, some in enumerate(chain.design.rows):
        made.append([])
        for row, output in zip(some.tolist(), chain.outputs(k, some).tolist(), strict=True):
            y = float(chain.y[row])
            before[row] = output, float(c @ (y, *before[row], 1.0)) if row in before else y
            made[-1].append(before[row][1])
    return [np.array(each) for each in made]
