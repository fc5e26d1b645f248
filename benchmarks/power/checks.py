"""The checks of the judge one by one, each with its largest error ÷ tolerance: above 1 no correct code can be.

``initial``: the weights before the first step, to half an ulp. ``steps``: how many there are; ∞ where there are
others, and then nothing else is held against correct code. ``weight``, ``bias``: each whole step from the recorded
weights. ``loss``: of each batch, with or without the penalties. ``links``: what was measured of the links of the steps,
either all as asked (0) or not (∞).
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np

from parity.experiment import Experiment
from parity.explain.finding import Diagnosis
from parity.explain.initial import started
from parity.step.design import as_asked
from parity.step.engine import Engine
from parity.step.recording import recording_of, with_zeros
from refimpl.arithmetic.formats import FORMATS
from refimpl.trajectory import Trajectory
from refimpl.types import Array

CHECKS = ("initial", "steps", "weight", "bias", "loss", "links")


@np.errstate(over="ignore", invalid="ignore", divide="ignore")  # of a run that diverges
def checks(experiment: Experiment, trajectory: Trajectory, diagnosis: Diagnosis) -> dict[str, float]:
    """The largest error ÷ tolerance of each check that applies."""
    design = as_asked(experiment)
    trajectory, missing = with_zeros(trajectory, design.material.params)
    recording, finite = recording_of(trajectory)
    begin = {name: values[:1] for name, values in recording.weights.items() if name not in missing}
    shares = {"initial": _initial(design.material.params, begin, recording.dtype)}
    shares["steps"] = 0.0 if finite and recording.steps == design.steps else math.inf
    if shares["steps"] == 0:
        predictions = Engine(recording)
        shares |= dict.fromkeys(recording.weights, 0.0)
        for piece in predictions.expected(design):
            name = piece.quantity.parameter
            shares[name] = max(shares[name], float(np.max(piece.share)))
        if losses := predictions.loss_shares(design):
            shares["loss"] = min(losses.values())
    if diagnosis.links:
        shares["links"] = math.inf if any(link.as_asked is False for link in diagnosis.links) else 0.0
    return {name: shares[name] for name in CHECKS if name in shares}


def _initial(asked: Mapping[str, Array], recorded: Mapping[str, Array], dtype: str) -> float:
    """|w₀ − asked| ÷ ½ulp; at most 1 for what was rounded to the dtype on another way."""
    largest = 0.0
    for name, values in recorded.items():
        share = float(np.max(np.abs(values - asked[name]) / FORMATS[dtype].half_ulp(asked[name])))
        right = started(np.ravel(asked[name]), np.ravel(values), dtype)
        largest = max(largest, min(share, 1.0) if right else max(share, np.nextafter(1.0, 2.0)))
    return largest
