"""Decay on the bias pulls every prediction towards zero.

Where the bias is penalised like the weights, with κ/2·b² beside the loss ½·mean(r²), the predictions on the training
rows are wrong on average by exactly −κb, and the result depends on the zero of the targets' scale: y in °C and y in K
give different models. Without that penalty the mean residual is 0 and a shift of y shifts every prediction by as much.

At the minimum ``∂J/∂b = mean(r) + κb = 0``, which is the first statement. With ``m = ȳ − x̄·w`` the loss is
``½·mean(r_c²) + ½(b − m)²``, where r_c are the residuals of centred rows and targets. For given w::

    b = m/(1 + κ)                                  the minimum over b of ½(b − m)² + κ/2·b²
    ½(b − m)² + κ/2·b² = κ/(1 + κ)·m²/2            its value

so that the weights minimise ``½·mean(r_c²) + λ/2·‖w‖² + κ/(1 + κ)·(ȳ − x̄·w)²/2``: the ridge with one row of data
more, which asks the weights to do the work of the bias. It is absent where κ = 0, and there the weights depend on
differences of targets only. With κ > 0, targets ``y + t`` give ``w + t·u`` and ``b + t·a``, because everything is
linear in y; a is less than 1, so the error grows with t and the loss with t². For ``c·reduce(r²)`` with ``h = 2c``
(mean) the same holds with κ/h and λ/h in place of κ and λ. torch's ``weight_decay`` reaches the bias unless a parameter
group excludes it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from parity.features.bridges.bridge import LOSS, Computation, Identity, textbook
from refimpl.datasets.dataset import Dataset
from refimpl.exact.quadratic import quadratic, unflatten
from refimpl.exact.ridge import ridge
from refimpl.models.linear import Linear
from refimpl.penalties.l2 import L2
from refimpl.problem import Problem
from refimpl.types import Array, Params

STRENGTH = 3.0
"""λ of the textbook; of the bias, too, where it is decayed."""
SHIFT = 1.0
"""The number that is added to the targets in the picture of predictions."""


@dataclass(frozen=True, kw_only=True, eq=False)
class BiasDecay(Computation):
    """``shifts`` t of the targets with the ``validation_loss`` for κ in ``bias_strengths``, ``(3, m)``.

    ``targets``: validation targets + 1; ``predictions`` for them, without and with the bias decayed, ``(2, n)``.
    """

    bias_strengths: Array
    shifts: Array
    validation_loss: Array
    targets: Array
    predictions: Array


def compute(seed: int) -> BiasDecay:
    """On the textbook's data, whose targets lie around 0.05, with λ = 3."""
    experiment = textbook(seed)
    data = experiment.draw().dataset
    assert data.X_validation is not None and data.y_validation is not None
    X, y = data.X[0], data.y[0, :, 0]
    decayed, free = (_minimiser(data, kappa) for kappa in (STRENGTH, 0.0))
    shifted, decayed_shifted = (_minimiser(data, kappa, SHIFT) for kappa in (0.0, STRENGTH))
    w, b = decayed["weight"][0, 0], decayed["bias"][0, 0]

    ridges = ridge(data.X, data.y, LOSS, STRENGTH).params
    least_squares = "least squares over (w, b)"
    identities = (
        Identity(
            claim="mean(r) of the training rows = −κb",
            ways=("the residuals of the minimiser", "its bias"),
            one=np.mean(X @ w + b - y),
            other=-STRENGTH * b,
            promised=11,
        ),
        Identity(
            claim="its w = the ridge without bias on centred rows and one row more",
            ways=(least_squares, "n + 1 dual equations"),
            one=w,
            other=_one_row_more(X, y),
            promised=12,
        ),
        Identity(
            claim="κ = 0: (w, b) = the ridge with unpenalised intercept",
            ways=(least_squares, "the ridge in closed form"),
            one=_vector(free),
            other=_vector(ridges),
            promised=12,
        ),
        Identity(
            claim=f"κ = 0: targets + {SHIFT:g} give b + {SHIFT:g} and the same w",
            ways=("targets shifted", "targets as they are"),
            one=_vector(shifted),
            other=_vector(free) + np.append(np.zeros(w.size), SHIFT),
            promised=12,
        ),
    )

    kappas, shifts = np.array([0.0, 0.3, STRENGTH]), np.linspace(-1, 1, 41)
    lines = [(_minimiser(data, kappa), _minimiser(data, kappa, 1)) for kappa in kappas]  # linear in t
    losses = [[_validation(data, _between(*line, t), t)[1] for t in shifts] for line in lines]
    facts = {
        "b without decay": float(free["bias"][0, 0]),
        f"b with κ = {STRENGTH:g}": float(b),
        "mean residual on the training rows with it": float(np.mean(X @ w + b - y)),
        "validation loss without decay of the bias": _validation(data, free, 0)[1],
        f"validation loss with κ = {STRENGTH:g}": _validation(data, decayed, 0)[1],
        f"validation loss without decay of the bias, targets + {SHIFT:g}": _validation(data, shifted, SHIFT)[1],
        f"validation loss with κ = {STRENGTH:g}, targets + {SHIFT:g}": _validation(data, decayed_shifted, SHIFT)[1],
        "by how much b follows targets + 1, without decay": float(shifted["bias"][0, 0] - free["bias"][0, 0]) / SHIFT,
        f"by how much b follows targets + 1, κ = {STRENGTH:g}": float(decayed_shifted["bias"][0, 0] - b) / SHIFT,
    }
    return BiasDecay(
        identities=identities,
        facts=facts,
        bias_strengths=kappas,
        shifts=shifts,
        validation_loss=np.array(losses),
        targets=data.y_validation[0, :, 0] + SHIFT,
        predictions=np.array([_validation(data, params, SHIFT)[0] for params in (shifted, decayed_shifted)]),
    )


def _one_row_more(X: Array, y: Array) -> Array:
    """The ridge without bias on centred rows and one row more, in its dual form w = Xᵀ(XXᵀ + nλ)⁻¹y."""
    n = len(X)
    root = np.sqrt(n * STRENGTH / (1 + STRENGTH))  # of a row that counts κ/(1 + κ) in a mean over n rows
    X_more = np.vstack([X - X.mean(axis=0), root * X.mean(axis=0)])
    y_more = np.append(y - y.mean(), root * y.mean())
    gram = X_more @ X_more.T + n * STRENGTH * np.eye(n + 1)
    w: Array = X_more.T @ np.linalg.solve(gram, y_more)
    return w


def _problem(kappa: float) -> Problem:
    """½·mean(r²) + λ/2·‖w‖² + κ/2·b²."""
    penalties = L2(strength=STRENGTH), L2(strength=kappa, parameters=("bias",))
    return Problem(model=Linear(), loss=LOSS, penalties=penalties)


def _minimiser(data: Dataset, kappa: float, shift: float = 0.0) -> Params:
    """The minimiser of J = ½‖Aθ − t‖² for the targets y + shift."""
    problem = _problem(kappa)
    A, t = quadratic(problem, data.X, data.y + shift).stacked()
    return unflatten(problem, np.linalg.lstsq(A[0], t[0])[0][None], data.X.shape[2])


def _between(start: Params, end: Params, t: float) -> Params:
    """start + t·(end − start)."""
    return {name: start[name] + t * (end[name] - start[name]) for name in start}


def _validation(data: Dataset, params: Params, shift: float) -> tuple[Array, float]:
    """Predictions ``(n,)`` and loss without penalty on the validation rows, their targets shifted, too."""
    assert data.X_validation is not None and data.y_validation is not None
    problem = _problem(0)
    outputs = problem.model.forward(params, data.X_validation)
    return outputs[0, :, 0], float(problem.loss.value(outputs, data.y_validation + shift)[0])


def _vector(params: Params) -> Array:
    """(w, b), ``(p + 1,)``."""
    return np.append(params["weight"], params["bias"])
