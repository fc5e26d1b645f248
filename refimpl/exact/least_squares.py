"""Least squares to the last digit: the optimality conditions solved with iterative refinement.

For a matrix M ``(n, q)``, targets y, strengths ``d ≥ 0`` of an L2 penalty and a constant pull g on each coefficient,
minimise ``½‖y − Mθ‖² + ½Σdⱼθⱼ² + gᵀθ``. With the residual r as an unknown beside θ its gradient vanishes where::

    r + Mθ      = y
    Mᵀr − d∘θ   = g

Without g and d this is least squares, with d ridge, and with ``g = λ·sign(w)`` the lasso on its support. From a guess
(θ, r), what is left over, ``f = y − r − Mθ`` and ``e = g − Mᵀr + d∘θ``, has the same equations as right-hand side for
the correction. With ``A = [M; diag(√d)] = QR``, Q₁ the first n rows of Q::

    z = R⁻ᵀe,  q = Q₁ᵀf
    δθ = R⁻¹(q − z),  δr = f − Q₁(q − z)        because Aᵀ[δr; −√d∘δθ] = e  and  A δθ = [f; 0] − [δr; −√d∘δθ]

The factorisation is made once, in float64; f and e are sums in twice the precision (:class:`DoubleDouble`), and so are
θ and r. Each round leaves an error of about κ·u times the one before (κ the condition number of A with columns of like
norm), so θ has all digits of float64 wherever κ is below some 10¹⁴: plain float64 loses log₁₀ κ of its 16, or with
large residuals twice as many. Columns are scaled by powers of two, which is exact.

Cost: one QR factorisation, 2q²(n + q) operations, and 2 to 8 rounds of some 40·n·q operations each.

Source: Björck 1967, *Iterative refinement of linear least squares solutions I*; Higham, *Accuracy and Stability of
Numerical Algorithms*, §20.5.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.linalg import qr, solve_triangular

from refimpl.arithmetic.double_double import DoubleDouble
from refimpl.errors import ParameterError
from refimpl.types import Array

ROUNDS = 60
ENOUGH = 2.0**-90
"""A correction so much smaller than θ ends the refinement."""


@dataclass(frozen=True, kw_only=True, eq=False)  # eq=False: arrays have no single truth value
class LeastSquares:
    """``theta`` ``(q,)`` and ``residual`` ``(n,)``, with ``correction``: the last correction relative to θ, in norm.

    ``rounds``: of refinement, the first solution not counted.
    """

    theta: DoubleDouble
    residual: DoubleDouble
    correction: float
    rounds: int


class Equations:
    """The two equations for one ``M`` ``(n, q)`` and ``d`` ``(q,)``, factorised; any y and g.

    Raises :class:`ParameterError` where the columns of A depend on one another to working precision.
    """

    def __init__(self, M: DoubleDouble, d: Array) -> None:
        norms = np.sqrt(np.sum(M.high**2, axis=0) + d)
        self.scale: Array = 2.0 ** -np.frexp(norms)[1]  # ‖column‖·scale is from ½ to 1
        if len(norms) == 0:
            return
        self.M = M.times_power_of_two(self.scale)
        self.d = DoubleDouble.of(d * self.scale**2)
        A = np.vstack([self.M.high, np.diag(np.sqrt(self.d.high))[self.d.high > 0]])
        if A.shape[0] < A.shape[1]:
            raise _dependent(f"{A.shape[1]} unknowns for {A.shape[0]} rows")
        self.Q, self.R = qr(A, mode="economic", check_finite=False)
        pivots = np.abs(np.diag(self.R))
        if np.any(pivots <= len(A) * np.finfo(np.float64).eps):
            raise _dependent("columns of which one is a combination of the others to working precision")
        self.Q = self.Q[: M.high.shape[0]]

    def combination(self, v: Array) -> Array:
        """The coefficients of least ``½‖v − Mθ‖² + ½Σdⱼθⱼ²``, in float64, without refinement."""
        if len(self.scale) == 0:
            return self.scale
        combination: Array = self.scale * self._back(self.Q.T @ v)
        return combination

    def solve(self, y: DoubleDouble, g: Array) -> LeastSquares:
        """θ and r for targets ``(n,)`` and pulls ``(q,)``."""
        if len(g) == 0:
            return LeastSquares(theta=DoubleDouble.of(g), residual=y, correction=0.0, rounds=0)
        pull = DoubleDouble.of(g * self.scale)
        theta, r = DoubleDouble.of(np.zeros_like(g)), y
        correction, rounds = np.inf, -1
        while rounds < ROUNDS:
            f = y - r - self.M.T.dot(theta)  # y − r − Mθ
            e = pull - self.M.dot(r) + self.d * theta  # g − Mᵀr + dθ
            z = solve_triangular(self.R, e.high, trans="T", check_finite=False)  # R⁻ᵀe
            along = self.Q.T @ f.high - z  # Q₁ᵀf − z
            step = self._back(along)  # R⁻¹(q − z)
            theta = theta + DoubleDouble.of(step)
            r = r + f - DoubleDouble.of(self.Q @ along)  # f − Q₁(q − z)
            rounds += 1
            before, size = correction, np.linalg.norm(theta.high)
            correction = float(np.linalg.norm(step) / size) if size else 0.0
            if correction <= ENOUGH or correction > before / 2:  # nothing left, or it does not converge
                break
        return LeastSquares(
            theta=theta.times_power_of_two(self.scale), residual=r, correction=correction, rounds=rounds
        )

    def _back(self, right: Array) -> Array:
        solution: Array = solve_triangular(self.R, right, check_finite=False)
        return solution


def least_squares(M: DoubleDouble, y: DoubleDouble, d: Array | None = None) -> LeastSquares:
    """The minimiser of ``½‖y − Mθ‖² + ½Σdⱼθⱼ²`` for ``M`` ``(n, q)``, ``y`` ``(n,)`` and ``d`` ``(q,)``, 0 by default.

    An intercept is a column of ones with d = 0. Raises :class:`ParameterError` where the columns depend on one another
    to working precision, or so nearly that the refinement does not converge to float64.
    """
    q = M.high.shape[1]
    solution = Equations(M, np.zeros(q) if d is None else d).solve(y, np.zeros(q))
    if solution.correction > np.finfo(np.float64).eps / 2:
        raise _dependent(f"columns so nearly dependent that refinement stops at {solution.correction:.0e}")
    return solution


def _dependent(given: str) -> ParameterError:
    return ParameterError(
        "X", given=given, allowed="independent columns", remedy="leave some out, or use a larger strength"
    )
