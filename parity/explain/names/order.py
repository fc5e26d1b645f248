"""Other batches than those that were handed out: more steps, or fewer."""

from __future__ import annotations

from collections.abc import Iterator

from parity.explain.catalogue import NAMES
from parity.explain.cause import Cause, cause_of
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
            cause = cause_of(name, value)
            changed = cause.to(design)
            if changed is not None and changed.steps == steps:
                yield (cause,)
    if steps < design.steps:
        text = f"it stops after {steps} of {design.steps} steps"
        change = "train for all epochs, or hold it to an experiment of fewer"
        yield (Cause(id="stopped-early", text=text, change=change, apply=lambda d: d.first(steps)),)
