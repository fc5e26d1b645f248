"""Ridge regression in closed form, for any number of strengths from one factorisation.

Minimise ``J(w, b) = c·reduce(rᵢ²) + λ/2·‖w‖²`` with ``rᵢ = xᵢ·w + b − yᵢ``. Dividing J by ``c/N``, with ``N = n`` for
the mean and ``1`` for the sum, leaves ``Σ rᵢ² + α‖w‖²`` with ``α = λN/(2c)``::

    loss and penalty      α         the sum of squares and its penalty, as scikit-learn's Ridge(alpha) has them
    ½·mean + λ/2·‖w‖²     nλ
       mean + λ/2·‖w‖²    nλ/2      torch.nn.MSELoss() with weight_decay = λ
       mean + λ·‖w‖²      nλ        a penalty without the ½ has strength 2λ here
    ½·mean + λ·‖w‖²       2nλ
    ½·sum  + λ/2·‖w‖²     λ
       sum  + λ/2·‖w‖²    λ/2
       sum  + λ·‖w‖²      λ

∂J/∂b = 0 gives ``b = ȳ − x̄·w``, so the unpenalised intercept is eliminated by centring: ``X_c = X − 1x̄ᵀ``,
``y_c = y − 1ȳ``. With the thin singular value decomposition ``X_c = U diag(s) Vᵀ``, ∂J/∂w = 0 reads
``V(diag(s²) + α)Vᵀw = V diag(s) Uᵀy_c``, whence::

    w(α) = V diag(fᵢ/sᵢ) Uᵀ y_c       fᵢ = s²/(s² + α), the filter factors; their sum is the degrees of freedom

The singular values up to ``max(n, p)·ε·s₁`` are zero to working precision and are left out: at λ = 0 this gives, of all
minimisers, the one of least ``‖w‖``. A QR factorisation first (of ``[X_c y_c]``, or of ``X_cᵀ`` where p ≥ n) leaves a
decomposition of a square matrix of size min(n, p) (Chan 1982); orthogonal transformations only, so no digits are lost.

With ``refine`` the same minimisers are solved for again by iterative refinement, on X and y as they are, not centred
(:mod:`refimpl.exact.least_squares`). That gives back the log₁₀ κ digits that a condition number κ costs, for one QR
factorisation of ``[1 X; 0 √α·I]`` per strength and some rounds of sums in twice the precision: 5 to 16 times the time.

Source: Golub & Van Loan, *Matrix Computations*, §6.1.4; Hastie, Tibshirani & Friedman, *The Elements of Statistical
Learning*, §3.4.1.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from refimpl.arithmetic.double_double import DoubleDouble
from refimpl.datasets.dataset import Dataset
from refimpl.errors import ParameterError
from refimpl.exact.magnitude import check_magnitudes
from refimpl.losses.squared_error import SquaredError
from refimpl.types import Array, Number, Params

ROWS = 256
"""Rows of a block, at least, that is factorised by itself."""


@dataclass(frozen=True, kw_only=True, eq=False)  # eq=False: arrays have no single truth value
class RidgeSolution:
    """One minimiser per strength, along the axis of runs.

    ``params``: ``weight`` ``(k, 1, p)`` and, with an intercept, ``bias`` ``(k, 1)``. ``alpha``: α ``(k,)``.
    ``minimum_norm``: ``(k,)``, True where the minimiser is not unique and the one of least ``‖w‖`` is given.
    ``rank``: of the centred X. ``singular_values``: all min(n, p) of them, decreasing. ``degrees_of_freedom``:
    Σfᵢ ``(k,)``, the intercept not counted.
    """

    params: Params
    alpha: Array
    minimum_norm: npt.NDArray[np.bool_]
    rank: int
    singular_values: Array
    degrees_of_freedom: Array

    @property
    def message(self) -> str:
        """Whether the minimisers are unique, in words."""
        features = self.params["weight"].shape[2]
        if not np.any(self.minimum_norm):
            return "every minimiser is unique"
        runs = ", ".join(map(str, np.flatnonzero(self.minimum_norm)))
        return (
            f"run {runs}: λ = 0 and X has rank {self.rank} for {features} features, so the minimiser is not unique; "
            "given is the one of minimum norm ‖w‖; λ > 0 makes it unique"
        )


def alpha_for(loss: SquaredError, strength: Number, rows: int) -> Array:
    """α = λN/(2c) such that ``Σrᵢ² + α‖w‖²`` has the minimiser of ``loss + λ/2·‖w‖²``; the shape of ``strength``.

    Raises :class:`ParameterError` where c = 0: then there is no loss to weigh λ against.
    """
    if not np.all(np.asarray(loss.factor) > 0):
        raise ParameterError("factor", given=loss.factor, allowed="a number > 0", remedy="take ½ or 1")
    terms = rows if loss.reduction == "mean" else 1  # N
    return np.asarray(strength * np.float64(terms) / (2 * loss.factor))  # λN/(2c)


def strengths_of(name: str, values: Number) -> Array:
    """The strengths as ``(k,)``. Raises :class:`ParameterError` for what is not a number, not finite or negative."""
    try:
        given = np.atleast_1d(np.asarray(values, np.float64))
    except (TypeError, ValueError):  # words, complex numbers, rows of unequal length
        given = np.zeros(0)
    if given.ndim != 1 or given.size == 0 or not np.all(np.isfinite(given) & (given >= 0)):
        raise ParameterError(name, given=repr(values), allowed="finite numbers ≥ 0, (k,)", remedy="change them")
    return given


def ridge(
    X: Array, y: Array, loss: SquaredError, strengths: Number, *, intercept: bool = True, refine: bool = False
) -> RidgeSolution:
    """The minimisers of ``loss + λ/2·‖w‖²`` for each λ in ``strengths``, a float or ``(k,)``.

    ``X`` ``(1, n, p)``, ``y`` ``(1, n, 1)``, float64. Without ``intercept`` the model is ``X wᵀ``; nothing is centred.
    ``refine``: to the last digit, as described above; it needs a unique minimiser, and numbers whose squares fit
    float64 (:mod:`refimpl.exact.magnitude`).
    Raises :class:`ShapeError`, :class:`DataError` (nan, inf, another dtype) and :class:`ParameterError`.
    """
    Dataset(X=X, y=y)  # checks both
    if refine:
        check_magnitudes(X, y)
    n, p = X.shape[1:]
    alpha = alpha_for(loss, strengths_of("strengths", strengths), n)
    table = np.column_stack([X[0], y[0]])
    mean = _centre(table) if intercept else np.zeros(p + 1)  # [x̄ ȳ]; the table becomes [X_c y_c]
    features, targets = table[:, :p], table[:, p:]

    if n > p:
        R = _triangle(table)
        core, targets = R[:p, :p], R[:p, p:]  # [X_c y_c] = Q [R Qᵀy_c]
    else:
        Q, R = np.linalg.qr(features.T)  # X_cᵀ = Q R, so X_c = Rᵀ Qᵀ
        core = R.T
    U, s, Vt = np.linalg.svd(core, full_matrices=False)

    rank = int(np.sum(s > max(n, p) * np.finfo(np.float64).eps * s[0]))
    kept = s[:rank]
    filters = kept / (kept + alpha[:, None] / kept)  # s²/(s² + α), (k, rank)
    projected = (U[:, :rank].T @ targets)[:, 0]  # Uᵀ y_c
    weight = (filters / kept * projected) @ Vt[:rank]  # V diag(f/s) Uᵀ y_c
    if n <= p:
        weight = weight @ Q.T  # Q w: from the coordinates of the basis to those of the features
    params = {"weight": weight[:, None, :]}
    if intercept:
        params["bias"] = mean[p] - np.sum(weight * mean[:p], axis=1)[:, None]  # ȳ − x̄·w
    if refine:
        params = _refined(X[0], y[0, :, 0], alpha, intercept)
    return RidgeSolution(
        params=params,
        alpha=alpha,
        minimum_norm=(alpha == 0) & (rank < p),
        rank=rank,
        singular_values=s,
        degrees_of_freedom=filters.sum(axis=1),  # Σ s²/(s² + α)
    )


def _triangle(A: Array) -> Array:
    """R of A = QR: blocks of rows, each of which fits the cache, have R's of their own, and these have the whole's."""
    qr: Any = np.linalg.qr  # Any: NumPy types no stack with mode "r"
    q = A.shape[1]
    rows = max(ROWS, 8 * q)
    whole = len(A) // rows * rows
    if whole > rows:
        of_blocks = qr(A[:whole].reshape(-1, rows, q), mode="r")
        A = np.vstack([of_blocks.reshape(-1, q), A[whole:]])
    triangle: Array = qr(A, mode="r")
    return triangle


def _refined(X: Array, y: Array, alpha: Array, intercept: bool) -> dict[str, Array]:
    """The parameters from ``[1 X]``, where the intercept is a column that is not penalised."""
    from refimpl.exact.least_squares import least_squares  # SciPy takes longer to import than most fits take

    first = int(intercept)
    M, targets = DoubleDouble.of(np.hstack([np.ones((len(X), first)), X])), DoubleDouble.of(y)
    decay = np.zeros((len(alpha), M.high.shape[1]))
    decay[:, first:] = alpha[:, None]
    theta = np.array([least_squares(M, targets, d).theta.high for d in decay])
    return {"weight": theta[:, None, first:], "bias": theta[:, :1]} if intercept else {"weight": theta[:, None, :]}


def _centre(table: Array) -> Array:
    """Subtract their means from the columns, in place, and return the means.

    The rounding of a mean that is large beside the spread leaves a constant column behind, which would count as
    one more direction of rank; the second pass removes it.
    """
    first = table.mean(axis=0)
    table -= first
    second = table.mean(axis=0)
    table -= second
    mean: Array = first + second
    return mean
