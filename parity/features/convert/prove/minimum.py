"""The exact minimiser of ``Σr² + a₁‖w‖₁ + a₂‖w‖²`` with a free intercept, in rationals, for a handful of columns.

∂J/∂b = 0 gives ``b = ȳ − x̄·w``; below, X and y stand for the columns minus their means. Let s be the signs of the
minimiser and S its nonzero coordinates. ∂J = 0 on S, and 0 ∈ ∂J elsewhere, read::

    (X_SᵀX_S + a₂)·w_S = X_Sᵀy − a₁/2·s_S           a linear system, and its solution must have the signs s
    |2X_jᵀ(y − X_S w_S)| ≤ a₁    for j not in S

J is convex, so signs that pass both are the minimiser's: try all 3ᵖ of them. Without a₁ there is nothing to try, and
``w = (XᵀX + a₂)⁻¹Xᵀy``. The data are floats and floats are rationals: nothing is rounded until the end.
"""

from __future__ import annotations

from fractions import Fraction
from itertools import product

import numpy as np

from parity.errors import Option, OptionError
from refimpl.types import Array

Rationals = list[Fraction]


def minimum(X: Array, y: Array, a1: float, a2: float) -> tuple[Array, float]:
    """``w`` ``(p,)`` and b, correctly rounded, from ``X`` ``(n, p)`` and ``y`` ``(n,)``."""
    n, p = X.shape
    table = np.frompyfunc(Fraction, 1, 1)(np.column_stack([X, y]))
    means = table.sum(axis=0) / n
    products = table.T @ table - n * np.outer(means, means)  # [X y]ᵀ[X y] of the centred columns
    gram, right = products[:p, :p], products[:p, p]
    half, ridge = Fraction(a1) / 2, Fraction(a2)
    for signs in product((1, -1, 0), repeat=p) if half else [(None,) * p]:
        support = [j for j in range(p) if signs[j] != 0]
        system = [[gram[i, j] + (ridge if i == j else 0) for j in support] for i in support]  # X_SᵀX_S + a₂
        solution = solve(system, [right[j] - half * (signs[j] or 0) for j in support])  # X_Sᵀy − a₁/2·s
        w = [Fraction(0)] * p
        for j, value in zip(support, solution, strict=True):
            w[j] = value
        slopes = [right[j] - sum(gram[j, i] * w[i] for i in support) for j in range(p)]  # X_jᵀ(y − Xw)
        if not half or all(w[j] * signs[j] > 0 if signs[j] else abs(slopes[j]) <= half for j in range(p)):
            intercept = means[p] - sum(means[j] * w[j] for j in range(p))  # ȳ − x̄·w
            return np.array([float(value) for value in w]), float(intercept)
    raise OptionError(Option("prove"), ": these rows do not determine the weights; give more rows")


def solve(matrix: list[Rationals], right: Rationals) -> Rationals:
    """Gauss–Jordan elimination. Raises :class:`InputError` where the matrix is singular."""
    rows = [[*row, value] for row, value in zip(matrix, right, strict=True)]
    for i in range(len(rows)):
        pivot = next((k for k in range(i, len(rows)) if rows[k][i] != 0), None)
        if pivot is None:
            raise OptionError(Option("prove"), ": these rows do not determine the weights; give more rows")
        rows[i], rows[pivot] = rows[pivot], rows[i]
        rows[i] = [value / rows[i][i] for value in rows[i]]
        for k in range(len(rows)):
            if k != i and rows[k][i] != 0:
                rows[k] = [a - rows[k][i] * b for a, b in zip(rows[k], rows[i], strict=True)]
    return [row[-1] for row in rows]
