"""Other batches than those that were handed out: more steps, or fewer."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from parity.explain.catalogue import NAMES
from parity.explain.cause import Cause, causes_of
from parity.explain.measure.chain import chain_of
from parity.explain.measure.series import listed
from parity.explain.names import batches
from parity.explain.observed import Observed
from parity.explain.words import cause
from parity.step.design import Design
from parity.step.engine import Engine


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
    made = batches.executed(chain_of(design.first(engine.recording.steps), engine, observed))
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
