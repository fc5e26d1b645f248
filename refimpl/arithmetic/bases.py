"""Orthogonal bases of the axes of an array: eigenvectors, one power iteration with QR, and the rotation into a basis.

::

    A = QΛQᵀ                        the largest eigenvalues first
    Q ← qr(AQ)                      one power iteration, the columns in the order of qᵀAq, the largest first
    x′ = Q₁ᵀ x Q₂,  x = Q₁ x′ Q₂ᵀ   of a matrix; of any array along each axis that has a basis

A basis has no bound: that of a null space is arbitrary. The rotation into one that is known exactly has one, for any
order of the axes and of each sum: with γ of a product of n terms, and the rounding of it, from the innermost on ::

    |x̂′ − x′| ≤ |Q₁|ᵀ e |Q₂| + ((1 + γ_m)(1 + γ_n)(1 + u)² − 1)·|Q₁|ᵀ (|x| + e) |Q₂|

Sources: Golub & Van Loan, *Matrix Computations*, §8.2 (orthogonal iteration) and §5.2 (Householder QR).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from refimpl.arithmetic.bounded import ROUNDINGS, Bounded, gamma
from refimpl.arithmetic.roots import eigenbasis
from refimpl.types import Array


def eigenvectors(A: Any) -> Any:
    """Q ``(runs, n, n)`` of symmetric A ``(runs, n, n)``: a column for each eigenvector."""
    if isinstance(A, Bounded):
        return _unknown(eigenvectors(np.asarray(A.value, np.float64)), A)
    lam, Q = eigenbasis(A)
    if not isinstance(lam, np.ndarray):
        return Q[..., ::-1]  # of arrays that have a protocol of their own, in LAPACK's order
    return columns(Q, np.argsort(-lam, axis=-1, kind="stable"))


def estimates(A: Any, Q: Any) -> Any:
    """qᵀAq of each column q, ``(runs, n)``: its eigenvalue where it is an eigenvector."""
    return (Q * (A @ Q)).sum(axis=-2)


def descending(numbers: Any) -> Array:
    """The order of numbers ``(runs, n)`` of any arithmetic, the largest first."""
    order: Array = np.argsort(-np.asarray(getattr(numbers, "value", numbers)), axis=-1, kind="stable")
    return order


def columns(x: Any, order: Array) -> Any:
    """The columns of matrices ``(runs, m, n)`` in an order ``(runs, n)``."""
    runs, rows = len(x), x.shape[1]
    return x[np.arange(runs).reshape(-1, 1, 1), np.arange(rows).reshape(1, -1, 1), order.reshape(runs, 1, -1)]


def along(x: Any, axis: int, order: Array) -> Any:
    """An array ``(runs, …)`` with one axis in an order ``(runs, nᵢ)``."""
    return folded(unfolded(x, axis)[np.arange(len(x)).reshape(-1, 1), order], axis, x.shape)


def orthonormal(S: Any) -> Any:
    """Q of S = QR, ``(runs, n, n)``."""
    if isinstance(S, Bounded):
        return _unknown(orthonormal(np.asarray(S.value, np.float64)), S)
    if not isinstance(S, np.ndarray) or S.dtype in (np.float64, np.float32):
        Q, _ = np.linalg.qr(S)
        return Q
    return np.stack([_householder(one) for one in S])


def _householder(S: Array) -> Array:
    """Reflections I − βvvᵀ that take each column onto its diagonal, multiplied."""
    n = len(S)
    R, zero = S.copy(), 0 * S[:1, :1].sum()
    Q: Array = np.where(np.eye(n, dtype=bool), zero + 1, zero)
    for j in range(n - 1):
        v = R[j:, j].copy()
        length = np.sqrt((v * v).sum())
        if length == 0:
            continue
        v[0] = v[0] + (length if v[0] >= 0 else -length)  # v = x ± ‖x‖e₁
        beta = 2 / (v * v).sum()
        R[j:] = R[j:] - beta * np.outer(v, v @ R[j:])
        Q[:, j:] = Q[:, j:] - beta * np.outer(Q[:, j:] @ v, v)
    return Q


def rotated(x: Any, bases: Mapping[int, Any], *, back: bool = False) -> Any:
    """x ``(runs, …)`` along each axis that has a basis ``(runs, n, n)`` in the coordinates of that, or ``back``."""
    if isinstance(x, Bounded):
        return _bounded(x, bases, back=back)
    return _turned(x, {axis: Q if back else Q.swapaxes(-1, -2) for axis, Q in bases.items()})


def _turned(x: Any, matrices: Mapping[int, Any]) -> Any:
    for axis, M in matrices.items():
        x = folded(M @ unfolded(x, axis), axis, x.shape)
    return x


def _bounded(x: Bounded, bases: Mapping[int, Bounded], *, back: bool) -> Bounded:
    """The same with the bound above; none where a basis is not known exactly."""
    if not bases:
        return x
    profile = x.profile
    matrices = {axis: Q.value if back else Q.value.swapaxes(-1, -2) for axis, Q in bases.items()}
    sizes = {axis: np.abs(M) for axis, M in matrices.items()}
    value = _turned(x.value, matrices)
    if any(np.any(Q.error > 0) for Q in bases.values()):
        return Bounded(value, np.inf, profile)
    growth, terms = profile.carrier(0), 0
    for M in matrices.values():
        terms += M.shape[-1]
        step = gamma(M.shape[-1], profile) + profile.u(profile.compute)
        growth = growth + (1 + growth) * step * (1 + step)  # ∏(1 + γ)(1 + u) − 1, or more
    with np.errstate(invalid="ignore"):  # 0·∞ becomes unbounded below
        error = _turned(x.error, sizes) + growth * _turned(np.abs(x.value) + x.error, sizes)
        lost = 2 * x.value[0].size * len(matrices) * profile.tau(profile.accumulate)
        error = profile.widened(error + lost, 4 * terms + ROUNDINGS)
    return x._rounded(value, error, format=profile.compute, underflow=True)


def _unknown(value: Any, like: Bounded) -> Bounded:
    return Bounded(value, np.inf, like.profile)


def unfolded(x: Any, axis: int) -> Any:
    """``(runs, nᵢ, rest)``: one axis as rows, all others as columns."""
    moved = x.swapaxes(1, axis + 1)
    rest = int(np.prod(moved.shape[2:], dtype=int))
    return moved.reshape(*moved.shape[:2], rest)


def folded(x: Any, axis: int, shape: tuple[int, ...]) -> Any:
    """The array of a shape ``(runs, …)`` that was unfolded."""
    swapped = list(shape)
    swapped[1], swapped[axis + 1] = swapped[axis + 1], swapped[1]
    return x.reshape(*swapped).swapaxes(1, axis + 1)
