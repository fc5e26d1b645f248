"""The ridge shrinks every weight, the lasso sets weights to 0.

As λ grows, every weight of the ridge falls off like 1/λ, on a smooth curve that is 0 at single values of λ at most.
The weights of the lasso are linear in λ between finitely many corners, and all exactly 0 from
λ_max = max|x_jᵀ(y − ȳ)|/n on.

Rows and targets are centred; the loss is ``½·mean(r²)``. *Ridge*: with ``S = XᵀX/n``, ``c = Xᵀy/n`` and the
eigenvectors v of S (``Sv = sv``)::

    w(λ) = (S + λI)⁻¹c = Σ v(v·c)/(s + λ)

a sum of smooth functions of λ, with ``λw(λ) → c`` for λ → ∞: a rational function of λ, which crosses 0 at single values
of λ or is 0 everywhere. *Lasso*: as long as the set A of weights that are not 0 lasts, and their
signs σ::

    S_A w_A = c_A − λσ_A        from g_j = −λσ_j with the gradient g = Sw − c

so ``w_A = S_A⁻¹(c_A − λσ_A)`` is linear in λ. It ends at a corner, where a weight gets to 0 or another one's ``|g_j|``
gets to λ. At w = 0 the gradient is −c, so w = 0 is the minimum exactly where ``|c_j| ≤ λ`` for all j. For orthonormal
columns (``XᵀX = I``), with ``z = Xᵀy`` and α = nλ, the two are ``z/(1 + α)`` and ``sign(z)·max(|z| − α, 0)``: the ridge
shrinks every weight by the same factor, the lasso by the same amount.

Source: Hastie, Tibshirani & Friedman, *The Elements of Statistical Learning*, §3.4; Osborne, Presnell & Turlach 2000;
Efron, Hastie, Johnstone & Tibshirani 2004, *Least angle regression*.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from parity.features.bridges.bridge import LOSS, Computation, Identity, textbook
from refimpl.datasets.dataset import Dataset
from refimpl.exact.lasso import lasso
from refimpl.exact.lasso_path import lasso_path
from refimpl.exact.ridge import ridge
from refimpl.types import Array

TRUTH = 0.01 * np.array([4, -2.5, 1.5, -0.75, 0, 0, 0, 0])


@dataclass(frozen=True, kw_only=True, eq=False)
class Paths(Computation):
    """``ridge_weights`` ``(m, p)`` for each of ``strengths``, ``lasso_weights`` ``(k, p)`` at the ``corners``."""

    strengths: Array
    ridge_weights: Array
    corners: Array
    lasso_weights: Array
    truth: Array


def compute(seed: int) -> Paths:
    """On 20 rows of 8 of the textbook's features, of which only four matter."""
    experiment = textbook(seed, features=8, weight=0.0)
    drawn = experiment.draw().dataset
    data = Dataset(X=drawn.X, y=drawn.y + np.sum(drawn.X * TRUTH, axis=2, keepdims=True))  # Xw* + b* + ε
    X, y = data.X[0] - data.X[0].mean(axis=0), data.y[0, :, 0] - data.y[0].mean()
    n, p = X.shape

    path = lasso_path(data.X, data.y, LOSS)
    corners, at_corners = path.strengths, path.params["weight"][:, 0]
    middles = (corners[1:] + corners[:-1]) / 2
    between = lasso(data.X, data.y, LOSS, middles).params["weight"][:, 0]
    largest = np.max(np.abs(X.T @ y)) / n
    beyond = lasso(data.X, data.y, LOSS, largest * np.array([1 + 1e-12, 1 - 1e-6])).params["weight"][:, 0]

    strengths = np.geomspace(1e-3, 1e3, 121)
    ridges = ridge(data.X, data.y, LOSS, strengths).params["weight"][:, 0]
    solved = [np.linalg.solve(X.T @ X / n + lam * np.eye(p), X.T @ y / n) for lam in strengths]
    identities = (
        Identity(
            claim="lasso: halfway between two corners, the mean of the two",
            ways=("the lasso solved there", "the corners of the path"),
            one=between,
            other=(at_corners[1:] + at_corners[:-1]) / 2,
            promised=12,
        ),
        Identity(
            claim="lasso: the first corner is max|x_jᵀ(y − ȳ)|/n",
            ways=("the path", "the formula"),
            one=corners[0],
            other=np.array(largest),
            promised=13,
        ),
        Identity(
            claim="ridge: V diag(1/(s + λ))Vᵀc = (S + λI)⁻¹c at 121 values of λ",
            ways=("one singular value decomposition", "a linear solve for each λ"),
            one=ridges,
            other=np.array(solved),
            promised=12,
        ),
        *_orthonormal(X, y, data.y),
    )
    tenth = lasso(data.X, data.y, LOSS, largest / 10).params["weight"]
    facts = {
        "λ_max of the lasso": float(largest),
        "weights of the lasso that are not 0 just above λ_max": float(np.sum(beyond[0] != 0)),
        "weights of the lasso that are not 0 just below λ_max": float(np.sum(beyond[1] != 0)),
        "corners of the lasso's path, λ_max and 0 included": float(len(corners)),
        "exact zeros of the lasso at λ_max/10": float(np.sum(tenth == 0)),
        "exact zeros of the ridge at 121 values of λ from 0.001 to 1000": float(np.sum(ridges == 0)),
        "λ‖w‖ ÷ ‖c‖ of the ridge at λ = 1000": float(1000 * np.linalg.norm(ridges[-1]) / np.linalg.norm(X.T @ y / n)),
    }
    return Paths(
        identities=identities,
        facts=facts,
        strengths=strengths,
        ridge_weights=ridges,
        corners=corners,
        lasso_weights=at_corners,
        truth=TRUTH,
    )


def _orthonormal(X: Array, y: Array, targets: Array) -> tuple[Identity, Identity]:
    """Ridge and lasso on orthonormal columns, where each weight has a formula of its own."""
    Q = np.linalg.qr(X)[0]  # orthonormal, and centred as X is
    z, alpha = Q.T @ y, 0.5 * np.max(np.abs(Q.T @ y))
    return (
        Identity(
            claim="orthonormal columns, ridge: z/(1 + α)",
            ways=("the ridge in closed form", "the formula"),
            one=ridge(Q[None], targets, LOSS, alpha / len(X)).params["weight"][0, 0],
            other=z / (1 + alpha),
            promised=12,
        ),
        Identity(
            claim="orthonormal columns, lasso: sign(z)·max(|z| − α, 0)",
            ways=("the lasso by its active set", "the formula"),
            one=lasso(Q[None], targets, LOSS, alpha / len(X)).params["weight"][0, 0],
            other=np.sign(z) * np.maximum(np.abs(z) - alpha, 0),
            promised=12,
        ),
    )
