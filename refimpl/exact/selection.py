"""Which λ is best for ridge: generalised cross-validation, leave-one-out, and what the prior and the noise say.

All in the form ``Σrᵢ² + α‖w‖²`` of :mod:`refimpl.exact.ridge`, ``α = λN/(2c)``. The predictions are
linear in the targets, ``ŷ = Hy``. The intercept is not penalised; it takes the mean out, so with
``X_c = U diag(s) Vᵀ``, ``fⱼ = s²/(s² + α)`` and ``E = 11ᵀ/n``::

    H = E + U diag(f) Uᵀ          tr H = 1 + Σfⱼ          without an intercept: E = 0, tr H = Σfⱼ

**Leave-one-out.** Row i left out, the fit is that of all rows with yᵢ replaced by its own prediction ỹ, since that row
then adds no residual and is a minimum of the remaining sum. By linearity ``ỹ = ŷᵢ + hᵢᵢ(ỹ − yᵢ)``, so
``ỹ − yᵢ = (ŷᵢ − yᵢ)/(1 − hᵢᵢ)`` and n refits are one::

    LOO(α) = 1/n Σ (eᵢ/(1 − hᵢᵢ))²          e = (I − H)y          α is held, not λ: a mean over n − 1 rows would move it

**Generalised cross-validation** is the same with each hᵢᵢ replaced by their mean tr H/n, which makes it independent of
rotations of the rows::

    GCV(α) = 1/n Σ (eᵢ/(1 − tr H/n))² = n Σeᵢ²/(n − 1 − Σfⱼ)²

With P the projection on what neither 1 nor U spans, ``I − H = P + α·U diag(1/(s² + α)) Uᵀ``, so the numerators and the
denominators are sums of positive terms. A row that P does not touch has α as a factor of both, and it is left out of
them: the quotient has a limit at α = 0. P touches no row where p ≥ n, and GCV has a limit there, too.

**Prior and noise.** Of ``y = Xw + ε``, ``ε ~ N(0, σ²)``, ``w ~ N(0, τ²I)``, the posterior is, but for a constant,
``−log P(w | X, y) = ‖Xw − y‖²/(2σ²) + ‖w‖²/(2τ²)``: times 2σ², ridge with ``α = σ²/τ²``. It is the mean, too, so
no estimate has a smaller expected error over draws of w. Of a known w*, ``τ² = mean(w*ⱼ²)``: the direction of w* does
not matter where that of X is random.

**New rows.** For ``x ~ N(0, s²I)``, ``y = x·w* + b* + ε``: ``E(x·w + b − y)² = σ² + s²‖w − w*‖² + (b − b*)²``.

Source: Golub, Heath & Wahba 1979, *Generalized cross-validation as a method for choosing a good ridge parameter*;
Hastie, Tibshirani & Friedman, *The Elements of Statistical Learning*, §3.4.1 and §7.10.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.linalg import svd

from refimpl.datasets.dataset import Dataset
from refimpl.errors import ParameterError
from refimpl.exact.ridge import alpha_for
from refimpl.losses.squared_error import SquaredError
from refimpl.reductions import squared_norm
from refimpl.types import Array, Number, Params


@dataclass(frozen=True, kw_only=True, eq=False)  # eq=False: arrays have no single truth value
class Scores:
    """Estimates of the mean squared error on new rows, one per strength: ``(k,)`` each."""

    gcv: Array
    leave_one_out: Array


def scores(X: Array, y: Array, loss: SquaredError, strengths: Number, *, intercept: bool = True) -> Scores:
    """Both scores of the ridge solutions of ``loss + λ/2·‖w‖²`` for each λ in ``strengths``, a float or ``(k,)``.

    ``X`` ``(1, n, p)``, ``y`` ``(1, n, 1)``, float64; n ≥ 2 with an intercept. At λ = 0 they are those of the minimiser
    of least ``‖w‖``. Raises :class:`ShapeError`, :class:`DataError` and :class:`ParameterError`.
    """
    Dataset(X=X, y=y)  # checks both
    strengths = np.atleast_1d(np.asarray(strengths, np.float64))
    if strengths.ndim != 1 or not np.all(np.isfinite(strengths) & (strengths >= 0)):
        raise ParameterError("strengths", given=strengths, allowed="finite numbers ≥ 0, (k,)", remedy="change them")
    n, p = X.shape[1:]
    alpha = alpha_for(loss, strengths, n)[:, None]
    features, targets = X[0], y[0, :, 0]
    room = n - 1 if intercept else n  # rows, less those that the intercept uses up
    if room == 0:
        raise ParameterError("rows", given="one row", allowed="at least 2", remedy="one row leaves nothing to test on")
    if intercept:
        features, targets = features - features.mean(axis=0), targets - targets.mean()  # X_c, y_c
    U, s, _ = svd(features, full_matrices=False, check_finite=False)
    rank = min(room, int(np.sum(s > max(n, p) * np.finfo(np.float64).eps * s[0])))
    U, s = U[:, :rank], s[:rank]
    along = U.T @ targets  # Uᵀy
    outside, leverage = targets - U @ along, room / n - np.sum(U**2, axis=1)  # Py, diag P
    untouched = (leverage <= n * np.finfo(np.float64).eps) | (rank == room)  # rows; all of them where P = 0
    outside, leverage = np.where(untouched, 0.0, outside), np.where(untouched, 0.0, leverage)
    rate = 1 / (s**2 + alpha)  # (k, rank)
    inside, left = (rate * along) @ U.T, rate @ (U**2).T  # U diag(1/(s² + α)) Uᵀ: times y, and its diagonal; (k, n)

    factor = np.where(untouched, 1.0, alpha)  # α, left out where it is a factor of both
    quotient = (outside + factor * inside) / (leverage + factor * left)  # eᵢ/(1 − hᵢᵢ)
    factor = np.where(np.all(untouched), 1.0, alpha)
    e, trace = outside + factor * inside, np.sum(leverage + factor * left, axis=1)  # (I − H)y, n − tr H
    return Scores(gcv=n * np.sum(e**2, axis=1) / trace**2, leave_one_out=np.mean(quotient**2, axis=1))


def strength_of_prior(loss: SquaredError, rows: int, *, noise: float, width: float) -> float:
    """λ = 2cα/N with α = σ²/τ², for targets with ``noise`` σ and weights of the prior N(0, ``width``²)."""
    if not width > 0:
        raise ParameterError("width", given=width, allowed="a number > 0", remedy="a prior of width 0 needs no data")
    return float((noise / width) ** 2 / alpha_for(loss, 1.0, rows))  # α = λ·(N/2c)


def expected_square(params: Params, truth: Params, *, noise: float, scale: float) -> Array:
    """``σ² + s²‖w − w*‖² + (b − b*)²`` ``(runs,)``: mean squared error on a row with features N(0, ``scale``²)."""
    bias = squared_norm(params["bias"] - truth["bias"]) if "bias" in params else squared_norm(truth["bias"])
    return noise**2 + scale**2 * squared_norm(params["weight"] - truth["weight"]) + bias
