"""A Gaussian prior is an L2 penalty, a Laplace prior an L1 penalty.

With noise of standard deviation σ and independent weights ~ N(0, τ²), the most probable weights are the ridge with
λ = hσ²/τ²; with weights of density exp(−|w|/β)/(2β), they are the lasso with λ = hσ²/β. Here h = 2c/N for the loss
c·reduce(r²): 1/n for ½·mean, 2/n for MSELoss. Back: τ = σ√(h/λ), β = hσ²/λ.

By Bayes ``P(w, b | X, y) ∝ P(y | X, w, b)·P(w)``, with any b equally probable beforehand. The negative logarithm is,
up to a constant::

    Σrᵢ²/(2σ²) + Σw_j²/(2τ²)        from the densities exp(−rᵢ²/(2σ²)) and exp(−w_j²/(2τ²))
    Σrᵢ²/(2σ²) + Σ|w_j|/β           from exp(−|w_j|/β)

Times hσ², which moves no minimum, the first term is ``h/2·Σrᵢ² = c·reduce(r²)``, the second ``λ/2·‖w‖²`` with
``λ = hσ²/τ²`` or ``λ‖w‖₁`` with ``λ = hσ²/β``. The Laplace density has variance 2β², so at equal width its L1 strength
is ``hσ²√2/τ``: the L2 strength falls with the square of the prior's width, the L1 strength with the width.

For the Gaussian the most probable weights are also the mean of the posterior, hence those of least expected squared
error over the draws of w and noise. Along a direction of the data with variance s that error is::

    E(w − ŵ)² = (τ²λ² + σ²s/n)/(s + λ)²          ŵ = the ridge with the loss ½·mean: bias² and variance
    its derivative in λ = 2s(τ²λ − σ²/n)/(s + λ)³

0 at ``λ = σ²/(nτ²)``, the same in every direction: the prior's λ is also the best one, if the prior is true.

Source: Hoerl & Kennard 1970, *Ridge Regression*; Tibshirani 1996, §5; Hastie, Tibshirani & Friedman, *The Elements of
Statistical Learning*, §3.4.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.optimize import Bounds, minimize, minimize_scalar

from parity.features.bridges.bridge import LOSS, Computation, Identity, textbook
from refimpl.exact.lasso import lasso
from refimpl.exact.ridge import ridge
from refimpl.types import Array

SIGMA, TAU = 0.01, 0.002
"""The textbook's noise; the width of both priors."""
TRUTHS = 60
"""How many truths are drawn for the measured error."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Priors(Computation):
    """``widths``: standard deviation of the prior, with λ ``from_gaussian`` and ``from_laplace``, n = 20, loss ½·mean.

    ``errors``: ‖ŵ − w‖² ÷ ‖w‖² of the ridge for each of ``strengths``, mean over drawn truths; ``expected``: its
    formula; ``prior_strength``: the λ of the prior that the truths were drawn from.
    """

    widths: Array
    from_gaussian: Array
    from_laplace: Array
    strengths: Array
    errors: Array
    expected: Array
    prior_strength: float


def gaussian_strength(h: float, sigma: float, tau: Array | float) -> Array:
    """λ = hσ²/τ² of the penalty λ/2·‖w‖²."""
    return np.asarray(h * sigma**2 / np.square(tau))


def laplace_strength(h: float, sigma: float, beta: Array | float) -> Array:
    """λ = hσ²/β of the penalty λ‖w‖₁."""
    return np.asarray(h * sigma**2 / beta)


def compute(seed: int) -> Priors:
    """The most probable weights on 20 rows of 8 of the textbook's features; the error on 100 rows of 50 of them."""
    data = textbook(seed, features=8, noise=SIGMA).draw().dataset
    X, y = data.X[0], data.y[0, :, 0]
    n, beta = len(X), TAU / np.sqrt(2)  # of equal standard deviation
    w_ridge = ridge(data.X, data.y, LOSS, gaussian_strength(1 / n, SIGMA, TAU)).params["weight"][0, 0]
    w_lasso = lasso(data.X, data.y, LOSS, laplace_strength(1 / n, SIGMA, beta)).params["weight"][0, 0]
    strengths = np.geomspace(0.01, 10, 31)
    errors, expected, prior_strength, best = _errors(seed, strengths)
    identities = (
        Identity(
            claim="Gaussian prior: the most probable w = the ridge with λ = hσ²/τ²",
            ways=("SciPy's BFGS on the posterior's logarithm", "the ridge in closed form"),
            one=_most_probable_gaussian(X, y),
            other=w_ridge,
            promised=6,
        ),
        Identity(
            claim="Gaussian prior: the posterior's mean = the same ridge",
            ways=("conditional mean of jointly Gaussian w, y", "the ridge in closed form"),
            one=_posterior_mean(X, y),
            other=w_ridge,
            promised=12,
        ),
        Identity(
            claim="Laplace prior: the most probable w = the lasso with λ = hσ²/β",
            ways=("SciPy's L-BFGS-B on the posterior's logarithm", "the lasso by its active set"),
            one=_most_probable_laplace(X, y, beta),
            other=w_lasso,
            promised=6,
        ),
        Identity(
            claim="λ of least expected squared error = hσ²/τ²",
            ways=("SciPy's minimum of the error over λ", "the formula"),
            one=np.array(best),
            other=np.array(prior_strength),
            promised=6,
        ),
    )
    facts = {
        "τ that the textbook's λ = 3 stands for, loss ½·mean": float(SIGMA * np.sqrt(1 / n / 3)),
        "τ that weight_decay = 3 stands for beside MSELoss": float(SIGMA * np.sqrt(2 / n / 3)),
        "λ of the width 0.01 of the textbook's weights, loss ½·mean": float(gaussian_strength(1 / n, SIGMA, 0.01)),
        "the same, weight_decay beside MSELoss": float(gaussian_strength(2 / n, SIGMA, 0.01)),
        "L1 strength of a Laplace prior of that width, loss ½·mean": float(
            laplace_strength(1 / n, SIGMA, 0.01 / np.sqrt(2))
        ),
        f"exact zeros of the 8 weights, Laplace prior of width {TAU:g}": float(np.sum(w_lasso == 0)),
        "λ of the prior, of the truths drawn": prior_strength,
        f"measured best of 31 values of λ, mean over {TRUTHS} truths": float(strengths[np.argmin(errors)]),
    }
    widths = np.geomspace(1e-4, 1e-1, 61)
    return Priors(
        identities=identities,
        facts=facts,
        widths=widths,
        from_gaussian=gaussian_strength(1 / n, SIGMA, widths),
        from_laplace=laplace_strength(1 / n, SIGMA, widths / np.sqrt(2)),
        strengths=strengths,
        errors=errors,
        expected=expected,
        prior_strength=prior_strength,
    )


def _most_probable_gaussian(X: Array, y: Array) -> Array:
    """The maximum over (w, b) of the posterior, in units of τ; its derivatives by complex steps."""

    def surprise(v: Array) -> Any:
        w, b = TAU * v[:-1], TAU * v[-1]
        r = X @ w + b - y
        return np.sum(r * r) / (2 * SIGMA**2) + np.sum(w * w) / (2 * TAU**2)

    v: Array = minimize(surprise, np.zeros(X.shape[1] + 1), jac="cs", method="BFGS", options={"gtol": 1e-11}).x
    return TAU * v[:-1]


def _posterior_mean(X: Array, y: Array) -> Array:
    """E(w | y) from the covariance ``K = τ²XXᵀ + σ²I`` of y − b; b by generalised least squares: any is as probable."""
    K = TAU**2 * X @ X.T + SIGMA**2 * np.eye(len(X))
    ones = np.linalg.solve(K, np.ones(len(X)))
    b = ones @ y / np.sum(ones)  # 1ᵀK⁻¹y/1ᵀK⁻¹1
    mean: Array = TAU**2 * X.T @ np.linalg.solve(K, y - b)  # cov(w, y)K⁻¹(y − b)
    return mean


def _most_probable_laplace(X: Array, y: Array, beta: float) -> Array:
    """The most probable w of a Laplace prior by w = β(u − v), u and v ≥ 0: |w|/β = u + v at the maximum, all smooth."""
    p = X.shape[1]
    M = beta * np.column_stack([X, -X, np.ones(len(X))])  # the outputs are Mz for z = (u, v, b/β)
    prior = np.append(np.ones(2 * p), 0)

    def surprise(z: Array) -> float:
        return float(np.sum((M @ z - y) ** 2) / (2 * SIGMA**2) + prior @ z)

    def slope(z: Array) -> Array:
        gradient: Array = M.T @ (M @ z - y) / SIGMA**2 + prior
        return gradient

    bounds = Bounds(np.append(np.zeros(2 * p), -np.inf), np.inf)
    options: Any = {"ftol": 0, "gtol": 1e-12}
    z: Array = minimize(surprise, np.zeros(2 * p + 1), jac=slope, method="L-BFGS-B", bounds=bounds, options=options).x
    return beta * (z[:p] - z[p:-1])


def _errors(seed: int, strengths: Array) -> tuple[Array, Array, float, float]:
    """‖ŵ − w‖² ÷ ‖w‖² for each λ, measured and expected; the λ of the prior, and that of the least expected error."""
    X = textbook(seed, train_rows=100, features=50).draw().dataset.X
    n, p = X.shape[1:]
    rng = np.random.default_rng([seed, 2])
    measured = np.zeros(len(strengths))
    for _ in range(TRUTHS):
        w = TAU * rng.standard_normal((p,))
        y = X @ w[:, None] + SIGMA * rng.standard_normal((1, n, 1))
        weights = ridge(X, y, LOSS, strengths).params["weight"][:, 0]
        measured += np.sum((weights - w) ** 2, axis=1) / TRUTHS
    s = np.linalg.svd(X[0] - X[0].mean(axis=0), compute_uv=False) ** 2 / n

    def expected(lam: float | np.floating[Any]) -> float:
        return float(np.sum((TAU**2 * lam**2 + SIGMA**2 * s / n) / (s + lam) ** 2))

    best = minimize_scalar(expected, bounds=(0.01, 10), method="bounded", options={"xatol": 1e-10}).x
    formula, total = np.array([expected(lam) for lam in strengths]), p * TAU**2
    return measured / total, formula / total, float(gaussian_strength(1 / n, SIGMA, TAU)), float(best)
