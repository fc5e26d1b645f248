"""Early stopping is a ridge.

Gradient descent without a penalty, started at w = 0 and stopped after k steps, gives the weights of a ridge whose
strength is λ_k(s) = s/((1 − ηs)⁻ᵏ − 1) along each direction of the data, where s is the variance of the rows in that
direction; to first order, and never more than, 1/(ηk).

Rows and targets are centred, which eliminates the unpenalised bias. With ``S = XᵀX/n``, ``c = Xᵀy/n`` and the
eigenvectors v of S (``Sv = sv``), the gradient of ``½·mean(r²)`` is ``Sw − c``, so along v, with ``z = v·w``::

    z ← z − η(sz − v·c)                          one step
    z_k = (1 − (1 − ηs)ᵏ)·(v·c)/s                k steps from z = 0: a geometric sum
    z   = s/(s + λ)·(v·c)/s                      the ridge, from sz + λz = v·c

Both are the least squares solution ``(v·c)/s`` times a filter. The filters are equal where::

    1 − (1 − ηs)ᵏ = s/(s + λ)    ⟺    λ = λ_k(s) = s/((1 − ηs)⁻ᵏ − 1)

For 0 < ηs < 1 we have ``(1 − ηs)⁻ᵏ ≥ (1 + ηs)ᵏ ≥ 1 + kηs`` (Bernoulli), so ``λ_k(s) ≤ 1/(ηk)``, with equality for
s → 0; and λ_k(s) falls as s grows. So early stopping is not one ridge but a family: it shrinks the strong directions
less than the ridge with λ = 1/(ηk) does. For small η the two filters are ``1 − exp(−x)`` and ``x/(1 + x)`` with
x = kηs, and their ratio lies between 1 and 1.2985.

Source: Ali, Kolter & Tibshirani 2019, *A Continuous-Time View of Early Stopping for Least Squares* (for η → 0).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.optimize import minimize_scalar

from parity.features.bridges.bridge import LOSS, Computation, Identity, centred, textbook
from refimpl.exact.gradient_descent import iterate
from refimpl.exact.ridge import ridge
from refimpl.models.linear import Linear
from refimpl.optimizers.sgd import SGD
from refimpl.problem import Problem
from refimpl.training import Group, train
from refimpl.types import Array

LR = 0.05
SHORT, LONG = 60, 4000
"""The iterates whose weights are compared."""


@dataclass(frozen=True, kw_only=True, eq=False)
class EarlyStopping(Computation):
    """``steps`` k and ``strengths`` λ, both ``(m,)``: where the two validation losses are taken.

    ``directions``: s of the strongest, the middle and the weakest direction; ``effective``: λ_k(s), ``(3, m)``.
    """

    steps: Array
    strengths: Array
    directions: Array
    effective: Array
    stopped_loss: Array
    ridge_loss: Array


def effective_strength(lr: float, steps: Array, s: Array) -> Array:
    """λ_k(s) = s(1 − ηs)ᵏ/(1 − (1 − ηs)ᵏ), elementwise, for 0 < ηs < 1: 0 where nothing is left of the start."""
    logarithm = steps * np.log1p(-lr * s)  # log (1 − ηs)ᵏ
    strength: Array = s * np.exp(logarithm) / -np.expm1(logarithm)
    return strength


def compute(seed: int) -> EarlyStopping:
    """On 100 rows of the textbook's data with ten times its noise, so that there is something to overfit."""
    experiment = textbook(seed, train_rows=100, noise=0.1)
    data = centred(experiment.draw().dataset)
    assert data.X_validation is not None and data.y_validation is not None
    problem = Problem(model=Linear(bias=False), loss=LOSS)
    n, p = data.X.shape[1:]
    S, c = data.X[0].T @ data.X[0] / n, data.X[0].T @ data.y[0, :, 0] / n
    s, V = np.linalg.eigh(S)
    seen = s > p * np.finfo(float).eps * s[-1]
    start = {"weight": np.zeros((1, 1, p))}
    order = ((np.arange(n),),) * SHORT  # all rows at each step
    run = train(problem, [Group(parameters=("weight",), optimizer=SGD(lr=LR))], start, data.X, data.y, order)
    closed = iterate(problem, data.X, data.y, start, lr=LR, steps=LONG)
    way = "one linear solve with λ_k(s) on each eigenvector"
    identities = (
        Identity(
            claim=f"w after {SHORT} steps = the ridge with λ_k(s)",
            ways=("the recursion", way),
            one=run.params["weight"][-1, 0, 0],
            other=_solved(S, c, s, V, seen, SHORT),
            promised=12,
        ),
        Identity(
            claim=f"w after {LONG} steps = the ridge with λ_k(s)",
            ways=("the iterate in closed form", way),
            one=closed["weight"][0, 0],
            other=_solved(S, c, s, V, seen, LONG),
            promised=11,
        ),
    )

    steps = np.unique(np.geomspace(1, LONG, 80).round().astype(int))
    strengths = 1 / (LR * steps)
    filters = -np.expm1(steps[:, None] * np.log1p(-LR * s[seen]))  # 1 − (1 − ηs)ᵏ
    stopped = (filters * (c @ V[:, seen]) / s[seen]) @ V[:, seen].T
    ridges = ridge(data.X, data.y, LOSS, strengths, intercept=False).params["weight"]
    pair = stopped[:, None], ridges
    stopped_loss, ridge_loss = (problem.data_loss({"weight": w}, data.X_validation, data.y_validation) for w in pair)
    directions = s[seen][[-1, np.sum(seen) // 2, 0]]
    effective = effective_strength(LR, steps, directions[:, None])
    apart = np.linalg.norm(pair[0] - pair[1], axis=2) / np.linalg.norm(ridges, axis=2)
    ratio = minimize_scalar(lambda x: np.expm1(-x) * (1 + x) / x, bounds=(0.1, 10))
    best = int(np.argmin(stopped_loss))
    facts = {
        "k with the least validation loss": float(steps[best]),
        "1/(ηk) there": float(strengths[best]),
        "validation loss there": float(stopped_loss[best]),
        "λ of the ridge with the least validation loss": float(strengths[np.argmin(ridge_loss)]),
        "validation loss of that ridge": float(np.min(ridge_loss)),
        "λ_k(s)·ηk at that k, weakest direction": float(effective[2, best] / strengths[best]),
        "λ_k(s)·ηk at that k, strongest direction": float(effective[0, best] / strengths[best]),
        "largest ‖w_k − w_ridge‖ ÷ ‖w_ridge‖ with λ = 1/(ηk), over all k": float(np.max(apart)),
        "largest ratio of the filters 1 − exp(−x) and x/(1 + x)": -float(ratio.fun),
    }
    return EarlyStopping(
        identities=identities,
        facts=facts,
        steps=steps,
        strengths=strengths,
        directions=directions,
        effective=effective,
        stopped_loss=stopped_loss,
        ridge_loss=ridge_loss,
    )


def _solved(S: Array, c: Array, s: Array, V: Array, seen: Array, k: int) -> Array:
    """(S + VΛVᵀ)⁻¹c with Λ = λ_k(s); any λ where there are no data, because c has nothing there."""
    strength = np.ones(len(s))
    strength[seen] = effective_strength(LR, np.array(k), s[seen])
    return np.linalg.solve(S + (V * strength) @ V.T, c)
