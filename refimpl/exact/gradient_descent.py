"""Full-batch gradient descent at iterate k in closed form, with L2 penalties and momentum.

The objective is ``½‖Aθ − t‖²`` (see :mod:`refimpl.exact.quadratic`). With ``A = U diag(σ) Vᵀ`` the Hessian is
``V diag(σ²) Vᵀ``, and the step ``θ ← θ − η∇J(θ)`` falls apart into one scalar recursion per direction v. There, with
``x = ησ²`` and ``γ = vᵀ∇J(θ₀)``, the distance travelled is ``vᵀ(θ_k − θ₀) = −ηγ ψ_k`` with ψ₀ = 0 and::

    ψ_{k+1} = ψ_k + (1 − xψ_k),        ψ_k = (1 − (1 − x)ᵏ)/x  →  k  as x → 0

and since ``γ = σ uᵀ(Aθ₀ − t)``, all directions together::

    θ_k = θ₀ − V diag(ησ ψ_k(ησ²)) Uᵀ(Aθ₀ − t)

which needs no minimiser, so it holds where H is singular too. With momentum μ, torch's buffer is ``γm_k``, m₀ = 0::

    m_{k+1} = μ m_k + (1 − xψ_k)
    ψ_{k+1} = ψ_k + m_{k+1}                          or  ψ_k + (1 − xψ_k) + μ m_{k+1}  (Nesterov)

an affine map of (ψ, m): the k-th power of its companion matrix. Descent converges where ``η < 2/λ_max(H)``.

Source: Goh 2017, *Why Momentum Really Works*; Higham, *Accuracy and Stability*, §1.14.1 for expm1.
"""

from __future__ import annotations

import numpy as np

from refimpl.datasets.dataset import check_integer
from refimpl.exact.powers import affine, power_minus_identity
from refimpl.exact.quadratic import flatten, quadratic, unflatten
from refimpl.optimizers.sgd import SGD
from refimpl.problem import Problem
from refimpl.types import Array, Number, Params


def iterate(
    problem: Problem,
    X: Array,
    y: Array,
    params: Params,
    *,
    lr: Number,
    steps: int,
    momentum: float = 0.0,
    nesterov: bool = False,
) -> dict[str, Array]:
    """The parameters after ``steps`` steps of ``SGD(lr, momentum, nesterov)`` on all rows, from ``params``.

    ``X`` ``(1, n, p)``; ``y`` ``(1, n, 1)``; ``params`` in torch's shapes with the axis of runs; ``lr`` a float or
    ``(runs,)``, as is the strength of each penalty. Where the recursion overflows, so does this.
    Raises :class:`ParameterError`, :class:`ShapeError`, :class:`DataError`.
    """
    SGD(lr=lr, momentum=momentum, nesterov=nesterov)  # checks the ranges
    check_integer("steps", steps, low=0)
    A, t = quadratic(problem, X, y).stacked()
    start = flatten(problem, params, X.shape[2])
    U, sigma, Vt = np.linalg.svd(A, full_matrices=False)
    rate = np.reshape(lr, (-1, 1))
    residual = (A @ start[:, :, None])[:, :, 0] - t  # Aθ₀ − t
    x = rate * sigma**2
    psi = _descent(x, steps) if momentum == 0 else _momentum(x, steps, momentum, nesterov)
    along = rate * sigma * psi * (residual[:, None, :] @ U)[:, 0]  # diag(ησψ) Uᵀ(Aθ₀ − t)
    return unflatten(problem, start - (along[:, None, :] @ Vt)[:, 0], X.shape[2])  # θ₀ − V…


def stability_limit(problem: Problem, X: Array) -> Array:
    """2/λ_max(H) ``(runs,)``: plain descent converges for every smaller η and diverges for every larger one."""
    A, _ = quadratic(problem, X, np.zeros_like(X[:, :, :1])).stacked()
    largest = np.linalg.svd(A, compute_uv=False)[:, 0]
    limit: Array = np.divide(2, largest**2, out=np.full(len(largest), np.inf), where=largest > 0)  # 2/σ₁²
    return limit


def _descent(x: Array, k: int) -> Array:
    """ψ_k = (1 − (1 − x)ᵏ)/x, elementwise, for x ≥ 0.

    1 − x is exact for ½ ≤ x ≤ 2; for smaller x the digits of x are kept by (1 − x)ᵏ − 1 = expm1(k·log1p(−x)).
    """
    small = -np.expm1(k * np.log1p(-np.minimum(x, 0.5)))
    large = 1 - (1 - np.maximum(x, 0.5)) ** k
    return np.where(x == 0, k, np.where(x < 0.5, small, large) / np.where(x == 0, 1, x))


def _momentum(x: Array, k: int, mu: float, nesterov: bool) -> Array:
    """ψ_k by the k-th power of the companion matrix of (ψ, m), for each x."""
    reach = 1 + mu if nesterov else 1.0  # how often the new gradient enters ψ
    E = np.empty((*x.shape, 2, 2))  # the map of (ψ, m), minus the identity
    E[..., 0, 0], E[..., 0, 1] = -reach * x, mu * mu if nesterov else mu
    E[..., 1, 0], E[..., 1, 1] = -x, mu - 1
    c = np.broadcast_to(np.array([reach, 1.0]), (*x.shape, 2))
    psi: Array = power_minus_identity(affine(E, c), k)[..., 0, 2]  # from ψ₀ = m₀ = 0
    return psi
