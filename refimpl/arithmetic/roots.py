"""A^(−1/p) G for a symmetric matrix A with positive eigenvalues, p ≥ 2 even, and a bound on what a correct code has.

Code decomposes A, as V Λ Vᵀ (``eigh``) or U S Vᵀ (``svd``), and multiplies. What LAPACK promises of either is what its
own tests demand of every build: with ulp = 2u and its threshold of :data:`THRESHOLD`, in the 1-norm::

    ‖A − U S Vᵀ‖ ≤ 60·n·ulp·‖A‖,    ‖I − U Uᵀ‖ ≤ θ = 60·n·ulp,    the same of V

U and V are within θ of orthogonal matrices U₀ and V₀, so that U₀ S V₀ᵀ = A + E exactly, ‖E‖₂ ≤ (√n + 3)θ‖A‖₁, to which
the error of A itself adds its Frobenius norm: δ in all. E need not be symmetric. With τ > 0 and B = [0 A; Aᵀ 0]::

    U₀ S^(−1/p) V₀ᵀ = the block (1, 2) of  2/π·cos(π/2p)·∫₀^∞ τ^(−1/p) Re (B + iτ)⁻¹ dτ

Where κ = δ/λ_min < 1, (B + ΔB + iτ)⁻¹ − R = −R T R with R = (B + iτ)⁻¹ and ‖T‖₂ ≤ δ/(1 − κ). No entry of a matrix is
larger than its norm, in any orthonormal basis; in that of the eigenvectors of A, where R has blocks of 2 × 2 whose rows
are 1/√(λ² + τ²) long, the change of A^(−1/p) has therefore no entry (i, j) above ::

    δ/(1 − κ)·I(λᵢ, λⱼ),    I(a, b) = 2/π·cos(π/2p)·∫ τ^(−1/p)/√((a² + τ²)(b² + τ²)) dτ
                            I(a, a) = a^(−1−1/p),   I(a, b) ≤ (ab)^(−(1 + 1/p)/2)            Cauchy and Schwarz
                            I(a, b) ≤ 2/π·cos(π/2p)·(b^(−1/p)/a·(p/(p − 1) + p) + a^(−1−1/p)·(p/(p + 1) − p)),  a ≥ b

the last by √(a² + τ²) ≥ a up to τ = a and ≥ τ beyond, and √(b² + τ²) ≥ max(b, τ). The bound is applied where G is: its
part along eigenvectors of small λ, in which the root is least certain, is small where A has GGᵀ in it. All else (θ, the
power, products) is at most some units of rounding times λ_min^(−1/p). Where κ ≥ 1, rounding errors could make A
singular, and there is no bound.

Sources: Higham, *Functions of Matrices*, 2008, §3 and §7; LAPACK 3, TESTING/sep.in and svd.in (60 and 35).
"""

from __future__ import annotations

from typing import Any

import numpy as np

from refimpl.arithmetic.bounded import Bounded, gamma
from refimpl.types import Array

THRESHOLD = 60
"""Of the ratios that LAPACK's tests of its symmetric eigenproblem print; that of the singular values is 35."""
ROUNDINGS_OF_POWER = 4
"""A power good to an ulp, and the product with it."""
SMALL = 0.01
"""θ up to which its square is left to the margins above."""
SWEEPS = 60


def times_inverse_root(A: Any, p: int, G: Any) -> Any:
    """A^(−1/p) G: A ``(runs, n, n)``, G ``(runs, n, m)``."""
    if isinstance(A, Bounded):
        return _bounded(A, p, G)
    if not A.size or not G.size:
        return G
    with np.errstate(all="ignore"):  # a run that diverges is shown as it is
        lam, V = eigenbasis(A)
        f = lam ** (-(lam**0 / p))  # λ^(−1/p)
        return V @ (f[..., None] * (V.swapaxes(-1, -2) @ G))  # V f(Λ) Vᵀ G


def eigenbasis(A: Any) -> tuple[Any, Any]:
    """The eigenvalues ``(runs, n)`` and the eigenvectors ``(runs, n, n)``, in any arithmetic that has roots."""
    if not isinstance(A, np.ndarray):
        lam, V = np.linalg.eigh(A)  # of arrays that have a protocol of their own
        return lam, V
    if A.dtype == np.float64 or A.dtype == np.float32:
        finite = np.isfinite(A).all(axis=(-1, -2)).reshape(-1, 1, 1)
        lam, V = np.linalg.eigh(np.where(finite, A, np.eye(A.shape[-1], dtype=A.dtype)))
        return np.where(finite.reshape(-1, 1), lam, np.nan), V
    pairs = [_jacobi(one) for one in A]
    return np.stack([lam for lam, _ in pairs]), np.stack([V for _, V in pairs])


def _jacobi(A: Any) -> tuple[Any, Any]:
    """Jacobi's method for one matrix: rotations of two axes until no element beside the diagonal counts."""
    n = len(A)
    A, one = A.copy(), A[0, 0] ** 0
    V = np.where(np.eye(n, dtype=bool), one, 0 * one)
    for _ in range(SWEEPS):
        still = True
        for i in range(n):
            for j in range(i + 1, n):
                a, b, x = A[i, i], A[j, j], A[i, j]
                if abs(a) + abs(x) == abs(a) and abs(b) + abs(x) == abs(b):
                    continue
                still = False
                ratio = (b - a) / (2 * x)
                t = (1 if ratio >= 0 else -1) / (abs(ratio) + np.sqrt(ratio * ratio + 1))  # the smaller root
                c = 1 / np.sqrt(t * t + 1)
                turn = np.array([[c, t * c], [-t * c, c]])
                A[:, [i, j]] = A[:, [i, j]] @ turn
                A[[i, j]] = turn.T @ A[[i, j]]
                V[:, [i, j]] = V[:, [i, j]] @ turn
        if still:
            break
    return np.diagonal(A).copy(), V


@np.errstate(all="ignore")  # what has no root has no bound
def _bounded(A: Bounded, p: int, G: Bounded) -> Bounded:
    """The same with its bound, run by run."""
    runs = [_bounded_run(A[r], p, G[r]) for r in range(len(A))]
    values = np.stack([value for value, _ in runs]) if runs else G.value
    errors = np.stack([error for _, error in runs]) if runs else G.error
    return G._rounded(values, G.profile.widened(errors, 16 * max(A.shape)), format=G.profile.compute, underflow=True)


def _bounded_run(A: Bounded, p: int, G: Bounded) -> tuple[Array, Array]:
    """Value and bound of one run; no bound where rounding errors could make A singular."""
    n, profile = A.shape[-1], A.profile
    unknown = G.value, np.full(G.shape, np.inf)
    if not A.size or not G.size:
        return G.value, G.error
    plain = np.asarray((A.value + A.value.T) / 2, np.float64)
    if not (np.isfinite(plain).all() and np.isfinite(A.error).all() and np.isfinite(G.error).all()):
        return unknown
    lam, V = (np.asarray(x, profile.carrier) for x in np.linalg.eigh(plain))
    u, own_u = profile.u(profile.compute), np.finfo(np.float64).eps / 2
    theta, own = (THRESHOLD * n * 2 * x for x in (u, own_u))
    size = (np.abs(A.value) + A.error).sum(axis=0).max()  # ‖A‖₁
    delta = np.sqrt((A.error**2).sum()) + ((np.sqrt(n) + 3) * (theta + own) + n * own_u) * size
    f, along = lam ** (-1 / profile.carrier(p)), V.T @ G.value
    value = V @ (f[:, None] * along)
    if np.sqrt(n) * theta > SMALL or not lam[0] > delta:
        return value, unknown[1]
    M = delta / (1 - delta / lam[0]) * _integral(lam, p)
    largest = f[0] + np.sqrt((M * M).sum())  # ‖A^(−1/p)‖ of any code
    products = gamma(n, profile) + u
    beside = (2 * theta + theta**2 + ROUNDINGS_OF_POWER * u + products) * (1 + theta) ** 2 * largest + 3 * own * f[0]
    columns, errors = (np.sqrt((x**2).sum(axis=0)) for x in (G.value, G.error))  # ‖g‖ of each column
    struct = (np.abs(V) + own) @ (M @ (np.abs(along) + own * columns))
    reach = (largest + beside) * (1 + theta)
    error = struct + (beside + products * reach) * (columns + errors) + reach * errors
    return value, error


def _integral(lam: Array, p: int) -> Array:
    """The smaller one of both bounds of I(λᵢ, λⱼ); on the diagonal it is I."""
    a, b = np.maximum.outer(lam, lam), np.minimum.outer(lam, lam)
    q = 1 / lam.dtype.type(p)
    factor = 2 / np.pi * np.cos(np.pi / (2 * p))
    apart = factor * (b**-q / a * (p / (p - 1) + p) + a ** (-1 - q) * (p / (p + 1) - p))
    smaller: Array = np.minimum((a * b) ** (-(1 + q) / 2), apart * (1 + 1e-12))  # π and its cosine are doubles
    return smaller
