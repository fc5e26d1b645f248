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
from parity.step.arithmetics import Rounding
from parity.step.profile import profile_of
from refimpl.arithmetic.bounded import Bounded, Profile
from refimpl.arithmetic.formats import FORMATS, Format
from refimpl.training import hyper_parameters, scheduled
from refimpl.trajectory import Trajectory
from refimpl.types import Array


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
    loss, update = (Rounding(profile_of(trajectory, part, form=form_factor)) for part in ("loss", "update"))
    gradients, pieces = _by_step(form, material, trajectory, loss)
    found = []
    for name in form.optimizers:
        stored = FORMATS[trajectory.formats.get(name, loss.profile.compute.name)]
        found.append(
            Motion(
                parameter=name,
                weights=trajectory.params[name][:, 0],
                gradient=_under(gradients[name], update.profile),
                pieces={piece: _under(values, update.profile) for piece, values in pieces.get(name, {}).items()},
                format=stored,
                profile=update.profile,
                factor=rate_factor(form, material, name),
            )
        )
    return found


def rate_factor(form: Realised, material: Material, name: str) -> Array:
    """η_k/η₀ at each step, 1 where nothing is scheduled."""
    epochs = np.array([epoch for epoch, batches in enumerate(material.order) for _ in batches])
    counts = epochs if form.schedule.per == "epoch" else np.arange(len(epochs))
    base = form.optimizers[name]
    lr = hyper_parameters(base).get("lr")
    if not lr:
        return np.ones(len(epochs))
    rates = hyper_parameters(scheduled(base, form.schedule, counts))["lr"]
    return np.broadcast_to(np.asarray(rates, float) / float(lr), epochs.shape)


def _by_step(
    form: Realised, material: Material, trajectory: Trajectory, arithmetic: Rounding
) -> tuple[dict[str, list[Bounded]], dict[str, dict[str, list[Bounded]]]]:
    """Data gradient and pieces of every parameter, one entry per step."""
    problem = arithmetic.hyper(form.in_gradient)
    gradients: dict[str, list[Any]] = {name: [] for name in form.optimizers}
    pieces: dict[str, dict[str, list[Any]]] = {}
    X_all, y_all = trajectory.inputs["X"], trajectory.inputs["y"]
    for step, rows in enumerate(rows for batches in material.order for rows in batches):
        X, y = arithmetic.tensor(X_all[:, rows]), arithmetic.tensor(y_all[:, rows])
        params: Any = {name: arithmetic.tensor(values[step]) for name, values in trajectory.params.items()}
        upstream = problem.loss.gradient(problem.model.forward(params, X), y)
        for name, gradient in problem.model.backward(params, X, upstream).items():
            gradients[name].append(gradient)
        if "weight" in params:
            pieces.setdefault("weight", {}).setdefault("cov(x, y)", []).append(_covariance(X, y))
    return gradients, pieces


def _covariance(X: Any, y: Any) -> Any:
    """mean(x·y) − mean(x)·mean(y) over the batch: by what subtracting ``(n, 1)`` from ``(n,)`` errs."""
    n = X.shape[1]
    mean_x, mean_y = X.sum(axis=1) / n, y.sum(axis=1) / n
    mean_xy = (X.swapaxes(1, 2) @ y)[:, :, 0] / n
    return (mean_xy - mean_x * mean_y).reshape(1, 1, -1)


def _under(steps: list[Bounded], profile: Profile) -> Bounded:
    """All steps as one array, from here on computed with in another arithmetic."""
    value, error = (np.concatenate([getattr(step, part) for step in steps]) for part in ("value", "error"))
    return Bounded(value, error, profile)
