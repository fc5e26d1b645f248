"""Other batches than those that were handed out: more steps, or fewer."""

from __future__ import annotations

from collections.abc import Iterator

from parity.explain.catalogue import NAMES
from parity.explain.cause import Cause, cause_of
from parity.explain.words import cause
from parity.step.design import Design
from parity.step.engine import Engine


def options(design: Design, engine: Engine) -> Iterator[tuple[Cause, ...]]:
    """Nothing where the number of steps is as asked, else the names that have the recorded number."""
    if design.steps == engine.recording.steps:
        yield ()
        return
    steps = engine.recording.steps
    for name in NAMES.values():
        for value in name.values if name.kind == "data" else ():
            known = cause_of(name, value)
            changed = known.to(design)
            if changed is not None and changed.steps == steps:
                yield (known,)
    if steps < design.steps:
        yield (cause("stopped-early", lambda d: d.first(steps), steps=steps, asked=design.steps),)
