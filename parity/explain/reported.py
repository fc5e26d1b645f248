"""A loss that was reported wrongly by code whose steps are right."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from parity.explain.cause import cause_of
from parity.explain.finding import Finding
from parity.explain.hypotheses import HYPOTHESES
from parity.step.design import Design
from parity.step.engine import Engine
from parity.step.expected import expect
from refimpl.arithmetic.bounded import Bounded
from refimpl.types import Array


def reported(design: Design, predictions: Engine) -> tuple[list[Finding], list[str]]:
    """What is wrong with the recorded losses: a finding, or a note where they are another usual quantity."""
    shares = predictions.loss_shares(design)
    if not shares or min(shares.values()) <= 1:
        return [], []
    usual = _usual(design, predictions)
    if usual:
        return [], [f"the loss that was reported is {usual}"]
    evidence = f"the weights agree, the recorded losses are off by {min(shares.values()):.3g} times the tolerance"
    for hypothesis in HYPOTHESES.values():
        fault = cause_of(hypothesis, hypothesis.values[0])
        changed = fault.to(design) if hypothesis.kind in ("loss", "penalty") and not hypothesis.free else None
        if changed is not None and min(predictions.loss_shares(changed).values(), default=math.inf) <= 1:
            text = f"of the loss that was reported, not of the steps: {fault.text}"
            return [Finding(id=hypothesis.id, text=text, evidence=evidence, change=hypothesis.change)], []
    text = "the reported loss is neither the data loss nor the objective of the batch before the step"
    return [Finding(id="loss-reported", text=text, evidence=evidence, change="report the loss of the step's batch")], []


def _usual(design: Design, predictions: Engine) -> str:
    """Another quantity that people report, by its name, if the record is that.

    Each is a linear map of the losses of the steps, ``A @ loss``, and has their bounds carried through it.
    """
    recording = predictions.recording
    assert recording.loss is not None
    profile = recording.profiles["loss"]
    for piece in predictions.losses(design):
        losses = Bounded(piece.value[:, None], piece.allowance[:, None], profile)
        for name, matrix in _maps("loss", np.array([len(rows) for rows in design.rows], float), design.epoch).items():
            reported: Any = Bounded.tensor(matrix, profile) @ losses
            held = expect(piece.quantity, piece.steps, recording.loss, reported[:, 0], profile.compute)
            if np.max(held.share) <= 1:
                return name
    return ""


def _maps(what: str, sizes: Array, epoch: Array) -> dict[str, Array]:
    """What people make of the losses of the steps, ``(K, K)`` each."""
    steps = len(sizes)
    sums = np.tri(steps)
    of_epoch = sums * (epoch[:, None] == epoch[None, :])
    return {
        f"the {what} times the number of rows of the batch": np.diag(sizes),
        f"the mean of every {what} so far": sums / sums.sum(axis=1, keepdims=True),
        f"the mean of every {what} of the epoch so far": of_epoch / of_epoch.sum(axis=1, keepdims=True),
        f"the sum of every {what} so far": sums,
        f"the {what} of the step before": np.eye(steps, k=-1) + np.diag(np.eye(steps)[0]),
    }
