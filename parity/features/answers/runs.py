"""The runs and closed forms that answers are made of: float64, the reference's own."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from parity import gallery
from parity.backends.reference import run_reference
from parity.experiment import Experiment
from parity.experiment_file import load
from refimpl.exact.quadratic import quadratic, unflatten
from refimpl.penalties import L2
from refimpl.problem import Problem
from refimpl.trajectory import Trajectory
from refimpl.types import Array, Penalty


def entry(name: str, **changes: Any) -> Experiment:
    """An entry of the gallery, parts of it replaced."""
    (path,) = gallery.find(name)
    return replace(load(path), **changes)


def with_l2(name: str, lam: float, **changes: Any) -> Experiment:
    """An entry of the gallery with λ/2·‖w‖² as its only penalty; none where λ = 0."""
    return entry(name, penalties=(L2(strength=float(lam)),) if lam else (), **changes)


@np.errstate(over="ignore", invalid="ignore")  # a run that diverges is shown as it is
def run(experiment: Experiment) -> Trajectory:
    """Its run in the reference, penalties in the loss."""
    return run_reference(experiment, "loss")


def final(values: Array | None) -> float:
    """The last value of a record ``(…, 1)``."""
    assert values is not None
    return float(values[-1, 0])


def minimiser(experiment: Experiment, penalties: tuple[Penalty, ...]) -> dict[str, Array]:
    """The exact minimiser with L2 ``penalties``, where it is one only: AᵀAθ = Aᵀt, for J = ½‖Aθ − t‖²."""
    dataset = experiment.draw().dataset
    problem = Problem(model=experiment.model, loss=experiment.loss, penalties=penalties)
    A, t = quadratic(problem, dataset.X, dataset.y).stacked()
    theta = np.linalg.solve(A[0].T @ A[0], A[0].T @ t[0])
    return unflatten(problem, theta[None], dataset.X.shape[2])


def unseen(X: Array, v: Array) -> Array:
    """The part of each v ``(…, p)`` that is orthogonal to the rows of X ``(1, n, p)``: what they tell nothing of."""
    basis = np.linalg.svd(X[0], full_matrices=False)[2]
    part: Array = v - (v @ basis.T) @ basis
    return part
