"""Full-batch gradient descent at iterate k in closed form, with L2 penalties and momentum.

The objective is ``½‖Aθ − t‖²`` (see :mod:`refimpl.exact.quadratic`). With ``A = U diag(σ) Vᵀ`` its gradient along a
column v of V is ``σ²·vᵀθ − σ·uᵀt``, so the step ``θ ← θ − η∇J(θ)`` falls apart into one affine recursion per direction.
With ``x = ησ²``::

    θ_k = V [ρ_k(x)∘Vᵀθ₀ + ψ_k(x)∘ησ∘Uᵀt]
    ρ_k = (1 − x)ᵏ                               what is left of θ₀
    ψ_k = Σ_{j<k} (1 − x)ʲ = (1 − (1 − x)ᵏ)/x    how often t has been added; k at x = 0

No minimiser is needed, so this holds where H is singular too. With momentum μ, a direction in units that make its
step ``xz − 1`` does (m is torch's buffer in these units; m₀ = 0)::

    m_{k+1} = μ m_k + (x z_k − 1)
    z_{k+1} = z_k − m_{k+1}                  or  z_k − (x z_k − 1) − μ m_{k+1}  (Nesterov)

an affine map of (z, m). Of the k-th power of its companion matrix, ρ_k is the entry z → z and ψ_k the entry 1 → z.
Plain descent converges where ``η < 2/λ_max(H)``.

Source: Goh 2017, *Why Momentum Really Works*; for expm1, Higham, *Accuracy and Stability of Numerical Algorithms*,
§1.14.1.
"""

from __future__ import annotations

import numpy as np

from refimpl.datasets.dataset import check_integer
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
    x = rate * sigma**2  # ησ²
    left, added = _descent(x, steps) if momentum == 0 else _momentum(x, steps, momentum, nesterov)
    along = left * _apply(Vt, start) + added * rate * sigma * _apply(U.swapaxes(1, 2), t)  # ρ∘Vᵀθ₀ + ψ∘ησ∘Uᵀt
    return unflatten(problem, _apply(Vt.swapaxes(1, 2), along), X.shape[2])  # V …


def stability_limit(problem: Problem, X: Array) -> Array:
    """2/λ_max(H) ``(runs,)``: plain descent converges for every smaller η and diverges for every larger one."""
    A, _ = quadratic(problem, X, np.zeros_like(X[:, :, :1])).stacked()
    largest = np.linalg.svd(A, compute_uv=False)[:, 0]
    limit: Array = np.divide(2, largest**2, out=np.full(len(largest), np.inf), where=largest > 0)  # 2/σ₁²
    return limit


def _apply(matrix: Array, vectors: Array) -> Array:
    """Matrix times vector in each run."""
    return (matrix @ vectors[:, :, None])[:, :, 0]


def _descent(x: Array, k: int) -> tuple[Array, Array]:
    """ρ_k = (1 − x)ᵏ and ψ_k = (1 − (1 − x)ᵏ)/x, elementwise, for x ≥ 0.

    1 − x is exact for ½ ≤ x ≤ 2; for smaller x, its logarithm keeps the digits of x that 1 − x rounds away.
    """
    logarithm = k * np.log1p(-np.minimum(x, 0.5))  # log (1 − x)ᵏ
    power = (1 - np.maximum(x, 0.5)) ** k
    left = np.where(x < 0.5, np.exp(logarithm), power)
    gone = np.where(x < 0.5, -np.expm1(logarithm), 1 - power)  # 1 − (1 − x)ᵏ
    return left, np.where(x == 0, k, gone / np.where(x == 0, 1, x))


def _momentum(x: Array, k: int, mu: float, nesterov: bool) -> tuple[Array, Array]:
    """ρ_k and ψ_k from the k-th power of the companion matrix of (z, m, 1), for each x.

    Repeated squaring of C = I + E works on ``Cᵏ − I``, because rounding I + E would lose the digits of E below u:
    ``C^{j+k} − I = E_j + E_k + E_j E_k``. In ``longdouble``, so that ``1 + (ρ − 1)`` has digits left where ρ is small.
    """
    reach = 1 + mu if nesterov else 1.0  # how often the new gradient enters z
    square = np.zeros((*x.shape, 3, 3), np.longdouble)  # E
    square[..., 0, 0], square[..., 0, 1], square[..., 0, 2] = -reach * x, -mu * (mu if nesterov else 1), reach
    square[..., 1, 0], square[..., 1, 1], square[..., 1, 2] = x, mu - 1, -1
    power = np.zeros_like(square)
    while k:
        if k % 2:
            power = power + square + power @ square  # E_j + E_k + E_j E_k
        square = 2 * square + square @ square  # E_{2k} = 2E_k + E_k²
        k //= 2
    return (1 + power[..., 0, 0]).astype(np.float64), power[..., 0, 2].astype(np.float64)
