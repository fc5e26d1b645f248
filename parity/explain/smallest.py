"""The smallest sets of terms that equations allow, with coefficients and guaranteed error bars.

Weighted least squares: with ``A = tᵢ/a`` and ``d = Δw/a``, a the allowance, a law ``c*`` that was executed leaves
``d = Ac* + e`` with ``|e| ≤ 1`` in every element. Its least-squares fit ``c = A⁺d`` then has::

    ‖d − Ac‖₂ ≤ √N                            as no coefficients leave less than the fit
    |d − Ac|ⱼ ≤ 1 + |Qⱼ|·Σₖ|Qₖ|               for A = QR: the residual is (I − QQᵀ)e
    |cᵢ − c*ᵢ| ≤ Σⱼ |A⁺|ᵢⱼ                    as c − c* = A⁺e

A set of terms that breaks one of the first two was not executed. If the fit itself leaves more than 1 somewhere, a
linear program finds the coefficients that leave least, ``min max |d − Ac|``: the set is possible if that is at most 1.
The allowance grows with the coefficients; it is taken at ``|c|`` plus its error bar, in three rounds. Residuals are
formed in ``longdouble`` and the fit is corrected by the fit to its residual, so that coefficients keep all digits where
the allowance is 10⁻¹⁶ of the terms.

Search. Sets of growing size are ranked on R of one QR decomposition of ``[A | d]``, under the allowance of the best
smaller set; those near enough are then solved in full, each under its own allowance.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np
from scipy.optimize import linprog

from parity.explain.terms import SAME, Equations
from refimpl.types import Array

MOST = 5
"""Terms that a law may have."""
NEAR = 16.0
"""A set whose residual is this many times what is allowed, under another set's allowance, is not solved in full."""
TRIED = (4, 24)
"""Sets of a size that are solved in full: at least, at most."""
DEFICIENT = 1e-9
"""Terms whose columns, of length 1, come so near a smaller space cannot be told apart."""
ROUNDS, CORRECTIONS = 3, 2
"""Of the allowance, and within each of the coefficients."""
FEW = 500
"""Equations that a linear program begins with."""


@dataclass(frozen=True)
class Fit:
    """``chosen``: positions of the terms. ``share``: largest |residual| ÷ allowance. ``possible``: it is at most 1."""

    chosen: tuple[int, ...]
    coefficient: Array
    error: Array
    share: float
    possible: bool


def solve(equations: Equations, chosen: Sequence[int]) -> Fit | None:
    """The best coefficients of a set of terms, or None where they cannot be told apart."""
    terms, near = equations.value[:, list(chosen)], equations.near[:, list(chosen)]
    c, error = np.zeros(len(chosen), np.longdouble), np.zeros(len(chosen))
    for _ in range(ROUNDS if len(chosen) else 1):
        allowance = equations.allowance(chosen, np.abs(c).astype(float) + error)
        A = near / allowance[:, None]
        length = np.sqrt((A * A).sum(axis=0))
        if len(A) < len(chosen) or not np.all((length > 0) & np.isfinite(length)):
            return None
        Q, R = np.linalg.qr(A / length)
        if len(chosen) and np.min(np.abs(np.diag(R))) < DEFICIENT:
            return None
        inverse = np.linalg.solve(R, Q.T) / length[:, None]  # A⁺
        for _ in range(CORRECTIONS):
            c = c + inverse @ _residual(equations, terms, c, allowance)
        error = np.abs(inverse).sum(axis=1)
    residual = _residual(equations, terms, c, allowance)
    reach = 1 + np.abs(Q) @ np.abs(Q).sum(axis=0)  # 1 + |Q|·Σ|Q|
    possible = bool((residual * residual).sum() <= len(residual) and np.all(np.abs(residual) <= reach))
    if possible and len(chosen) and np.max(np.abs(residual)) > 1:
        change = least_largest(A / length, residual) / length
        c, error = c + change, error + np.abs(change)
        residual = _residual(equations, terms, c, allowance)
    share = float(np.max(np.abs(residual), initial=0))
    return Fit(tuple(chosen), c.astype(float), error, share, possible and share <= 1)


def _residual(equations: Equations, terms: Array, c: Array, allowance: Array) -> Array:
    """(Δw − Σ cᵢtᵢ)/a, the difference in ``longdouble``."""
    residual: Array = (equations.moved - terms @ c).astype(float) / allowance
    return residual


def least_largest(A: Array, residual: Array) -> Array:
    """δ of ``min t`` subject to ``|r − Aδ| ≤ t``: Chebyshev's approximation as a linear program.

    Over the equations with the largest residuals, joined by those that the solution breaks, until none is broken or
    those taken need t > 1.
    """
    rows = np.argsort(-np.abs(residual), kind="stable")[:FEW]
    while True:
        some, bounds, ones = A[rows], residual[rows], np.ones((len(rows), 1))
        A_ub, b_ub = np.block([[-some, -ones], [some, -ones]]), np.concatenate([-bounds, bounds])
        found = linprog([0.0] * A.shape[1] + [1.0], A_ub=A_ub, b_ub=b_ub, bounds=(None, None), method="highs")
        if found.x is None:
            return np.zeros(A.shape[1])
        change, t = found.x[:-1], found.x[-1]
        left = np.abs(residual - A @ change)
        broken = np.setdiff1d(np.flatnonzero(left > max(t, 1)), rows)
        if t > 1 or not len(broken):
            return np.asarray(change)
        rows = np.concatenate([rows, broken[np.argsort(-left[broken], kind="stable")][:FEW]])


def smallest(equations: Equations) -> list[Fit]:
    """Every possible law of the smallest size, the preferred first; where there is none, the closest that was found.

    A law of n terms needs 2n equations, as n of them have a solution always.
    """
    usable = [i for i in range(len(equations.names)) if np.any(equations.value[:, i])]
    best = solve(equations, ())
    assert best is not None
    for size in range(MOST + 1):
        if 2 * size > len(equations):
            break
        sets = [set_ for set_ in combinations(usable, size) if not repeats(equations, set_)]
        fits = [fit for set_ in _ranked(equations, sets, best) if (fit := solve(equations, set_)) is not None]
        if possible := [fit for fit in fits if fit.possible]:
            return sorted(possible, key=lambda fit: fit.chosen)
        best = min([best, *fits], key=lambda fit: fit.share)
    return [best]


def largest_share(equations: Equations, chosen: Sequence[int], coefficient: Array, error: Array) -> float:
    """|residual| ÷ allowance of given coefficients, each anywhere within its error bar."""
    terms = equations.value[:, list(chosen)]
    allowance = equations.allowance(chosen, np.abs(coefficient) + error)
    residual = np.abs(equations.moved - terms @ np.asarray(coefficient, np.longdouble))
    return float((residual / (allowance + np.abs(terms) @ error)).max(initial=0))


def repeats(equations: Equations, chosen: tuple[int, ...]) -> bool:
    """Whether one of the terms is made of others among them."""
    names = {equations.names[i] for i in chosen}
    return any(names & SAME[name] for name in names & SAME.keys())


def _ranked(equations: Equations, sets: list[tuple[int, ...]], best: Fit) -> list[tuple[int, ...]]:
    """The sets worth solving in full, by their residual under the allowance of ``best``."""
    if not sets or not sets[0]:
        return sets
    allowance = equations.allowance(best.chosen, np.abs(best.coefficient))
    stacked = np.column_stack([equations.near, equations.moved.astype(float)]) / allowance[:, None]
    length = np.sqrt((stacked * stacked).sum(axis=0))
    length = np.where(length > 0, length, 1)
    R: Any = np.linalg.qr(stacked / length, mode="r")
    columns = np.array([[*set_, len(length) - 1] for set_ in sets])
    small: Any = np.linalg.qr(R[:, columns].swapaxes(0, 1), mode="r")  # (sets, n + 1, n + 1)
    residual = np.abs(small[:, -1, -1]) * length[-1]
    order = np.argsort(residual, kind="stable")
    near = int(np.sum(residual <= NEAR * np.sqrt(len(equations))))
    return [sets[i] for i in order[: max(TRIED[0], min(near, TRIED[1]))]]
