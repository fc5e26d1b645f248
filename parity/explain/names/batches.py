"""Other rows, or other inputs, in the batches than those that were handed out."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from itertools import pairwise

import numpy as np

from parity.explain.catalogue import NAMES
from parity.explain.cause import Cause, cause, causes_of
from parity.explain.measure.chain import SLACK, Chain, chain_of
from parity.explain.measure.series import listed
from parity.explain.observed import Observed
from parity.step.design import Design
from parity.step.engine import Engine
from refimpl.batches import Order
from refimpl.types import Array

ROWS = (
    "batches-not-shuffled",
    "batches-shuffled-once",
    "gradient-previous-batch",
    "full-batch-every-step",
    "features-centred",
    "features-standardised",
    "features-in-unit-range",
)
"""Names of other rows, or other inputs, in the batches."""


def bases(chain: Chain) -> Iterator[Cause]:
    """Other rows and inputs that may be in the batches, beside which more may differ."""
    for id in ROWS:
        yield from causes_of(NAMES[id])
    yield from _centred_batches(chain)
    yield from _other_rows(chain)


def causes(chain: Chain) -> Iterator[Cause]:
    """Other rows and inputs, and short batches that are filled up."""
    for file in (_centred_batches, _padded, _other_rows):
        yield from file(chain)


def _centred_batches(chain: Chain) -> Iterator[Cause]:
    """Inputs from which each batch's own mean was subtracted, and perhaps divided by its deviation."""
    order, dataset = chain.design.material.order, chain.design.material.dataset
    for id, divided in (("features-centred-per-batch", False), ("features-standardised-per-batch", True)):
        with np.errstate(all="ignore"):
            batches = [_normalised(dataset.X[0, rows], divided) for epoch in order for rows in epoch]
        if not all(np.isfinite(each).all() for each in batches):
            continue
        yield cause(id, batch_by_batch(chain.design, batches, roundings=4.0 * max(map(len, batches))))


def _padded(chain: Chain) -> Iterator[Cause]:
    """Short batches that are filled up with rows of zeros."""
    dataset, order = chain.design.material.dataset, chain.design.material.order
    n, size = dataset.X.shape[1], max(len(rows) for rows in chain.design.rows)
    if all(len(rows) == size for rows in chain.design.rows):
        return
    filled = tuple(tuple(np.append(rows, np.full(size - len(rows), n)) for rows in epoch) for epoch in order)
    X, y = (np.concatenate([each, 0 * each[:, :1]], axis=1) for each in (dataset.X, dataset.y))
    yield cause("batches-padded", partial(other_data, X=X, y=y, order=filled, roundings=0.0), size=size)


def _normalised(X: Array, divided: bool) -> Array:
    """X − mean(X), and perhaps divided by the deviation, over the rows."""
    centred: Array = X - X.mean(axis=0)
    return centred / X.std(axis=0) if divided else centred


def batch_by_batch(
    design: Design, inputs: Sequence[Array], targets: Sequence[Array] | None = None, *, roundings: float = 0.0
) -> Callable[[Design], Design]:
    """The change to a data set of all batches one after the other, with other inputs and perhaps other ``targets``."""
    every = [np.arange(a, b) for a, b in pairwise(np.cumsum([0, *map(len, inputs)]))]
    y = np.concatenate(targets or [design.material.dataset.y[0, rows, 0] for rows in design.rows])
    order = in_epochs(every, design.material.order)
    return partial(other_data, X=np.concatenate(inputs)[None], y=y[None, :, None], order=order, roundings=roundings)


def in_epochs(batches: Sequence[Array], order: Order) -> Order:
    """Batches one after the other, as many in each epoch as another order has."""
    edges = np.cumsum([0, *map(len, order)])
    return tuple(tuple(batches[a:b]) for a, b in pairwise(edges))


def other_data(design: Design, *, X: Array, y: Array, order: Order, roundings: float) -> Design:
    return design.with_data(roundings, X=X, y=y).with_order(order)


def executed(chain: Chain) -> list[Array] | None:
    """Which rows of all the data took part in each step, as often as they did: δ is solved for over all of them.

    None where these are the batch's own, or where it cannot be told.
    """
    rows = chain.of_all_rows
    if rows is None:
        return None
    batches = []
    for k in range(chain.steps):
        r = chain.outputs(k, np.arange(len(chain.y))) - chain.y
        with np.errstate(all="ignore"):
            q, bar = rows.delta[k] / r, SLACK * rows.delta_error[k] / np.abs(r)
        some = np.flatnonzero(np.abs(rows.delta[k]) > SLACK * rows.delta_error[k])
        if not len(some):
            return None
        least = np.min(np.abs(q[some]))
        counts = np.rint(q[some] / least)
        if np.any(counts < 1) or np.any(np.abs(q[some] / least - counts) > (bar[some] + 1e-6) / least):
            return None
        batches.append(np.repeat(some, counts.astype(int)))
    return batches


def _other_rows(chain: Chain) -> Iterator[Cause]:
    """The rows that took part, in the place of those of the batches."""
    batches = executed(chain)
    if batches is None:
        return
    new = in_epochs(batches, chain.design.material.order)
    first = next(k for k in range(chain.steps) if set(batches[k]) != set(chain.design.rows[k]))
    known = _pattern(batches, chain.design.rows, new, chain.design.material.order)
    yield cause(
        "batches-other-order",
        lambda design: design.with_order(new),
        known=f"{known}: " if known else "",
        step=first,
        rows=listed(batches[first]),
        asked=listed(chain.design.rows[first]),
    )


def _pattern(executed: Sequence[Array], asked: Sequence[Array], by_epoch: Order, order: Order) -> str:
    """How the executed batches go with those that were handed out, where that is known."""
    steps = range(len(asked))
    for which, place in (("last", -1), ("first", 0)):
        its = [set(epoch[place]) for epoch in order]
        if all(set(some) == rows for epoch, rows in zip(by_epoch, its, strict=True) for some in epoch):
            return f"every step of an epoch has the rows of its {which} batch"
    first = next(k for k in steps if set(executed[k]) != set(asked[k]))
    for late in range(1, first + 1):
        if all(set(executed[k]) == set(asked[k - late]) for k in steps[first:]):
            due = f"from step {first} on each step has the batch that was due {late} before"
            return f"{due}, as after a restart in the middle of an epoch"
    starts = [np.concatenate(epoch) for epoch in order for _ in epoch]
    filled = [np.concatenate([asked[k], starts[k][: len(executed[k]) - len(asked[k])]]) for k in steps]
    if all(sorted(executed[k]) == sorted(filled[k]) for k in steps):
        return "short batches are filled up with the first rows of the epoch"
    before = [asked[max(k - 1, 0)] for k in steps]
    filled = [np.concatenate([asked[k], before[k][len(asked[k]) : len(executed[k])]]) for k in steps]
    if all(sorted(executed[k]) == sorted(filled[k]) for k in steps):
        return (
            "short batches are filled up with the last rows of the batch before, as from a buffer that still has them"
        )
    return ""


def options(design: Design, engine: Engine, observed: Observed | None) -> Iterator[tuple[Cause, ...]]:
    """Nothing where the number of steps is as asked, else the names that have the recorded number."""
    steps = engine.recording.steps
    if design.steps == steps:
        yield ()
        return
    orders = []
    for known in (one for name in NAMES.values() if name.kind == "data" for one in causes_of(name)):
        changed = known.to(design)
        if changed is not None and changed.steps == steps:
            orders.append(_rows(changed))
            yield (known,)
    if steps < design.steps:
        for left in _left_out(design, engine, observed):
            changed = left.to(design)
            if changed is not None and _rows(changed) not in orders:
                yield (left,)
        yield (cause("stopped-early", lambda d: d.first(steps), steps=steps, asked=design.steps),)


def _rows(design: Design) -> list[list[int]]:
    """The rows of each step."""
    return [rows.tolist() for rows in design.rows]


def _left_out(design: Design, engine: Engine, observed: Observed | None) -> Iterator[Cause]:
    """The asked batches in their order, some of which were not trained on."""
    made = executed(chain_of(design.first(engine.recording.steps), engine, observed))
    asked = [(epoch, place) for epoch, some in enumerate(design.material.order) for place in range(len(some))]
    kept: list[int] = []
    for rows in made or ():
        wanted = set(rows.tolist())
        later = range(kept[-1] + 1 if kept else 0, len(asked))
        at = next((i for i in later if set(design.rows[i].tolist()) == wanted), None)
        if at is None:
            return
        kept.append(at)
    if not kept:
        return
    order = tuple(
        tuple(rows for place, rows in enumerate(some) if asked.index((epoch, place)) in kept)
        for epoch, some in enumerate(design.material.order)
    )
    left = [asked[i] for i in range(len(asked)) if i not in kept]
    yield cause(
        "batches-left-out",
        lambda d: d.with_order(tuple(some for some in order if some)),
        which=" and ".join(_places(epoch, left) for epoch in dict.fromkeys(epoch for epoch, _ in left)),
    )


def _places(epoch: int, left: Sequence[tuple[int, int]]) -> str:
    """Which batches of an epoch are left out."""
    places = [place for of, place in left if of == epoch]
    return f"{listed(places)} of epoch {epoch}"
