"""Other batches than those that were handed out: more steps, or fewer."""

from __future__ import annotations

from collections.abc import Iterator

from parity.explain.catalogue import NAMES
from parity.explain.cause import Cause, causes_of
from parity.explain.words import cause
from parity.step.design import Design
from parity.step.engine import Engine


def options(design: Design, engine: Engine) -> Iterator[tuple[Cause, ...]]:
    """Nothing where the number of steps is as asked, else the names that have the recorded number."""
    if design.steps == engine.recording.steps:
        yield ()
        return
    steps = engine.recording.steps
    for known in (one for name in NAMES.values() if name.kind == "data" for one in causes_of(name)):
        changed = known.to(design)
        if changed is not None and changed.steps == steps:
            yield (known,)
    if steps < design.steps:
        yield (cause("stopped-early", lambda d: d.first(steps), steps=steps, asked=design.steps),)
