"""The path of the lasso: the minimisers for all strengths at once, as the corners of a polygon.

With the notation of :mod:`refimpl.exact.active_set`, the features S in use and their signs s obey, at strength α =
α₁::

    X_Sᵀ(y − X_S w_S − 1b) − α₂w_S = αs,   1ᵀ(y − X_S w_S − 1b) = 0

As long as S and s last, these equations are linear in α, and so are the weights, the residual and the correlations
``cⱼ = xⱼᵀr``: w is piecewise linear in λ₁. Its first corner is ``λ_max = h·maxⱼ|xⱼᵀ(y − ȳ)|``, above which w = 0.
From a strength α with weights w and correlations c, and with their slopes ``q = dw/dα`` and ``γ = dc/dα``, the line
ends as soon as, with α − Δ falling::

    wᵢ − Δqᵢ = 0               at Δ = wᵢ/qᵢ                        a weight gets to 0
    σ(cⱼ − Δγⱼ) = α − Δ        at Δ = (α − σcⱼ)/(1 − σγⱼ), σ = ±1  another feature is as correlated as those in S

A little below this corner, by a relative 2⁻²⁷ ≈ 7e-9, the active-set method says which S comes next, which settles ties
and duplicates too. That is the resolution of the path: corners nearer to one another are taken for one, at which the
parameters are off by up to 2⁻²⁷·λ₁ times the difference of the slopes.

Source: Osborne, Presnell & Turlach 2000, *A new approach to variable selection in least squares problems*; Efron,
Hastie, Johnstone & Tibshirani 2004, *Least angle regression*.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from refimpl.datasets.dataset import Dataset
from refimpl.exact.active_set import Active, ActiveSet
from refimpl.exact.magnitude import check_magnitudes
from refimpl.exact.ridge import alpha_for, strengths_of
from refimpl.losses.squared_error import SquaredError
from refimpl.types import Array, Params

BELOW = 2.0**-27
"""How far below a corner, relative to its λ₁, the next line is looked for: shorter lines are passed over."""
PARALLEL = 2.0**-40
"""Where 1 − σγⱼ is no larger, |cⱼ| moves as α does: a feature that depends on those in use."""
TOGETHER = 2.0**-40
"""A corner this near to 0, relative to the one before: r itself gets to 0 there, and all |cⱼ| with it."""


@dataclass(frozen=True, kw_only=True, eq=False)  # eq=False: arrays have no single truth value
class LassoPath:
    """The corners, λ₁ falling from λ_max to 0; between two of them the parameters are linear in λ₁.

    ``strengths`` λ₁ ``(k,)``; ``params``: ``weight`` ``(k, 1, p)`` and, with an intercept, ``bias`` ``(k, 1)``. For
    λ₁ > λ_max they are those at λ_max. With α₂ = 0 the last, at λ₁ = 0, is the least-squares solution of least ‖w‖₁.
    """

    strengths: Array
    params: Params


def lasso_path(X: Array, y: Array, loss: SquaredError, *, l2: float = 0.0, intercept: bool = True) -> LassoPath:
    """The minimisers of ``loss + λ₁‖w‖₁ + λ₂/2·‖w‖²`` for all λ₁ ≥ 0 and one λ₂ ≥ 0, corners resolved to 2⁻²⁷.

    ``X`` ``(1, n, p)``, ``y`` ``(1, n, 1)``, float64; otherwise as :func:`refimpl.exact.lasso.lasso`, which certifies
    any point of the path. Raises :class:`ShapeError`, :class:`DataError` and :class:`ParameterError`.
    """
    Dataset(X=X, y=y)  # checks both
    check_magnitudes(X, y)
    unit, a2 = (float(alpha_for(loss, each, X.shape[1])) for each in (1.0, float(strengths_of("l2", l2)[0])))
    method = ActiveSet(X[0], y[0, :, 0], intercept=intercept)
    at = method.solve(np.inf, a2)
    corner = float(np.max(np.abs(at.correlation.high), where=method.norms > 0, initial=0))  # max |xⱼᵀ(y − ȳ)|
    if corner <= np.max(method.noise):
        corner = 0.0
    corners = [(corner, at.weight.high, at.bias.high)]
    while corner > 0:
        alpha = corner * (1 - BELOW)
        at = method.solve(alpha, a2, at)
        slope, gamma = method.slope(at, a2)
        step = _length(at, slope.high[int(intercept) :], gamma.high, alpha)
        corner = alpha - step
        weight = at.weight.high.copy()
        weight[at.features] -= step * slope.high[int(intercept) :]
        weight[at.features] = at.signs * np.maximum(at.signs * weight[at.features], 0)  # a 0 that was rounded
        bias = at.bias.high - step * slope.high[: int(intercept)].sum()
        corners.append((corner, weight, bias))
    strengths, weights, biases = map(np.array, zip(*corners, strict=True))
    params = {"weight": weights[:, None, :], "bias": biases[:, None]}
    return LassoPath(strengths=strengths / unit, params=params if intercept else {"weight": params["weight"]})


def _length(at: Active, q: Array, gamma: Array, alpha: float) -> float:
    """Δ of the first event below α, or α where the line through ``at`` goes on to 0."""
    w, c = at.weight.high[at.features], at.correlation.high
    falling = at.signs * q > 0
    ends = [w[falling] / q[falling]]  # wᵢ − Δqᵢ = 0
    for sign in (1, -1):
        gap, closing = alpha - sign * c, 1 - sign * gamma
        meeting = (closing > PARALLEL) & (gap > 0)
        meeting[at.features] = False
        ends.append(gap[meeting] / closing[meeting])  # σ(cⱼ − Δγⱼ) = α − Δ
    first = float(np.min(np.concatenate(ends), initial=alpha))
    return first if first < alpha * (1 - TOGETHER) else alpha
