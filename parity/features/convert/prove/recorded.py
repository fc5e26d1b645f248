"""R's glmnet and MASS, which run in R: held to what they printed for R's data set mtcars (recorded.R, recorded.json).

The columns are centred, and divided by their standard deviations where the library does so; the printed coefficients
are carried along: ``b + Σ x̄ⱼwⱼ`` is the intercept on centred columns, ``sⱼwⱼ`` the weight on divided ones.

glmnet stops when a sweep moved no coordinate further than ``√thresh = 1e-15`` in standard units, ``δⱼ = 1e-15·s_y/sⱼ``,
so ``|∂J|_k ≤ Σ_l|H_kl|δ_l`` as with any coordinate descent, and ``‖Δ‖ ≤ ‖∂J‖/m``. lm.ridge solves by its SVD.
"""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from parity.features.convert.prove.peer_run import PeerRun, direct_bound
from parity.features.convert.prove.sample import Sample, solved
from refimpl.conventions import CONVENTIONS
from refimpl.objective import Convention, Facts
from refimpl.types import Array

RECORD = Path(__file__).with_name("recorded.json")
THRESHOLD = 1e-30


def run(convention: Convention) -> PeerRun:
    """The worst of the recorded runs of this library."""
    return _worst(convention.name, RECORD)


@cache
def _worst(name: str, path: Path) -> PeerRun:
    record = json.loads(path.read_text(encoding="utf-8"))
    X, y = np.array(record["X"]), np.array(record["y"])
    entries = [one for one in record["runs"] if one["library"] == name]
    distances = [_distance(CONVENTIONS[name](**one["options"]), one["coefficients"], X, y) for one in entries]
    distance, allowed = max(distances, key=lambda pair: pair[0] / pair[1])
    package, versions = {"glmnet": "glmnet", "MASS.lm.ridge": "MASS"}[name], record["versions"]
    return PeerRun(
        library=name,
        how="recorded",
        text=f"not run here: {len(distances)} results recorded from {package} {versions[package]}, R {versions['R']}",
        distance=distance,
        allowed=allowed,
    )


def _distance(convention: Any, coefficients: list[float], X: Array, y: Array) -> tuple[float, float]:
    """Distance to the exact minimiser, and what is allowed."""
    facts = Facts(rows=len(y), sd_y=float(y.std()))
    objective = convention.ours(facts)
    means, scales = X.mean(axis=0), X.std(axis=0) if objective.standardised else np.ones(X.shape[1])
    sample: Sample = solved((X - means) / scales, y, *objective.sum_of_squares(facts))
    bias, weight = coefficients[0], np.array(coefficients[1:])
    hessian = sample.hessian(objective)
    moved = np.append(np.sqrt(THRESHOLD) * y.std() / sample.X.std(axis=0), 0) * sample.units  # δ
    stop = np.linalg.norm(np.abs(hessian) @ moved) / np.linalg.eigvalsh(hessian)[0] / sample.size
    return sample.away(weight * scales, bias + means @ weight), float(stop) + direct_bound(objective, sample)
