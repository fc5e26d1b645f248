"""One epoch of minibatch descent in a fixed order, as one affine map.

A step on batch B has the gradient ``H_Bθ − q_B``, ``H_B = hM_BᵀM_B + diag(d)``, ``q_B = hM_Bᵀy_B`` (see
:mod:`refimpl.exact.quadratic`), so it is affine in θ, and so is the whole epoch::

    θ ← (I − ηH_B)θ + ηq_B             one step
    θ ← Aθ + c                         one epoch
    A ← (I − ηH_B)A,  c ← (I − ηH_B)c + ηq_B      batch after batch, from A = I, c = 0

Kept is ``E = A − I``, so that neither a small ηH_B nor ``I − A`` loses digits::

    E ← E − ηH_B(I + E)

After K epochs ``θ_K = Aᴷθ₀ + (I + A + … + A^{K−1})c``, and the run converges, where it does, to ``θ* = (I − A)⁻¹c``.
This is not the minimiser of J unless the batch is full: the mean gradient vanishes there, the steps do not.

Source: Bertsekas 2011, *Incremental gradient, subgradient and proximal methods* (the limit cycle of a fixed order).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from refimpl.errors import ParameterError
from refimpl.exact.powers import affine, power_minus_identity
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
        theta = flatten(self.problem, params, self.features)
        power = power_minus_identity(affine(self.E, self.c), epochs)
        moved = (power[:, :-1, :-1] @ theta[:, :, None])[:, :, 0] + power[:, :-1, -1]  # (Aᴷ − I)θ₀ + (I + … + A^{K−1})c
        return unflatten(self.problem, theta + moved, self.features)

    def fixed_point(self) -> dict[str, Array]:
        """(I − A)⁻¹c: where one more epoch changes nothing. Raises :class:`ParameterError` where it is not unique."""
        s = np.linalg.svd(self.E, compute_uv=False)
        rank = np.sum(s > s.shape[1] * np.finfo(np.float64).eps * s[:, :1], axis=1)
        if np.any(rank < s.shape[1]):
            raise ParameterError(
                "fixed_point",
                given=f"I − A of rank {rank.min()} in {s.shape[1]} parameters: some directions never move",
                allowed="one fixed point",
                remedy="penalise the weight (λ > 0), take lr > 0, or use after(), which needs no fixed point",
            )
        theta = np.linalg.solve(-self.E, self.c[:, :, None])[:, :, 0]  # (I − A)⁻¹c
        return unflatten(self.problem, theta, self.features)


def epoch_map(problem: Problem, X: Array, y: Array, batches: Sequence[npt.NDArray[np.intp]], lr: Number) -> EpochMap:
    """The map of one epoch of ``SGD(lr)`` over ``batches``, the row numbers of each batch in order.

    ``X`` ``(1, n, p)``; ``y`` ``(1, n, 1)``; ``lr`` a float or ``(runs,)``, as is the strength of each penalty.
    Raises :class:`ParameterError`, :class:`ShapeError`, :class:`DataError`.
    """
    SGD(lr=lr)  # checks the range
    if len(batches) == 0:
        raise ParameterError("batches", given="none", allowed="at least one batch", remedy="see Batches.draw")
    rate = np.reshape(lr, (-1, 1, 1))
    whole = quadratic(problem, X, y)
    q = whole.d.shape[1]
    runs = max(len(rate), len(whole.d))
    affine_part = np.zeros((runs, q, q + 1))  # [E c]: the columns that θ's coordinates and 1 are carried to
    identity, decay = np.eye(q, q + 1), whole.d[:, :, None]
    for rows in batches:
        batch = quadratic(problem, X[:, rows], y[:, rows])
        targets = batch.y[:, None] * np.eye(1, q + 1, q)  # [0 y_B]
        carried = identity + affine_part  # [A c]
        gradient = batch.h * (batch.M.T @ (batch.M @ carried - targets)) + decay * carried  # H_B[A c] − [0 q_B]
        affine_part = affine_part - rate * gradient  # E ← E − ηH_B(I + E),  c ← c − η(H_Bc − q_B)
    return EpochMap(E=affine_part[:, :, :q], c=affine_part[:, :, q], problem=problem, features=X.shape[2])
