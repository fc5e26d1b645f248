"""A loss that was reported wrongly by code whose steps are right."""

from __future__ import annotations

import math

import numpy as np

from parity.explain.catalogue import NAMES
from parity.explain.cause import cause_of
from parity.explain.finding import Finding, finding
from parity.explain.readings import usual_loss
from parity.step.design import Design
from parity.step.engine import Engine


def reported(design: Design, engine: Engine) -> tuple[list[Finding], list[str]]:
    """What is wrong with the recorded losses: a finding, or a note where they are another usual quantity."""
    shares = engine.loss_shares(design)
    if not shares or min(shares.values()) <= 1:
        return [], []
    usual = usual_loss(design, engine)
    if usual:
        return [], [f"the loss that was reported is {usual}"]
    evidence = f"the weights agree, the recorded losses are off by {min(shares.values()):.3g} times the tolerance"
    for name in NAMES.values():
        fault = cause_of(name, name.values[0])
        changed = fault.to(design) if name.kind in ("loss", "penalty") and not name.free else None
        if changed is not None and _explains(design, changed, engine):
            text = f"of the loss that was reported, not of the steps: {fault.text}"
            return [Finding(id=name.id, text=text, evidence=evidence, change=name.change)], []
    return [finding("loss-reported", evidence)], []


def _explains(design: Design, changed: Design, engine: Engine) -> bool:
    """Whether the recorded losses are those of a changed design, which are others than asked, not only less certain."""
    if min(engine.loss_shares(changed).values(), default=math.inf) > 1:
        return False
    asked = {str(piece.quantity): piece for piece in engine.losses(design)}
    fitting = [piece for piece in engine.losses(changed) if np.max(piece.share) <= 1]
    return any((np.abs(one.value - (its := asked[str(one.quantity)]).value) > its.allowance).any() for one in fitting)
