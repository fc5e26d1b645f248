"""The target of each row as it was executed: y′ = y − (δ − δ_asked)·n/(2c), the same in every epoch or not."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial

import numpy as np

from parity.explain.cause import Cause, cause
from parity.explain.measure.chain import SLACK, Chain
from parity.explain.measure.series import shortest
from parity.explain.names.batches import batch_by_batch
from parity.step.design import Design
from refimpl.losses import SquaredError
from refimpl.types import Array

CHANGED: Mapping[str, tuple[str, Callable[[Array], Array]]] = {
    "targets-truncated": ("are cut to whole numbers, towards 0 (y.long(), int)", np.trunc),
    "targets-rounded": ("are rounded to whole numbers", np.rint),
    "targets-floored": ("are rounded down to whole numbers", np.floor),
    "targets-absolute": ("have lost their sign", np.abs),
    "targets-clipped-below": ("below 0 count as 0", lambda y: np.maximum(y, 0)),
    "targets-in-unit-range": ("are cut off at 0 and 1", lambda y: np.clip(y, 0, 1)),
    "targets-sign": ("have the size 1: only their sign is used", np.sign),
    "targets-negated": ("have the wrong sign", lambda y: -y),
    "targets-zero": ("are 0: they take no part", lambda y: 0 * y),
}
"""Mistakes in the targets by the name of the cause: words that follow *targets*, and the function applied to each."""


def causes(chain: Chain) -> Iterator[Cause]:
    """The causes that lie in the targets, where a row has the same target whenever it comes."""
    rows = chain.rows
    if not isinstance(chain.design.form.in_gradient.loss, SquaredError) or rows is None:
        return
    n = len(chain.y)
    low, high = np.full(n, -np.inf), np.full(n, np.inf)
    best, width = chain.y.copy(), np.full(n, np.inf)
    executed = []
    for k, some in enumerate(chain.design.rows):
        target, bar = chain.targets(k, rows, some, len(some))
        executed.append((target, bar))
        low[some], high[some] = np.maximum(low[some], target - bar), np.minimum(high[some], target + bar)
        better = bar < width[some]
        best[some], width[some] = np.where(better, target, best[some]), np.minimum(bar, width[some])
    if np.any(low > high):
        yield from _at_visits(chain, executed)
        yield from _of_batch(chain)
        return
    for id, (words, change) in CHANGED.items():
        other = change(chain.y)
        if np.all((low <= other) & (other <= high)):
            yield _cause(id, words, other)
    nearest = np.argmin(np.abs(best[:, None] - chain.y[None, :]), axis=1)
    if np.all((low <= chain.y[nearest]) & (chain.y[nearest] <= high)) and np.any(nearest != np.arange(n)):
        moved = np.flatnonzero(nearest != np.arange(n))
        told = ", ".join(f"row {i} has that of row {nearest[i]}" for i in moved[:3])
        shared = len(set(nearest.tolist())) < n
        kind = "targets-of-other-rows" if shared else "targets-shuffled"
        how = "some of them several times" if shared else "they are the right numbers in another order"
        yield _cause(kind, f"belong to other rows: {how} ({told} …)", chain.y[nearest])
        return
    slope, intercept = np.polyfit(chain.y, best, 1)
    slope, intercept = float(f"{slope:.4g}"), float(f"{intercept:.4g}")
    if abs(intercept) < 1e-6:
        intercept = 0.0
    made = slope * chain.y + intercept
    if np.all((low <= made) & (made <= high)):
        shift = "" if intercept == 0 else f" plus {intercept:g}"
        yield _cause("targets-scaled", f"are {slope:g} times those of the data{shift}", made, numbers=2)
        return
    wrong = (chain.y < low) | (chain.y > high)
    off = np.flatnonzero(wrong)
    told = "; ".join(f"row {i}: {best[i]:.4g} for {chain.y[i]:.4g}" for i in off[:4]) + " …" * (len(off) > 4)
    if 2 * len(off) <= n:
        words = f"of {len(off)} of {n} rows are others than those of the data, the same in every epoch ({told})"
        yield _cause("targets-other", words, np.where(wrong, best, chain.y), numbers=len(off))
    else:
        words = f"are other numbers than those of the data, the same in every epoch ({told})"
        yield _cause("targets-as-measured", words, best, numbers=n, named=False)


def _cause(id: str, words: str, y: Array, *, numbers: int = 0, named: bool = True) -> Cause:
    """Other targets in the data."""
    apply = partial(Design.with_data, y=y[None, :, None])
    return cause(id, apply, of="targets", numbers=numbers, named=named, words=words)


def _of_batch(chain: Chain) -> Iterator[Cause]:
    """Targets of other rows of the same batch, by place, where not every row need count."""
    rows = chain.rows
    assert rows is not None
    places: dict[int, list[int]] = {}
    for k, some in enumerate(chain.design.rows):
        n = len(some)
        counted = np.flatnonzero(np.abs(rows.delta[k]) > SLACK * rows.delta_error[k])
        if not len(counted):
            return
        target, bar = chain.targets(k, rows, some, len(counted))
        near = np.abs(target[:, None] - chain.y[some][None, :]) <= bar[:, None]
        of = [int(np.argmin(np.abs(target[i] - chain.y[some]))) if i in counted else -1 for i in range(n)]
        if any(j >= 0 and not near[i, j] for i, j in enumerate(of)) or places.setdefault(n, of) != of:
            return
    full = places[max(places)]
    if all(j in (i, -1) for i, j in enumerate(full)):
        return
    words = ", ".join(f"place {i}: that of {j}" if j >= 0 else f"place {i} does not count" for i, j in enumerate(full))
    shifts = {j - i for i, j in enumerate(full) if j >= 0}
    id = "targets-shifted-in-batch" if len(shifts) == 1 else "targets-mixed-in-batch"
    how = f"shifted by {next(iter(shifts)):+d}" if len(shifts) == 1 else "mixed"
    kept = [[(i, j) for i, j in enumerate(places[len(some)]) if j >= 0] for some in chain.design.rows]
    pairs = [some[np.array(its)].T for its, some in zip(kept, chain.design.rows, strict=True)]
    inputs, targets = [chain.X[i] for i, _ in pairs], [chain.y[j] for _, j in pairs]
    made = batch_by_batch(chain.design, inputs, targets)
    yield cause(id, made, of="targets-mixed-in-batch", how=how, words=words)


ROUNDINGS = 8.0
"""Roundings of a target at each visit."""


def _at_visits(chain: Chain, executed: Sequence[tuple[Array, Array]]) -> Iterator[Cause]:
    """``y′ = a·y + b·ŷ₋ + c·y′₋ + d``, with those of the visit before. ``executed``: the targets, with their bars."""
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
