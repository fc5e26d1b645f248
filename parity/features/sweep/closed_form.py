"""Beside each run of a sweep: the ridge solution of its λ, the λ of the prior, and the loss on new rows.

An epoch of m batches adds the penalty m times, so what the run descends is, summed over the batches of an epoch::

    Σ_B (c·reduce_B(r²) + λ/2·‖w‖²)        sum:   c·Σr² + mλ/2·‖w‖²             ridge with mλ in place of λ
                                           mean:  m·(c·mean(r²) + λ/2·‖w‖²)     ridge with λ

The second holds for batches of equal size. A smaller last batch gives its rows a larger weight: where the rows are
shuffled, the same for every row on average over the orders; in a fixed order, ridge of equally weighted rows is near
the run's own minimiser, not at it.

The expected loss is ``c·(σ² + s²‖w − w*‖² + (b − b*)²)``, see :mod:`refimpl.exact.selection`, in the units of the
experiment's loss: times the number of validation rows where the loss is their sum.
"""

from __future__ import annotations

import numpy as np

from parity.experiment import Experiment, Material
from refimpl.datasets import Gaussian
from refimpl.exact.ridge import ridge
from refimpl.exact.selection import expected_square, scores, strength_of_prior
from refimpl.losses import SquaredError
from refimpl.models import Linear
from refimpl.penalties import L2
from refimpl.reductions import norm
from refimpl.types import Array, Params


def has_ridge(experiment: Experiment) -> bool:
    """Whether the objective at every λ is that of ridge: one L2 penalty, of the weight of a linear model."""
    decays = any(getattr(o, "weight_decay", 0) or getattr(o, "maximize", False) for o in experiment.optimizers.values())
    return (
        isinstance(experiment.loss, SquaredError)
        and isinstance(experiment.model, Linear)
        and [(type(p), p.parameters) for p in experiment.penalties] == [(L2, ("weight",))]
        and not decays
    )


def prior_strength(experiment: Experiment) -> float | None:
    """The λ of the noise and the weights that made the data; None where they are unknown."""
    data, loss = experiment.data, experiment.loss
    if not (has_ridge(experiment) and isinstance(data, Gaussian) and isinstance(loss, SquaredError) and data.weight):
        return None
    whole = strength_of_prior(loss, data.train_rows, noise=float(data.noise), width=abs(float(data.weight)))
    return whole / _times(experiment, len(experiment.batches.draw(data.train_rows, 1, np.random.default_rng(0))[0]))


def of_ridge(experiment: Experiment, strengths: Array, material: Material, params: Params) -> dict[str, Array]:
    """The curves of the ridge solutions of one seed, and how far the trained weights are from them."""
    data, loss, model = material.dataset, experiment.loss, experiment.model
    assert isinstance(loss, SquaredError) and isinstance(model, Linear)
    strengths = strengths * _times(experiment, len(material.order[0]))
    solution = ridge(data.X, data.y, loss, strengths, intercept=model.bias)
    estimates = scores(data.X, data.y, loss, strengths, intercept=model.bias)
    curves = {
        "ridge_norm": norm(solution.params["weight"]),
        "ridge_distance": norm(params["weight"] - solution.params["weight"]),
        "degrees_of_freedom": solution.degrees_of_freedom,
        "gcv": estimates.gcv,
        "leave_one_out": estimates.leave_one_out,
    }
    if data.X_validation is not None and data.y_validation is not None:
        outputs = model.forward(solution.params, data.X_validation)
        curves["ridge_validation_loss"] = loss.value(outputs, data.y_validation)
    return curves | expected("ridge_expected_loss", experiment, material, solution.params)


def _times(experiment: Experiment, batches: int) -> int:
    """How often an epoch adds the penalty to the loss of all rows, in the units of that loss."""
    assert isinstance(experiment.loss, SquaredError)
    return batches if experiment.loss.reduction == "sum" else 1


def expected(name: str, experiment: Experiment, material: Material, params: Params) -> dict[str, Array]:
    """The expected loss on as many new rows as the validation has; nothing where the truth is unknown."""
    data, loss, dataset = experiment.data, experiment.loss, material.dataset
    if not (isinstance(data, Gaussian) and isinstance(loss, SquaredError) and isinstance(experiment.model, Linear)):
        return {}
    assert dataset.truth is not None
    rows = data.validation_rows or data.train_rows
    square = expected_square(params, dataset.truth, noise=float(data.noise), scale=float(data.scale))
    return {name: float(loss.factor) * (rows if loss.reduction == "sum" else 1) * square}
