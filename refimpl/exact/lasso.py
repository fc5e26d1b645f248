"""The lasso and the elastic net, solved exactly, with a proof of how exactly.

Minimise ``J(w, b) = c·reduce(rᵢ²) + λ₁‖w‖₁ + λ₂/2·‖w‖²`` with ``rᵢ = xᵢ·w + b − yᵢ``. Dividing J by ``h = 2c/N``,
with ``N = n`` for the mean and 1 for the sum, leaves ``½Σrᵢ² + α₁‖w‖₁ + α₂/2·‖w‖²`` with ``α = λ/h = λN/(2c)``, the
same α as in :mod:`refimpl.exact.ridge`::

    loss and penalty                α₁      as scikit-learn has it: Lasso(alpha=a) is ½·mean + a‖w‖₁, so
    ½·mean + λ₁‖w‖₁                 nλ₁     a = λ₁
       mean + λ₁‖w‖₁                nλ₁/2   a = λ₁/2       torch.nn.MSELoss() with λ₁·w.abs().sum()
    ½·sum  + λ₁‖w‖₁                 λ₁      a = λ₁/n
       sum  + λ₁‖w‖₁                λ₁/2    a = λ₁/(2n)

Setting the subgradient to 0 (KKT): ``xⱼᵀ(y − Xw − 1b) − α₂wⱼ = α₁ sign(wⱼ)`` where wⱼ ≠ 0 and ``|xⱼᵀ(…)| ≤ α₁`` where
wⱼ = 0. Which weights are 0 finds :mod:`refimpl.exact.active_set`; the others then solve linear equations, to all
digits (:mod:`refimpl.exact.least_squares`). Every solution comes with the gap to a point of the dual problem: J(w, b),
of the float64 numbers returned, is at most that far above the minimum (:mod:`refimpl.exact.certificate`, with the
derivation).

For ``X`` with orthonormal, centred columns the solution is the soft threshold ``sign(zⱼ)·max(|zⱼ| − α₁, 0)/(1 + α₂)``
of ``z = Xᵀy``.

Source: Tibshirani 1996, *Regression shrinkage and selection via the lasso*; Zou & Hastie 2005, *Regularization and
variable selection via the elastic net*; Tibshirani 2013, *The lasso problem and uniqueness*.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.optimize import nnls

from refimpl.arithmetic.double_double import DoubleDouble
from refimpl.datasets.dataset import Dataset
from refimpl.errors import ParameterError
from refimpl.exact.active_set import Active, ActiveSet
from refimpl.exact.certificate import certify
from refimpl.exact.magnitude import check_magnitudes
from refimpl.exact.ridge import alpha_for, strengths_of
from refimpl.losses.squared_error import SquaredError
from refimpl.types import Array, Number, Params

TIE = 2.0**-40
"""|cⱼ| this near to α₁, relative, counts as equal to it."""
PROVEN = 1e-12
REMEDY = (
    "use a larger strength, features of like size that do not nearly depend on one another, or features and targets "
    "nearer to 0 (less their means)"
)


@dataclass(frozen=True, kw_only=True, eq=False)  # eq=False: arrays have no single truth value
class LassoSolution:
    """One minimiser per pair of strengths, along the axis of runs.

    ``params``: ``weight`` ``(k, 1, p)`` and, with an intercept, ``bias`` ``(k, 1)``. ``dual`` ``(k, n, 1)``: the dual
    point θ that proves the gap, in twice the precision. All others ``(k,)``: the strengths ``l1`` and ``l2``;
    ``objective``: J; ``gap``: J is at most ``gap·objective`` above the minimum; ``kkt``: the largest violation of the
    optimality conditions of the weights, relative to the largest gradient that the feature can have; ``unique``.
    """

    params: Params
    dual: DoubleDouble
    l1: Array
    l2: Array
    objective: Array
    gap: Array
    kkt: Array
    unique: npt.NDArray[np.bool_]

    @property
    def message(self) -> str:
        """Whether the minimisers are unique, and any whose gap or KKT residual is not within 10⁻¹², in words."""
        parts = []
        if not np.all(self.unique):
            parts.append(
                f"run {_listed(~self.unique)}: the minimiser is not unique, because columns of X depend on one "
                "another; given is one of them; an L2 strength > 0 makes it unique"
            )
        if np.any(loose := ~(self.gap <= PROVEN)):  # so that nan is loose
            parts.append(
                f"run {_listed(loose)}: the minimum is proven to a relative {np.max(self.gap):.0e} only; " + REMEDY
            )
        if np.any(loose := ~(self.kkt <= PROVEN)):
            parts.append(
                f"run {_listed(loose)}: the optimality conditions hold to a relative {np.max(self.kkt):.0e} only; "
                + REMEDY
            )
        return "; ".join(parts) or "every minimiser is unique"


def lasso(
    X: Array, y: Array, loss: SquaredError, strengths: Number, *, l2: Number = 0.0, intercept: bool = True
) -> LassoSolution:
    """The minimisers of ``loss + λ₁‖w‖₁ + λ₂/2·‖w‖²``, λ₁ > 0 in ``strengths``, λ₂ ≥ 0 in ``l2``, floats or ``(k,)``.

    ``X`` ``(1, n, p)``, ``y`` ``(1, n, 1)``, float64. Without ``intercept`` the model is ``X wᵀ``.
    Raises :class:`ShapeError`, :class:`DataError` (nan, inf, another dtype, squares beyond float64) and
    :class:`ParameterError`.
    """
    Dataset(X=X, y=y)  # checks both
    check_magnitudes(X, y)
    first, second = strengths_of("strengths", strengths), strengths_of("l2", l2)
    if not np.all(first > 0):
        raise ParameterError("strengths", given=strengths, allowed="numbers > 0", remedy="for λ₁ = 0 use ridge")
    if len(second) not in (1, len(first)):
        raise ParameterError("l2", given=f"{len(second)} values", allowed="one, or one per run", remedy="change it")
    n, p = X.shape[1:]
    alpha = np.stack(np.broadcast_arrays(*(alpha_for(loss, each, n) for each in (first, second))), axis=1)  # (k, 2)
    method = ActiveSet(X[0], y[0, :, 0], intercept=intercept)
    weight, bias, unique = np.zeros((len(alpha), 1, p)), np.zeros((len(alpha), 1)), np.ones(len(alpha), bool)
    dual, proofs = DoubleDouble(*np.zeros((2, len(alpha), n, 1))), np.zeros((len(alpha), 3))
    active = None
    for run in np.lexsort((-alpha[:, 0], alpha[:, 1])):  # each from the support of the next larger λ₁
        a1, a2 = map(float, alpha[run])
        active = method.solve(a1, a2, active)
        weight[run, 0], bias[run] = active.weight.high, active.bias.high
        dual.high[run, :, 0], dual.low[run, :, 0] = active.residual.high, active.residual.low
        unique[run] = a2 > 0 or _unique(X[0], active, a1, intercept)
        b = float(bias[run, 0]) if intercept else None
        proof = certify(X[0], y[0, :, 0], weight[run, 0], b, active.residual, a1, a2)
        proofs[run] = proof.objective, proof.gap / proof.objective if proof.objective else 0, proof.kkt
    return LassoSolution(
        params={"weight": weight, "bias": bias} if intercept else {"weight": weight},
        dual=dual,
        l1=first,
        l2=np.broadcast_to(second, first.shape),
        objective=proofs[:, 0] / alpha_for(loss, 1.0, n),  # h·P
        gap=proofs[:, 1],
        kkt=proofs[:, 2],
        unique=unique,
    )


def _unique(X: Array, active: Active, l1: float, intercept: bool) -> bool:
    """Whether no other w has the same J, for α₂ = 0.

    All minimisers have the same Xw and the same ‖w‖₁, so they differ by a u with ``X_E u = 0`` on the features E with
    ``|cⱼ| = α₁``, where a weight that is 0 can only move towards the sign of its cⱼ. Those in use can move either way.
    So there is another exactly if 0 is a convex combination of the columns of the unused, times their signs, after
    those in use are projected out. A combination of least norm is found by nonnegative least squares.
    """
    c, w = active.correlation.high, active.weight.high
    tied = (np.abs(c) >= l1 * (1 - TIE)) & (w == 0)
    if not np.any(tied):
        return True
    used = X[:, w != 0]
    if intercept:
        used = np.column_stack([np.ones(len(X)), used])
    columns = X[:, tied] * np.sign(c[tied]) / np.linalg.norm(X[:, tied], axis=0)
    Q = np.linalg.qr(used / np.linalg.norm(used, axis=0))[0]
    for _ in range(2):  # the second pass takes off what rounding left of the first
        columns = columns - Q @ (Q.T @ columns)
    weighed = np.vstack([columns, np.ones(columns.shape[1])])
    share, _ = nnls(weighed, np.append(np.zeros(len(X)), 1.0))
    return bool(np.linalg.norm(columns @ share) > 1e-10 * np.sum(share))


def _listed(runs: Array) -> str:
    return ", ".join(map(str, np.flatnonzero(runs)))
