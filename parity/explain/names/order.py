"""Other batches than those that were handed out: more steps, or fewer."""

from __future__ import annotations

from collections.abc import Iterator

from parity.explain.cause import Cause, cause_of
from parity.explain.hypotheses import HYPOTHESES
from parity.step.design import Design
from parity.step.engine import Engine


def options(design: Design, engine: Engine) -> Iterator[tuple[Cause, ...]]:
    """Nothing where the number of steps is as asked, else the names that have the recorded number."""
    if design.steps == engine.recording.steps:
        yield ()
        return
    for hypothesis in HYPOTHESES.values():
        for value in hypothesis.values if hypothesis.kind == "data" else ():
            cause = cause_of(hypothesis, value)
            changed = cause.to(design)
            if changed is not None and changed.steps == engine.recording.steps:
                yield (cause,)
