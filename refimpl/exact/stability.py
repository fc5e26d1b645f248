"""Does SGD on these batches converge or diverge? Predicted from the data, before a run.

The objective of a batch is a quadratic with Hessian ``H_B = hM_BᵀM_B + diag(d)`` (see :mod:`refimpl.exact.quadratic`),
so the difference e of two runs on the same batches obeys a linear recursion. Plain descent does::

    e ← (I − ηH_B)e                      along an eigenvector with eigenvalue κ:  e ← (1 − ηκ)e

which shrinks for 0 < ηκ < 2. With momentum μ and dampening τ the buffers of the two differ, too, by b::

    b ← μb + (1 − τ)H_B e                heavy ball    e ← e − ηb
                                         Nesterov      e ← e − η(H_B e + μb)

The 2 × 2 map of (e, b) has, with x = ηκ, the characteristic polynomial ``z² − (1 + μ − (1 − τ)x)z + μ``, or, for
Nesterov, ``z² − (1 + μ)(1 − x)z + μ(1 − x)``. Both roots of ``z² − sz + t`` lie inside the unit circle where
``|t| < 1`` and ``|s| < 1 + t`` (Jury). So, for μ < 1, repeating one batch is stable for ``η < reach/κ_max`` with::

    reach = 2                            plain:  η < 2/(L_B + λ), L_B the largest eigenvalue of hM_BᵀM_B
    reach = 2(1 + μ)/(1 − τ)             heavy ball
    reach = 2(1 + μ)/(1 + 2μ)            Nesterov

``L_B + λ`` is κ_max where all parameters are penalised alike; here κ_max is taken of H_B itself.

Batches that take turns have a limit of their own. For plain descent the smallest of theirs is sufficient, because each
``I − ηH_B`` is symmetric and makes no vector longer. It is not necessary: what one batch makes longer, the others may
make shorter. Exact is the growth per epoch of the product of all steps::

    ρ(A_m ⋯ A_1)                         a fixed order: its spectral radius
    lim 1/K log‖P_K ⋯ P_1‖               orders drawn anew: the Lyapunov exponent, measured on the epochs that are drawn

The run diverges where the radius is above 1, or the exponent above 0.

A weight vector v that no row sees, ``Xv = 0``, has ``H_B v = λv`` in every batch: it changes by ``1 − ηλ`` at each
step, and diverges where ``λ > 2/η``, whatever the data are; where λ = 0 it stays and is not counted. So the products
are formed in the span of the rows only, r ≤ n + 1 dimensions however many features there are. There diag(d) is
``d₁I`` but for the coordinates with another λ (the bias), whose unit vectors are further rows, so that a step costs
2|B|r² and not r³::

    H_B P = d₁P + Rᵀ(g∘(RP))       R = [M_B; unit vectors],  g = (h, …, h; dⱼ − d₁, …)

and the eigenvalues of H_B are d₁ and d₁ plus those of the small matrix ``diag(g)RRᵀ``.

Source: Polyak 1964, *Some methods of speeding up the convergence of iteration methods*; Furstenberg & Kesten 1960,
*Products of random matrices*.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
import numpy.typing as npt
from scipy.optimize import brentq

from refimpl.batches import Order
from refimpl.errors import ParameterError
from refimpl.exact.quadratic import quadratic
from refimpl.losses.squared_error import SquaredError
from refimpl.optimizers.sgd import SGD
from refimpl.penalties.l2 import L2
from refimpl.problem import Problem
from refimpl.types import Array


@dataclass(frozen=True, kw_only=True)
class Growth:
    """By what an error is multiplied in an epoch, in the long run.

    ``seen``: in the span of the rows. ``unseen``: along directions with Xv = 0; None where there are none, or where
    they stay as they are (λ = 0).
    """

    seen: float
    unseen: float | None

    @property
    def largest(self) -> float:
        """The factor that decides."""
        return self.seen if self.unseen is None else max(self.seen, self.unseen)

    @property
    def diverges(self) -> bool:
        return self.largest > 1


def reach(optimizer: SGD) -> float:
    """The largest stable ηκ of one quadratic. Raises :class:`ParameterError` for what is not plain descent."""
    mu, tau = float(optimizer.momentum), float(optimizer.dampening)
    if optimizer.maximize or mu >= 1 or (mu and tau >= 1):
        raise ParameterError(
            "optimizer", given=optimizer, allowed="SGD that descends, momentum < 1, dampening < 1", remedy="change it"
        )
    if optimizer.nesterov:
        return 2 * (1 + mu) / (1 + 2 * mu)
    return 2 * (1 + mu) / (1 - tau) if mu else 2.0


def limits(problem: Problem, X: Array, order: Order, optimizer: SGD) -> Array:
    """reach/κ_max of every batch of the ``order``, ``(batches,)``: for η below it, repeating that batch is stable.

    ``X`` ``(1, n, p)``. The optimizer's ``weight_decay`` counts as L2 on every parameter; its ``lr`` plays no part.
    Raises :class:`ParameterError` where the objective is not quadratic or the optimizer is not plain descent.
    """
    curvatures = _Curvatures.of(problem, X, optimizer)
    kappa = np.array([curvatures.largest(rows) for batches in order for rows in batches])
    bounds: Array = np.divide(reach(optimizer), kappa, out=np.full(len(kappa), np.inf), where=kappa > 0)
    return bounds


@np.errstate(over="ignore", invalid="ignore")  # an η without sense grows without bound
def growth(problem: Problem, X: Array, order: Order, optimizer: SGD) -> Growth:
    """The growth per epoch: of one epoch repeated for ever where ``order`` has one, else of the epochs drawn.

    Of these the first half is left out: there, errors still turn to where they grow most. Arguments and exceptions are
    those of :func:`limits`.
    """
    reach(optimizer)  # checks
    curvatures = _Curvatures.of(problem, X, optimizer)
    product = np.eye(curvatures.rows.shape[1] * (2 if optimizer.momentum else 1))
    logarithms = [0.0]
    unseen = None
    if curvatures.unseen:
        alone = _step(lambda e: curvatures.unseen * e, np.eye(2 if optimizer.momentum else 1), optimizer)
        steps = sum(len(batches) for batches in order) / len(order)
        unseen = float(np.power(_spectral_radius(alone), steps))  # |1 − ηλ|ᵐ
    for batches in order:
        for rows in batches:
            product = _step(partial(curvatures.times, rows), product, optimizer)  # A_B ⋯ A_1
        size = np.linalg.norm(product)  # any norm: they differ by factors that a logarithm per epoch forgets
        if size == 0 or not np.isfinite(size):
            return Growth(seen=0.0 if size == 0 else np.inf, unseen=unseen)
        if len(order) > 1:
            product = product / size
            logarithms.append(logarithms[-1] + float(np.log(size)))  # log‖P_k ⋯ P_1‖
    half = len(order) // 2
    rate = (logarithms[-1] - logarithms[half]) / (len(order) - half)
    return Growth(seen=float(np.exp(rate)) if len(order) > 1 else _spectral_radius(product), unseen=unseen)


def crossing(growth_at: Callable[[float], Growth], stable: float, unstable: float) -> float:
    """The value between ``stable`` and ``unstable`` at which the growth becomes 1."""
    root: float = brentq(lambda value: np.log(max(growth_at(value).largest, 1e-300)), stable, unstable, rtol=1e-6)
    return root


@dataclass(frozen=True, kw_only=True, eq=False)  # eq=False: arrays have no single truth value
class _Curvatures:
    """H_B in an orthonormal basis of what the rows span: ``rows`` ``(n, r)`` of M, d₁ the ``decay`` of all directions.

    ``own_axis`` ``(k, r)``: the unit vectors of the coordinates with another decay, by ``more`` ``(k,)``, dⱼ − d₁.
    ``unseen``: the eigenvalue λ of H_B along all other directions; 0 where there are none.
    """

    rows: Array
    decay: float
    own_axis: Array
    more: Array
    loss: SquaredError
    unseen: float

    @classmethod
    def of(cls, problem: Problem, X: Array, optimizer: SGD) -> _Curvatures:
        everywhere = L2(strength=optimizer.weight_decay, parameters=tuple(problem.model.ndim))
        problem = replace(problem, penalties=(*problem.penalties, everywhere))
        whole = quadratic(problem, X, np.zeros_like(X[:, :, :1]))
        if len(whole.d) != 1:
            raise ParameterError("strength", given=f"{len(whole.d)} values", allowed="one", remedy="ask for each alone")
        M, d = whole.M.astype(np.float64), whole.d[0].astype(np.float64)
        own_axis = np.eye(len(d))[d != d[0]]  # a bias with another λ than the weight
        _, s, Vt = np.linalg.svd(np.concatenate([M, own_axis]), full_matrices=False)
        basis = Vt[s > max(M.shape) * np.finfo(np.float64).eps * s[0]]
        assert isinstance(problem.loss, SquaredError)  # else it is not quadratic
        return cls(
            rows=M @ basis.T,
            decay=float(d[0]),
            own_axis=own_axis @ basis.T,
            more=d[d != d[0]] - d[0],
            loss=problem.loss,
            unseen=float(d[0]) if len(basis) < len(d) else 0.0,
        )

    def weighted(self, rows: npt.NDArray[np.intp]) -> tuple[Array, Array]:
        """R and g of the batch of these rows: H_B = d₁I + Rᵀ diag(g) R."""
        h = 2 * float(self.loss.factor) / (len(rows) if self.loss.reduction == "mean" else 1)  # 2c/N
        R = np.concatenate([self.rows[rows], self.own_axis])
        return R, np.concatenate([np.full(len(rows), h), self.more])

    def times(self, rows: npt.NDArray[np.intp], P: Array) -> Array:
        """H_B P = d₁P + Rᵀ(g∘(RP))."""
        R, g = self.weighted(rows)
        product: Array = self.decay * P + R.T @ (g[:, None] * (R @ P))
        return product

    def largest(self, rows: npt.NDArray[np.intp]) -> float:
        """κ_max of H_B."""
        R, g = self.weighted(rows)
        if len(R) < R.shape[1]:
            seen = max(0.0, float(np.linalg.eigvals(g[:, None] * (R @ R.T)).real.max()))  # of diag(g)RRᵀ, as of RᵀgR
        else:
            seen = float(np.linalg.eigvalsh(R.T @ (g[:, None] * R))[-1])
        return max(self.decay + seen, self.unseen)


def _step(H: Callable[[Array], Array], P: Array, optimizer: SGD) -> Array:
    """One step of the errors that are the columns of ``P``: e, or e above b with momentum. ``H``: P ↦ H_B P."""
    lr = float(optimizer.lr)
    if not optimizer.momentum:
        return P - lr * H(P)  # e − ηH_B e
    mu, kept = float(optimizer.momentum), 1 - float(optimizer.dampening)
    e, b = np.split(P, 2)
    gradient = H(e)
    b = kept * gradient + mu * b  # (1 − τ)H_B e + μb
    direction = gradient + mu * b if optimizer.nesterov else b  # H_B e + μb, or b
    return np.concatenate([e - lr * direction, b])


def _spectral_radius(A: Array) -> float:
    return float(np.abs(np.linalg.eigvals(A)).max())
