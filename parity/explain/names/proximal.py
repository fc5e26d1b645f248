"""Another proximal step than the asked one, which moves each weight by ηλ towards 0."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from typing import Any

from parity.explain.cause import Cause
from parity.explain.faults.penalties import Hard
from parity.step.design import Design
from refimpl.penalties import L1

WORDS = {
    "prox-missing": "the proximal step moves no weight: it is missing, or a hard threshold, which leaves all weights "
    "beyond it as they are, where a soft one moves each by ηλ towards 0",
    "prox-hard": "the proximal step is a hard threshold: it sets weights of up to ηλ to 0 and leaves others as they "
    "are, where a soft one moves each by ηλ towards 0",
}


def causes(design: Design) -> Iterator[Cause]:
    """None at all, or a hard threshold, where the optimizer has one of L1."""
    if not any(isinstance(getattr(each, "penalty", None), L1) for each in design.form.optimizers.values()):
        return
    for id, text in WORDS.items():
        yield Cause(
            id=id,
            text=text,
            change="w ← sign(w)·max(|w| − ηλ, 0) after each step (softshrink, not hardshrink)",
            probe="weights that are smaller than ηλ, and larger ones",
            apply=partial(Design.with_optimizers, change=partial(_changed, hard=id == "prox-hard")),
        )


def _changed(optimizer: Any, hard: bool) -> Any:
    penalty = getattr(optimizer, "penalty", None)
    if not isinstance(penalty, L1):
        return optimizer
    return replace(optimizer, penalty=Hard(strength=penalty.strength) if hard else None)
