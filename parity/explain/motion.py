"""How one parameter moved in a run, beside what it may have been moved by: what an update law is measured on.

The gradient of the data loss is the reference's own, at the weights that the run itself had, with a bound on what a
correct implementation may have instead. Nothing that the run says of its gradients is used.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from parity.experiment import Material
from parity.formulation import Realised
from parity.step.design import Design
from parity.step.engine import Engine
from parity.step.passes import Pass
from parity.step.recording import complete
from refimpl.arithmetic.bounded import Bounded, Profile
from refimpl.arithmetic.formats import Format
from refimpl.training import hyper_parameters
from refimpl.trajectory import Trajectory
from refimpl.types import Array

COVARIANCE = "cov(x, y)"


@dataclass(frozen=True, kw_only=True)
class Motion:
    """One parameter over K steps; steps are the leading axis.

    ``weights`` ``(K + 1, …)``: before each step and at the end, exact. ``gradient`` ``(K, …)``: of the data loss,
    without penalty, at those weights, :class:`Bounded`. ``pieces``: other sums over the batch by name, as ``gradient``.
    ``factor`` ``(K,)``: η_k/η₀ as the schedule has it. ``format``: in which the weights are stored. ``profile``: of the
    update's arithmetic.
    """

    parameter: str
    weights: Array
    gradient: Any
    format: Format
    profile: Profile
    factor: Array
    pieces: Mapping[str, Any] = field(default_factory=dict)

    @property
    def moves(self) -> Array:
        """Δw_k = w_{k+1} − w_k, ``(K, …)``, exact in the carrier of the bounds."""
        weights = np.asarray(self.weights, np.longdouble)
        moved: Array = weights[1:] - weights[:-1]
        return moved


def motions(form: Realised, material: Material, trajectory: Trajectory, *, form_factor: float = 1.0) -> list[Motion]:
    """Every parameter of a recorded run; its weights must have been recorded at every step."""
    design, recording = Design(form=form, material=material), complete(trajectory, form=form_factor)
    engine, update = Engine(recording), recording.profiles["update"]

    def sums(made: Pass) -> dict[str, Any]:
        """Of the batch of each step: the gradients by parameter and, for the weights, the covariance."""
        return made.data_gradient | {COVARIANCE: _covariance(made.X, made.y)}

    made = engine.passes.every(design, engine.arithmetic("loss"), sums)
    lifted = {name: Bounded(values.value, values.error, update) for name, values in made.items()}
    return [
        Motion(
            parameter=name,
            weights=recording.weights[name],
            gradient=lifted[name],
            pieces={COVARIANCE: lifted[COVARIANCE]} if name == "weight" else {},
            format=recording.format(name),
            profile=update,
            factor=rate_factor(design, name),
        )
        for name in form.optimizers
    ]


def rate_factor(design: Design, name: str) -> Array:
    """η_k/η₀ at each step, 1 where nothing is scheduled."""
    lr = hyper_parameters(design.form.optimizers[name]).get("lr")
    return design.rates(name) / float(lr) if lr else np.ones(design.steps)


def _covariance(X: Any, y: Any) -> Any:
    """mean(x·y) − mean(x)·mean(y) over each batch ``(steps, 1, p)``: that error when ``(n, 1)`` meets ``(n,)``."""
    n = X.shape[1]
    mean_x, mean_y = X.sum(axis=1) / n, y.sum(axis=1) / n
    mean_xy = (X.swapaxes(1, 2) @ y)[:, :, 0] / n
    return (mean_xy - mean_x * mean_y).reshape(len(mean_xy), 1, -1)
