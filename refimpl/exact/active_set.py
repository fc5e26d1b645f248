"""Which features the lasso uses: an active-set method that raises one weight at a time.

With ``h = 2c/N`` taken out, lasso and elastic net minimise over w and, with an intercept, b::

    P(w, b) = ½‖r‖² + α₁‖w‖₁ + α₂/2·‖w‖²        r = y − Xw − 1b,  cⱼ = xⱼᵀr

P is least where ``cⱼ − α₂wⱼ = α₁ sign(wⱼ)`` for the features in use and ``|cⱼ| ≤ α₁`` for the others. Kept throughout
is a set S of features with independent columns, their signs s, and weights ``sᵢwᵢ ≥ 0`` that solve the equations on S
(:mod:`refimpl.exact.least_squares` with the pull ``g = α₁s``). From S = ∅:

1. Take the feature j that violates ``|cⱼ| ≤ α₁`` most for its norm; σ = sign(cⱼ). Without any, this is the minimiser.
2. Raise ``|wⱼ|`` by τ. For the equations on S to stay true the weights there follow by ``−τ·a``, a the coefficients of
   ``σxⱼ`` in the columns of S, and the violation ``v = |cⱼ| − α₂|wⱼ| − α₁`` falls to ``v − τκ`` with
   ``κ = ‖σxⱼ − X_S a‖² + α₂(1 + ‖a‖²)``.
3. If no weight gets to 0 before τ = v/κ, j joins S: back to 1. Else stop at the first that does, take it out of S, and
   go on with 2.

This is the method of Lawson and Hanson for weights of one sign, and the dual active-set method of Goldfarb and Idnani
for the dual (:mod:`refimpl.exact.certificate`), the projection of y on ``|xⱼᵀθ| ≤ α₁``: each round solves it for the
constraints of S alone, with θ = r strictly further from y, so no S comes twice and the method ends. A column that
depends on those in S has κ = 0; then some weight in S gets to 0 first, or else ``σcⱼ = aᵀc_S = α₁Σsᵢaᵢ ≤ 0``, which is
no violation. So ties, duplicates and p ≫ n need no special treatment. Residuals have twice the precision of float64:
``|cⱼ| ≤ α₁`` is decided to its last digits.

Source: Lawson & Hanson 1974, *Solving Least Squares Problems*, ch. 23; Goldfarb & Idnani 1983, *A numerically stable
dual method for solving strictly convex quadratic programs*; Osborne, Presnell & Turlach 2000, *On the lasso and its
dual*.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from refimpl.arithmetic.double_double import DoubleDouble
from refimpl.errors import ParameterError
from refimpl.exact.least_squares import Equations
from refimpl.types import Array

ROUNDS = 20
"""Per feature; far more than are needed."""
DECIDED = 2.0**-50
"""A violation so much smaller than α₁ is none."""
ROUNDING = 2.0**-90
"""Nor is one so much smaller than ‖xⱼ‖‖y‖: the rounding errors of cⱼ in twice the precision."""


@dataclass(frozen=True, kw_only=True, eq=False)  # eq=False: arrays have no single truth value
class Active:
    """``features`` in use (their numbers) with ``signs``; ``weight`` and ``bias`` in twice the precision, all ``(p,)``
    and ``()``; ``residual`` r ``(n,)``; ``correlation`` c = Xᵀr ``(p,)``."""

    features: npt.NDArray[np.intp]
    signs: Array
    weight: DoubleDouble
    bias: DoubleDouble
    residual: DoubleDouble
    correlation: DoubleDouble


class ActiveSet:
    """The method for one ``X`` ``(n, p)`` and ``y`` ``(n,)``, float64."""

    def __init__(self, X: Array, y: Array, *, intercept: bool) -> None:
        self.X, self.y, self.intercept = DoubleDouble.of(X), DoubleDouble.of(y), int(intercept)
        self.ones = DoubleDouble.of(np.ones((len(X), self.intercept)))
        self.norms = np.linalg.norm(X, axis=0)
        self.noise = ROUNDING * self.norms * np.linalg.norm(y)

    def solve(self, l1: float, l2: float, start: Active | None = None) -> Active:
        """The minimiser for α₁ = ``l1`` > 0 and α₂ = ``l2``, faster where it is like ``start``, with α₂ no larger.

        Raises :class:`ParameterError` where rounding keeps it from an end.
        """
        features = np.zeros(0, np.intp) if start is None else start.features
        signs = np.zeros(0) if start is None else start.signs
        rounds = ROUNDS * (self.X.high.shape[1] + 1)
        for _ in range(rounds):  # ends sooner: no set comes twice
            active = self._on(features, signs, l1, l2)
            wrong = active.signs * active.weight.high[features] < 0
            if np.any(wrong):  # of ``start``; or a weight that is 0 but for rounding
                features, signs = features[~wrong], signs[~wrong]
                continue
            violation = np.abs(active.correlation.high) - l1
            violation[features] = 0
            violation[violation <= DECIDED * l1 + self.noise] = 0
            if not np.any(violation):
                return active
            j = np.argmax(violation / np.where(violation > 0, self.norms, 1))
            features, signs = self._raise(int(j), float(violation[j]), active, l2)
        raise ParameterError(
            "strengths",
            given=f"one whose support is not found in {rounds} rounds, because of rounding",
            allowed="those that float64 can decide",
            remedy="use a larger strength, or leave out features that nearly depend on others",
        )

    def slope(self, at: Active, l2: float) -> tuple[DoubleDouble, DoubleDouble]:
        """d(b, w_S)/dα₁ and dc/dα₁ ``(p,)`` on the features of ``at``: as long as these last, all is linear in α₁."""
        equations = self._equations(at.features, l2)
        pull = np.concatenate([np.zeros(self.intercept), at.signs])
        moved = equations.solve(DoubleDouble.of(np.zeros_like(self.y.high)), pull)
        return moved.theta, self.X.dot(moved.residual)

    def _on(self, features: npt.NDArray[np.intp], signs: Array, l1: float, l2: float) -> Active:
        """The solution of the equations on S."""
        pull = np.concatenate([np.zeros(self.intercept), l1 * signs])
        solution = self._equations(features, l2).solve(self.y, pull)
        high, low = np.zeros((2, len(self.norms)))
        high[features], low[features] = solution.theta.high[self.intercept :], solution.theta.low[self.intercept :]
        return Active(
            features=features,
            signs=signs,
            weight=DoubleDouble(high, low),
            bias=solution.theta[: self.intercept].sum(),
            residual=solution.residual,
            correlation=self.X.dot(solution.residual),
        )

    def _equations(self, features: npt.NDArray[np.intp], l2: float) -> Equations:
        """On ``[1 X_S]``: the intercept is a column that is not penalised."""
        decay = np.concatenate([np.zeros(self.intercept), np.full(len(features), l2)])
        return Equations(self.ones.joined(self.X[:, features], axis=1), decay)

    def _raise(self, j: int, violation: float, at: Active, l2: float) -> tuple[npt.NDArray[np.intp], Array]:
        """S with j, after all that had to leave: steps 2 and 3."""
        features, signs, weight = at.features, at.signs, at.weight.high[at.features]
        sign = np.sign(at.correlation.high[j])
        column = sign * self.X.high[:, j]
        while True:
            theta = self._equations(features, l2).combination(column)
            a = theta[self.intercept :]
            rest = column - self.ones.high @ theta[: self.intercept] - self.X.high[:, features] @ a  # σxⱼ − 1a₀ − X_S a
            kappa = rest @ rest + l2 * (1 + a @ a)
            full = violation / kappa if kappa else np.inf
            towards_zero = signs * a > 0
            until = np.divide(weight, a, out=np.full(len(a), np.inf), where=towards_zero)  # wᵢ − τaᵢ = 0
            if full <= np.min(until, initial=np.inf):
                return np.append(features, j), np.append(signs, sign)
            first = np.argmin(until)
            weight = np.delete(weight - until[first] * a, first)
            violation -= until[first] * kappa
            features, signs = np.delete(features, first), np.delete(signs, first)
