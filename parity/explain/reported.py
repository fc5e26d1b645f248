"""A loss that was reported wrongly by code whose steps are right."""

from __future__ import annotations

import math

import numpy as np

from parity.explain.design import Design
from parity.explain.finding import Finding
from parity.explain.hypotheses import HYPOTHESES
from parity.explain.predict import Predictions
from parity.explain.search import Fault
from refimpl.types import Array


def reported(design: Design, predictions: Predictions) -> tuple[list[Finding], list[str]]:
    """What is wrong with the recorded losses: a finding, or a note where they are another usual quantity."""
    shares = predictions.loss_shares(design)
    if not shares or min(shares.values()) <= 1:
        return [], []
    usual = _usual(design, predictions)
    if usual:
        return [], [f"the loss that was reported is {usual}"]
    evidence = f"the weights agree, the recorded losses are off by {min(shares.values()):.3g} times the tolerance"
    for hypothesis in HYPOTHESES.values():
        fault = Fault(hypothesis, hypothesis.values[0])
        changed = fault.apply(design) if hypothesis.kind in ("loss", "penalty") and not hypothesis.free else None
        if changed is not None and min(predictions.loss_shares(changed).values(), default=math.inf) <= 1:
            text = f"of the loss that was reported, not of the steps: {fault.text}"
            return [Finding(id=hypothesis.id, text=text, evidence=evidence, change=hypothesis.change)], []
    text = "the reported loss is neither the data loss nor the objective of the batch before the step"
    return [Finding(id="loss-reported", text=text, evidence=evidence, change="report the loss of the step's batch")], []


def _usual(design: Design, predictions: Predictions) -> str:
    """Another quantity that people report, by its name, if the record is that: to a few roundings of the dtype."""
    recorded = predictions.recording.loss
    assert recorded is not None
    sizes = np.array([len(rows) for rows in design.rows], float)
    room = 64 * predictions.recording.profiles["loss"].compute.u
    for what, piece in (("loss", p) for p in predictions.losses(design)):
        loss = np.asarray(piece.value, float)
        quantities = {
            f"the {what} times the number of rows of the batch": loss * sizes,
            f"the mean of all {what}es so far": np.cumsum(loss) / np.arange(1, len(loss) + 1),
            f"the mean of the {what}es of the epoch so far": _running(loss, design.epoch),
            f"the sum of all {what}es so far": np.cumsum(loss),
            f"the {what} of the step before": np.concatenate([loss[:1], loss[:-1]]),
        }
        for name, values in quantities.items():
            if np.all(np.abs(recorded - values) <= room * np.maximum(np.abs(values), np.max(np.abs(values)) * 1e-3)):
                return name
    return ""


def _running(loss: Array, epoch: Array) -> Array:
    """The mean over each epoch up to every step."""
    parts = [loss[epoch == one] for one in np.unique(epoch)]
    return np.concatenate([np.cumsum(part) / np.arange(1, len(part) + 1) for part in parts])
