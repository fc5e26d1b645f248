"""One epoch of minibatch descent in a fixed order, as one affine map.

A step on batch B has the gradient ``H_Bθ − q_B``, ``H_B = hM_BᵀM_B + diag(d)``, ``q_B = hM_Bᵀy_B`` (see
:mod:`refimpl.exact.quadratic`), so it is affine in θ, and so is the whole epoch::

    θ ← (I − ηH_B)θ + ηq_B                        one step
    A ← (I − ηH_B)A,  c ← (I − ηH_B)c + ηq_B      batch after batch, from A = I, c = 0
    θ ← Aθ + c                                    one epoch

Kept is ``E = A − I``, so that neither a small ηH_B nor ``I − A`` loses digits::

    E ← E − ηH_B(I + E)
    θ ← θ + (Eθ + c)

After K epochs ``θ_K = Aᴷθ₀ + (I + A + … + A^{K−1})c``, and the run converges, where it does, to ``θ* = (I − A)⁻¹c``.
This is not the minimiser of J unless the batch is full: there the gradients of the batches add up to 0, but each step
moves. An error in E would add up over K epochs, so E and c are ``longdouble``.

Source: Bertsekas 2011, *Incremental gradient, subgradient and proximal methods* (the limit cycle of a fixed order).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from refimpl.datasets.dataset import check_integer
from refimpl.errors import ParameterError
from refimpl.exact.quadratic import flatten, quadratic, unflatten
from refimpl.optimizers.sgd import SGD
from refimpl.problem import Problem
from refimpl.types import Array, Number, Params


@dataclass(frozen=True, kw_only=True, eq=False)  # eq=False: arrays have no single truth value
class EpochMap:
    """``θ ← θ + Eθ + c`` over θ = (w, b): ``E`` ``(runs, q, q)``, ``c`` ``(runs, q)``."""

    E: Array
    c: Array
    problem: Problem
    features: int

    @property
    def A(self) -> Array:
        """I + E, ``(runs, q, q)``: the epoch is θ ← Aθ + c."""
        return np.eye(self.E.shape[-1]) + self.E

    def after(self, epochs: int, params: Params) -> dict[str, Array]:
        """The parameters after ``epochs`` epochs from ``params``."""
        check_integer("epochs", epochs, low=0)
        theta = flatten(self.problem, params, self.features)
        for _ in range(epochs):
            theta = theta + (self._move(theta) + self.c)
        return unflatten(self.problem, theta.astype(np.float64), self.features)

    def fixed_point(self) -> dict[str, Array]:
        """(I − A)⁻¹c: where one more epoch changes nothing. Raises :class:`ParameterError` where it is not unique."""
        E = self.E.astype(np.float64)
        s = np.linalg.svd(E, compute_uv=False)
        rank = int(np.min(np.sum(s > s.shape[1] * np.finfo(np.float64).eps * s[:, :1], axis=1)))
        if rank < s.shape[1]:
            raise ParameterError(
                "fixed_point",
                given=f"I − A of rank {rank} for {s.shape[1]} parameters: along some directions nothing moves",
                allowed="a map with one fixed point",
                remedy="penalise the weight (λ > 0) and take lr > 0, or use after(), which needs no fixed point",
            )
        theta = np.linalg.solve(-E, self.c.astype(np.float64)[:, :, None])[:, :, 0]  # −Eθ = c
        residual = self._move(theta) + self.c  # one step of iterative refinement
        theta = theta + np.linalg.solve(-E, residual.astype(np.float64)[:, :, None])[:, :, 0]
        return unflatten(self.problem, theta, self.features)

    def _move(self, theta: Array) -> Array:
        """Eθ."""
        return (self.E @ theta[:, :, None])[:, :, 0]


def epoch_map(problem: Problem, X: Array, y: Array, batches: Sequence[npt.NDArray[np.intp]], lr: Number) -> EpochMap:
    """The map of one epoch of ``SGD(lr)`` over ``batches``, the row numbers of each batch in order.

    ``X`` ``(1, n, p)``; ``y`` ``(1, n, 1)``; ``lr`` a float or ``(runs,)``, as is the strength of each penalty.
    Raises :class:`ParameterError`, :class:`ShapeError`, :class:`DataError`.
    """
    SGD(lr=lr)  # checks the range
    if len(batches) == 0:
        raise ParameterError("batches", given="none", allowed="at least one batch", remedy="see Batches.draw")
    rate = np.reshape(lr, (-1, 1, 1))
    decay = quadratic(problem, X, y).d[:, :, None]
    q = decay.shape[1]
    identity, last = np.eye(q, q + 1), np.eye(1, q + 1, q)
    moved = np.zeros((max(len(rate), len(decay)), q, q + 1), np.longdouble)  # [E c]
    for rows in batches:
        batch = quadratic(problem, X[:, rows], y[:, rows])
        carried = identity + moved  # [A c]: where the coordinates of θ, and 1, have been carried to
        residual = batch.M @ carried - batch.y[:, None] * last  # [M_B A, M_B c − y_B]
        gradient = batch.h * (batch.M.T @ residual) + decay * carried  # [H_B A, H_B c − q_B]
        moved = moved - rate * gradient  # E ← E − ηH_B(I + E),  c ← c − η(H_B c − q_B)
    return EpochMap(E=moved[:, :, :q], c=moved[:, :, q], problem=problem, features=X.shape[2])
