"""SOAP: Adam in the eigenbasis of Shampoo's matrices, which moves slowly, so that its averages can be kept in it.

::

    first gradient:  L ← (1 − β)GGᵀ,  R ← (1 − β)GᵀG,  Q_L, Q_R their eigenvectors;  no step is made
    each other:
        G′ = Q_Lᵀ G Q_R
        m ← m + (1 − β₁)(G − m)                   from 0, in the original space
        v ← v + (1 − β₂)(G′² − v)                 from 0, in the rotated space
        N′ = Q_Lᵀ m Q_R / (√v + ε)
        w ← (w − η·√(1 − β₂ᵗ)/(1 − β₁ᵗ)·Q_L N′ Q_Rᵀ)·(1 − ηλ)      t = 1 in the first step that is made
        L ← L + (1 − β)(GGᵀ − L),  R alike        β = shampoo_beta, or β₂
        if t divides by precondition_frequency:   one power iteration
            columns of Q, and with them v, in the order of qᵀLq, the largest first
            Q_L ← qr(L Q_L),  Q_R ← qr(R Q_R)

GGᵀ ≈ Q_L Λ Q_Lᵀ: in these coordinates rows and columns of the gradient are uncorrelated on average, so that Adam's
division by √v, element by element, does what Shampoo's L^(−1/4) G R^(−1/4) does for a matrix. Signs of the columns of
Q cancel. With eigenvalues that are equal, as in the null space of R after the first gradient of a wide matrix, there
are many eigenbases, and the steps depend on which one it is: two correct codes part there, and a run is judged by the
bases that it had itself. In running-error arithmetic the bases of this reference are therefore unbounded.

Sources: Vyas et al., "SOAP: Improving and Stabilizing Shampoo using Adam", ICLR 2025, arXiv:2409.11321, Algorithms 3
and 4, which leave out initialisation, correction and order; these and the decay, which comes after the step, are as in
the authors' code, ``soap.py``. There ε stands beside a √v that is not corrected. That code keeps m in the rotated space
and turns it with every new basis, which is the same but for rounding; ``pytorch-optimizer`` keeps it as here. A vector
is not rotated unless ``precondition_1d``, nor an axis of more than ``max_precond_dim``; arrays of more axes have a
matrix for each. ``ordered=False`` leaves the columns where they are, as Algorithm 4 does.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar

import numpy as np

from refimpl.arithmetic.bases import along, columns, descending, eigenvectors, estimates, orthonormal, rotated, unfolded
from refimpl.arithmetic.kernels import lerp
from refimpl.ranges import NonNegative, Range, Rates, check_fields, check_integers
from refimpl.stepping import count_step, is_zero
from refimpl.types import Array, Decay, Number, State


@dataclass(frozen=True, kw_only=True)
class SOAP:
    """State: ``step`` ``(runs,)``, the number of gradients; ``exp_avg`` m and ``exp_avg_sq`` v, of the parameter's
    shape; ``precond_i`` ``(runs, nᵢ, nᵢ)`` of each axis, L and R of a matrix, and ``basis_i``, their Q.

    All of it is absent before the first step.
    """

    decay: ClassVar[Decay] = "decoupled"
    lr: NonNegative = 3e-3
    betas: Rates = (0.95, 0.95)
    shampoo_beta: Annotated[Number | None, Range(low=0, high=1, open_high=True, optional=True)] = None
    eps: NonNegative = 1e-8
    weight_decay: NonNegative = 0.01
    precondition_frequency: int = 10
    max_precond_dim: int = 10000
    precondition_1d: bool = False
    correct_bias: bool = True
    ordered: bool = True

    def __post_init__(self) -> None:
        check_fields(self)
        check_integers(self, precondition_frequency=1, max_precond_dim=0)

    def init(self, param: Array) -> State:
        del param
        return {}

    def step(self, param: Array, grad: Array, state: State) -> tuple[Array, State]:
        count, t = count_step(state, param)
        axes = self.axes(param.shape)
        if "exp_avg" not in state:
            after = {"step": count, "exp_avg": 0 * grad, "exp_avg_sq": 0 * grad}
            for i in axes:
                after[f"precond_{i}"] = self.statistic(0, grad, i)  # (1 − β)GGᵀ
                after[f"basis_{i}"] = eigenvectors(after[f"precond_{i}"])
            return param, after
        Q = {i: state[f"basis_{i}"] for i in axes}
        m = lerp(state["exp_avg"], grad, 1 - self.betas[0])  # m + (1 − β₁)(G − m)
        v = self.second(state["exp_avg_sq"], rotated(grad, Q))
        after = {"step": count, "exp_avg": m}
        renewed = (count - 1) % self.precondition_frequency < 1
        for i in axes:
            L = after[f"precond_{i}"] = self.statistic(state[f"precond_{i}"], grad, i)
            after[f"basis_{i}"] = Q[i]
            if some(renewed):
                order = self.order(L, Q[i])
                basis = orthonormal(columns(L @ Q[i], order))  # qr(LQ)
                after[f"basis_{i}"] = np.where(renewed.reshape(-1, 1, 1), basis, Q[i])
        param = self.moved(param, rotated(m, Q), v, Q, t - 1)
        for i in axes if some(renewed) else ():
            v = np.where(
                renewed.reshape(-1, *(1,) * (v.ndim - 1)), along(v, i, self.order(after[f"precond_{i}"], Q[i])), v
            )
        return param, {**after, "exp_avg_sq": v}

    def axes(self, shape: tuple[int, ...]) -> list[int]:
        """The axes that have a basis, of a parameter of shape ``(runs, …)``."""
        if len(shape) == 2 and not self.precondition_1d:
            return []
        return [i for i, n in enumerate(shape[1:]) if n <= self.max_precond_dim]

    def statistic(self, before: Any, grad: Any, axis: int) -> Any:
        G = unfolded(grad, axis)
        beta = of_matrices(self.betas[1] if self.shampoo_beta is None else self.shampoo_beta)
        return lerp(before, G @ G.swapaxes(-1, -2), 1 - beta)  # L + (1 − β)(GGᵀ − L)

    def second(self, before: Any, turned: Any) -> Any:
        return lerp(before, turned * turned, 1 - self.betas[1])  # v + (1 − β₂)(G′² − v)

    def order(self, L: Any, Q: Any) -> Array:
        """Of the columns of Q ``(runs, n)``, in which they go into the power iteration."""
        numbers = estimates(L, Q)  # qᵀLq
        if not self.ordered:
            return np.broadcast_to(np.arange(Q.shape[-1]), numbers.shape)
        return descending(numbers)

    def moved(self, param: Any, turned: Any, v: Any, Q: Mapping[int, Any], t: Any) -> Any:
        """w after a step. ``turned``: m in the rotated space."""
        rate = self.lr
        if self.correct_bias:
            rate = rate * np.sqrt(1 - self.betas[1] ** t) / (1 - self.betas[0] ** t)  # η·√(1 − β₂ᵗ)/(1 − β₁ᵗ)
        N = turned / (np.sqrt(v) + self.eps)  # N′ = m′/(√v + ε)
        param = param - rate * rotated(N, Q, back=True)  # w − η Q_L N′ Q_Rᵀ
        if not is_zero(self.weight_decay):
            param = param * (1 - self.lr * self.weight_decay)  # w(1 − ηλ)
        return param


def of_matrices(number: Any) -> Any:
    """A number, or one for each run, shaped to meet ``(runs, n, n)``."""
    return number.reshape(-1, 1, 1) if getattr(number, "ndim", 0) else number


def some(truth: Any) -> bool:
    """Whether any of an array of truth values, or of what carries one, is true."""
    return bool(np.any(getattr(truth, "value", truth)))
