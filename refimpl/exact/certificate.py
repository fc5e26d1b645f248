"""How far a weight can be from the minimum of the lasso or elastic net, proven by a dual point.

With ``h = 2c/N`` taken out and the intercept, where there is one, the best for its w, the objective is::

    P(w) = ½‖r‖² + α₁‖w‖₁ + α₂/2·‖w‖²        r = y − Xw, minus its mean with an intercept

The intercept b that is returned is rounded, and not quite the best, ``b̂ = mean(y − Xw)``. With it the residuals are
``y − Xw − 1b = r + 1(b̂ − b)``, and as ``1ᵀr = 0``, what that costs is known exactly::

    P(w, b) = P(w) + n/2·(b̂ − b)²            with h: J(w, b) = J(w, b̂) + c/N·n(b̂ − b)²

and is added to the objective and to the gap below. Relative to P it is large where y or X is far from 0 for its spread.

Take any θ, with ``1ᵀθ = 0`` where there is an intercept, and let ``z = Xᵀθ``. From ``½‖r − θ‖² ≥ 0``::

    ½‖r‖² ≥ θᵀr − ½‖θ‖² = θᵀy − zᵀw − ½‖θ‖²

so P(w) is at least ``θᵀy − ½‖θ‖²`` plus the least of ``Σ(α₁|v| + α₂v²/2 − zⱼv)`` over all v. With ``z̄`` = z cut off
at ±α₁ and ``e = z − z̄`` that least is ``−Σeⱼ²/(2α₂)``, at v = eⱼ/α₂; for α₂ = 0 it is 0 if e = 0 and −∞ if not. This
is the dual problem::

    maximise  D(θ) = θᵀy − ½‖θ‖² − Σeⱼ²/(2α₂)        for α₂ = 0: the projection of y on |xⱼᵀθ| ≤ α₁

No w has a smaller P(w) than any D(θ), so P(w) is at most the gap ``P(w) − D(θ)`` above the minimum. The gap is the sum
of what was given away, each term ≥ 0, and computed as such it has no cancellation::

    P(w) − D(θ) = ½‖r − θ‖² + Σ(α₁|wⱼ| − z̄ⱼwⱼ) + Σ(α₂wⱼ − eⱼ)²/(2α₂)

It is 0 where θ = r and ``xⱼᵀr − α₂wⱼ ∈ α₁∂|wⱼ|``: at the minimum. There w and θ are given, in float64 and with twice
the precision: the gap of w alone, with θ = r, would show the rounding of w, relative to P large where λ is small.

Source: Kim, Koh, Lustig, Boyd & Gorinevsky 2007, *An interior-point method for large-scale ℓ₁-regularized least
squares*, §III (the dual); Boyd & Vandenberghe, *Convex Optimization*, §5.5.3.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from refimpl.arithmetic.double_double import DoubleDouble
from refimpl.penalties.elastic_net import ElasticNet
from refimpl.types import Array


@dataclass(frozen=True, kw_only=True)
class Certificate:
    """``objective`` P(w, b) and ``gap``, that far above the minimum at most; both without h.

    ``kkt``: the largest distance of the gradient of the loss from where the penalty wants it (``ElasticNet.distance``),
    feature by feature relative to ``‖xⱼ‖‖y‖`` (centred), which no fit better than w = 0 exceeds. It is that of P(w):
    the intercept is the best for w; what its rounding costs is in the gap.
    """

    objective: float
    gap: float
    kkt: float


def certify(X: Array, y: Array, w: Array, b: float | None, theta: DoubleDouble, l1: float, l2: float) -> Certificate:
    """The certificate of ``w`` ``(p,)`` and ``b`` by ``theta`` ``(n,)``, for ``X`` ``(n, p)`` and ``y`` ``(n,)``.

    ``b``: None for a model without intercept.

    Where θ breaks its constraints, it is moved first: its mean is taken off, and for α₂ = 0 it is made shorter.
    """
    columns, targets = DoubleDouble.of(X), DoubleDouble.of(y)
    r = targets - columns.T.dot(DoubleDouble.of(w))  # y − Xw
    lost = 0.0
    if b is not None:
        apart = float((r - DoubleDouble.of(np.array(b))).sum().high) / len(y)  # b̂ − b
        lost = len(y) / 2 * apart**2  # n/2·(b̂ − b)²
        columns, r, theta, targets = _centred(columns), _centred(r), _centred(theta), _centred(targets)
    bound = DoubleDouble.of(np.full(len(w), l1))
    z, over = _beyond(columns, theta, bound)
    worst = np.max(over)
    if l2 == 0 and worst > 0:
        part = min(1, (1 + 2.0**-50) * worst / (l1 + worst))
        theta = theta * (DoubleDouble.of(np.ones(1)) - DoubleDouble.of(np.array([part])))  # θ·α₁/max|z|
        z, over = _beyond(columns, theta, bound)
    within, beyond = np.minimum(over, 0), np.maximum(over, 0)
    excess = np.sign(z) * beyond  # e
    gap = lost + np.sum((r - theta).high ** 2) / 2  # ½‖r − θ‖²
    gap += np.sum(np.abs(w) * np.where(w * z >= 0, -within, 2 * l1 + within))  # α₁|w| − z̄w, with |z̄| = α₁ + within
    if l2:
        gap += np.sum((l2 * w - excess) ** 2) / (2 * l2)  # (α₂w − e)²/(2α₂)

    objective = lost + np.sum(r.high**2) / 2 + l1 * np.sum(np.abs(w)) + l2 * np.sum(w**2) / 2
    gradient = -columns.dot(r).high  # −Xᵀr
    distance = ElasticNet(l1=l1, l2=l2).distance(w, gradient)
    largest = np.linalg.norm(columns.high, axis=0) * np.linalg.norm(targets.high)  # ‖xⱼ‖‖y‖
    kkt = np.divide(distance, largest, out=np.zeros(len(w)), where=largest > 0)
    return Certificate(objective=float(objective), gap=float(gap), kkt=float(np.max(kkt)))


def _beyond(columns: DoubleDouble, theta: DoubleDouble, bound: DoubleDouble) -> tuple[Array, Array]:
    """z = Xᵀθ and |z| − α₁."""
    z = columns.dot(theta)
    sign = np.where(z.high < 0, -1.0, 1.0)
    return z.high, (z.times_power_of_two(sign) - bound).high


def _centred(columns: DoubleDouble) -> DoubleDouble:
    """The columns minus their means; twice, because the first mean is rounded to float64."""
    for _ in range(2):
        columns = columns - DoubleDouble.of(columns.sum().high / len(columns.high))
    return columns
