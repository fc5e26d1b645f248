"""Dropout on the inputs is a ridge.

Training a linear model with dropout of rate q on its inputs minimises, on average over the masks, the loss without
dropout plus λ_j/2·w_j² for each weight, with λ_j = q/(1 − q)·mean(x_j²) for the loss ½·mean(r²): a ridge whose matrix
is the diagonal of XᵀX/n.

torch's dropout keeps each input with probability 1 − q and divides what it keeps by 1 − q. So row x becomes ``m∘x``,
with independent m_j of mean 1 and mean square ``(1 − q)/(1 − q)² = 1/(1 − q)``, hence of variance ``q/(1 − q)``.
The residual ``r̃ = (m∘x)·w + b − y`` is a sum of independent terms, hence::

    E r̃  = x·w + b − y = r
    Var r̃ = Σ_j x_j²w_j² Var m_j = q/(1 − q)·Σ_j x_j²w_j²       variances of independent terms add
    E r̃² = (E r̃)² + Var r̃ = r² + q/(1 − q)·Σ_j x_j²w_j²

The mean over the rows, halved, is the statement. For ``c·reduce(r²)`` the strength is ``2c·q/(1 − q)·reduce(x_j²)``:
with ``MSELoss`` it is doubled. The bias, which no mask meets, is not penalised. With ``v_j = w_j√λ_j`` it is an
ordinary ridge of strength 1 on the columns ``x_j/√λ_j``: dropout does not care about the units of a feature.

Source: Srivastava et al. 2014, *Dropout*, §9.1; Wager, Wang & Liang 2013, *Dropout Training as Adaptive
Regularization*.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product

import numpy as np

from parity.features.bridges.bridge import LOSS, Computation, Identity, textbook
from refimpl.exact.ridge import ridge
from refimpl.types import Array

RATE = 0.4
"""q of the identities and of the distances."""
COPIES = 2 ** np.arange(2, 11)
"""How often the rows are repeated, each time with new masks."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Dropout(Computation):
    """``weights``: of the ridge for each q in ``rates``, ``(m, p)``; ``trained``: with masks, for ``trained_rates``.

    ``distances``: ‖w − w_ridge‖ ÷ ‖w_ridge‖ with that many ``copies`` of the rows, root mean square of 8 repetitions.
    """

    rates: Array
    weights: Array
    trained_rates: Array
    trained: Array
    copies: Array
    distances: Array


def compute(seed: int) -> Dropout:
    """On 20 rows of the textbook's data with 8 features, of whose masks there are 256."""
    data = textbook(seed, features=8).draw().dataset
    X, y = data.X[0], data.y[0, :, 0]
    rng = np.random.default_rng([seed, 1])
    w, b = rng.normal(0, 0.01, 8), 0.05  # any weights

    masks = np.array(list(product((0, 1), repeat=8)))
    probability = RATE ** np.sum(1 - masks, axis=1) * (1 - RATE) ** np.sum(masks, axis=1)
    every = _masked(X, masks[:, None], RATE)  # (256, n, p)
    residual = every @ w + b - y
    counted = probability @ np.mean(residual**2, axis=1) / 2
    slope = np.einsum("m,mn,mnp->p", probability, residual, every) / len(X)
    solved = _least_squares(every, y, probability)
    plain, strengths = X @ w + b - y, _strengths(X, RATE)
    ridge_weight = _ridge(X, y, RATE)
    way = "every mask of every row, weighted by its probability"
    identities = (
        Identity(
            claim="E ½·mean(r̃²) = ½·mean(r²) + Σλ_j/2·w_j² at any w, b",
            ways=(way, "the formula"),
            one=np.array(counted),
            other=np.mean(plain**2) / 2 + strengths @ w**2 / 2,
            promised=13,
        ),
        Identity(
            claim="∂/∂w of it = Xᵀr/n + λ∘w",
            ways=(way, "the formula"),
            one=slope,
            other=X.T @ plain / len(X) + strengths * w,
            promised=13,
        ),
        Identity(
            claim="its minimiser = the ridge of strength 1 on the columns x_j/√λ_j",
            ways=("least squares on the 256·20 masked rows, weighted likewise", "the ridge in closed form"),
            one=solved,
            other=ridge_weight,
            promised=12,
        ),
    )

    rates, trained_rates = np.linspace(0, 0.9, 91), np.linspace(0.1, 0.9, 9)
    trained = [_least_squares(_draw(rng, X, q, int(COPIES[-1])), y) for q in trained_rates]
    distances = [
        [np.linalg.norm(_least_squares(_draw(rng, X, RATE, int(copies)), y) - ridge_weight) for _ in range(8)]
        for copies in COPIES
    ]
    losses = np.mean((_draw(rng, X, RATE, 4096) @ w + b - y) ** 2, axis=1) / 2
    error = np.std(losses, ddof=1) / np.sqrt(len(losses))
    relative = np.sqrt(np.mean(np.square(distances), axis=1)) / np.linalg.norm(ridge_weight)
    slope_of_log = np.polyfit(np.log(COPIES), np.log(relative), 1)[0]
    facts = {
        "loss of 4,096 random masks, mean": float(np.mean(losses)),
        "standard error of that mean": float(error),
        "distance to the formula ÷ standard error": float((np.mean(losses) - identities[0].other) / error),
        f"‖w − w_ridge‖ ÷ ‖w_ridge‖ with {COPIES[0]} copies of the rows": float(relative[0]),
        f"‖w − w_ridge‖ ÷ ‖w_ridge‖ with {COPIES[-1]} copies of the rows": float(relative[-1]),
        "its power of the number of copies (−½ by the law of large numbers)": float(slope_of_log),
    }
    return Dropout(
        identities=identities,
        facts=facts,
        rates=rates,
        weights=np.array([_ridge(X, y, q) for q in rates]),
        trained_rates=trained_rates,
        trained=np.array(trained),
        copies=COPIES,
        distances=relative,
    )


def _strengths(X: Array, q: float) -> Array:
    """λ_j = q/(1 − q)·mean(x_j²), ``(p,)``."""
    strengths: Array = q / (1 - q) * np.mean(X**2, axis=0)
    return strengths


def _masked(X: Array, masks: Array, q: float) -> Array:
    """The features after torch's dropout: m∘x/(1 − q), m of 0 and 1."""
    masked: Array = masks * X / (1 - q)
    return masked


def _draw(rng: np.random.Generator, X: Array, q: float, copies: int) -> Array:
    """The rows so many times, each time with other masks, ``(copies, n, p)``."""
    return _masked(X, rng.random((copies, *X.shape)) >= q, q)


def _ridge(X: Array, y: Array, q: float) -> Array:
    """The minimiser of ½·mean(r²) + Σλ_j/2·w_j² through v_j = w_j√λ_j; plain least squares at q = 0."""
    scale = np.sqrt(_strengths(X, q)) if q else np.ones(X.shape[1])
    solution = ridge((X / scale)[None], y[None, :, None], LOSS, float(q > 0))
    weight: Array = solution.params["weight"][0, 0] / scale  # w_j = v_j/√λ_j
    return weight


def _least_squares(rows: Array, y: Array, probability: Array | None = None) -> Array:
    """The weights (without the bias) of least squares on ``(copies, n, p)`` rows, each copy weighted, ``(copies,)``."""
    copies, n, p = rows.shape
    weights = np.repeat(np.ones(copies) if probability is None else probability, n)
    M = np.column_stack([rows.reshape(-1, p), np.ones(copies * n)])
    solution: Array = np.linalg.solve((M.T * weights) @ M, (M.T * weights) @ np.tile(y, copies))
    return solution[:p]
