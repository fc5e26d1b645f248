"""Another proximal step than the asked one, which moves each weight by ηλ towards 0."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from typing import Any

from parity.explain.cause import Cause
from parity.explain.faults.penalties import Hard
from parity.explain.words import cause
from parity.step.design import Design
from refimpl.penalties import L1


def causes(design: Design) -> Iterator[Cause]:
    """None at all, or a hard threshold, where the optimizer has one of L1."""
    if any(isinstance(getattr(each, "penalty", None), L1) for each in design.form.optimizers.values()):
        for id in ("prox-missing", "prox-hard"):
            yield cause(id, partial(Design.with_optimizers, change=partial(_changed, hard=id == "prox-hard")))


def _changed(optimizer: Any, hard: bool) -> Any:
    """The optimizer without its proximal step, or with a hard one."""
    penalty = getattr(optimizer, "penalty", None)
    if not isinstance(penalty, L1):
        return optimizer
    return replace(optimizer, penalty=Hard(strength=penalty.strength) if hard else None)
