"""How much each row of the batch counted, and what was added to the rows' part: one linear solve a step.

A recorded gradient is a sum that was rounded: with n rows ``e = γ·(|A||c|)``, γ = (n + 8)·u, whatever its terms are.
The gradient of a linear model is a combination of the batch's rows, plus what penalties add::

    g_w = Σᵢ δᵢ·xᵢ + λ·w + Σ_j c_j·t_j          g_b = Σᵢ δᵢ + ν

With more features than unknowns every δᵢ, λ and c_j is measured, in every step. An error ``|e|`` of g moves a solution
of ``A·c = g`` by at most ``|A⁺||e|``, and leaves a residual of at most ``|I − AA⁺||e|``: if it is larger, the gradient
has a part that none of the columns explains. Further columns t_j are tried one after the other: sign(w), 1, w₀.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from parity.explain.measure.given import Given
from refimpl.types import Array

FURTHER_ROUNDINGS = 8
"""Roundings of a gradient beside those of its sum over the rows: of the factors, of penalties, of micro-batches."""
SOLVED = 2.0**-53
"""Unit roundoff of the solution itself, which is refined once: its error is that of its residual."""
FURTHER: tuple[tuple[str, ...], ...] = ((), ("sign w",), ("1",), ("w₀",), ("sign w", "1"))
"""Columns beside the rows and w that are tried, in this order."""


@dataclass(frozen=True, kw_only=True)
class Rows:
    """The coefficients of every step: ``delta`` ± ``delta_error`` of each row, ``decay`` ± ``decay_error`` (λ).

    ``further``: those of the other columns with their errors ``(K,)``. ``added`` ± ``added_error`` ``(K,)``: ν, what
    the bias got beside Σδ. ``left`` ``(K,)``: the residual ÷ what rounding may leave, at most 1 where these columns
    explain the gradient.
    """

    rows: tuple[Array, ...]
    delta: tuple[Array, ...]
    delta_error: tuple[Array, ...]
    decay: Array
    decay_error: Array
    further: dict[str, tuple[Array, Array]]
    added: Array | None
    added_error: Array | None
    left: Array

    @property
    def explained(self) -> bool:
        """Whether the columns explain every step."""
        return bool(np.all(self.left <= 1))


def measure(
    given: Given, weights: Array, X: Array, batches: Sequence[Array], *, columns: Sequence[tuple[str, ...]] = FURTHER
) -> Rows | None:
    """δ, λ and the first further columns that explain every step, else without any; None where rows outnumber features.

    ``weights`` ``(K + 1, p)``; ``X`` ``(n, p)``; ``batches``: the rows of each step.
    """
    most = max(len(rows) for rows in batches)
    first: Rows | None = None
    for some in columns:
        if most + 1 + len(some) >= X.shape[1]:
            break
        measured = _solve(given, weights, X, batches, some)
        if measured.explained:
            return measured
        first = first or measured
    return first


def _solve(given: Given, weights: Array, X: Array, batches: Sequence[Array], further: tuple[str, ...]) -> Rows:
    delta, delta_error, left = [], [], []
    others = np.zeros((len(batches), 1 + len(further), 2))
    bias, bias_error = given.value.get("bias"), given.error.get("bias")
    added = []
    for k, rows in enumerate(batches):
        w = weights[k]
        made = {"sign w": np.sign(w), "1": np.ones_like(w), "w₀": weights[0]}
        kept = [name for name in further if not (name == "w₀" and k == 0)]
        A = np.column_stack([X[rows].T, w, *(made[name] for name in kept)])
        scale = np.linalg.norm(A, axis=0)
        scale = np.where(scale > 0, scale, 1.0)
        inverse = np.linalg.pinv(A / scale) / scale[:, None]
        g = given.value["weight"][k]
        c = inverse @ g
        c = c + inverse @ (g - A @ c)
        roundings = (len(rows) + FURTHER_ROUNDINGS) * given.unit
        e = roundings * np.abs(A) @ np.abs(c) if given.unit else given.error["weight"][k]
        own = (A.shape[1] + 2) * SOLVED * (np.abs(A) @ np.abs(c) + np.abs(g))  # of the residual that is refined here
        error = np.abs(inverse) @ (e + own)
        residual = g - A @ c
        room = np.abs(np.eye(len(g)) - A @ inverse) @ (e + own) + own
        left.append(np.max(np.abs(residual) / np.maximum(room, np.finfo(float).tiny)))
        n = len(rows)
        delta.append(c[:n])
        delta_error.append(error[:n])
        others[k, : 1 + len(kept), 0], others[k, : 1 + len(kept), 1] = c[n:], error[n:]
        if bias is not None and bias_error is not None:
            added.append((bias[k, 0] - c[:n].sum(), bias_error[k, 0] + error[:n].sum()))
    beside = np.array(added) if added else None
    return Rows(
        rows=tuple(batches),
        delta=tuple(delta),
        delta_error=tuple(delta_error),
        decay=others[:, 0, 0],
        decay_error=others[:, 0, 1],
        further={name: (others[:, i + 1, 0], others[:, i + 1, 1]) for i, name in enumerate(further)},
        added=None if beside is None else beside[:, 0],
        added_error=None if beside is None else beside[:, 1],
        left=np.array(left),
    )
