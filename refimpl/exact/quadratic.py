"""The objective of a linear model with squared error and L2 penalties, as a quadratic in one vector θ.

θ is the parameters one after the other, ``(w, b)``. With the rows ``M = [X 1]``, the loss ``(c/N)Σrᵢ²`` and the
strength ``dⱼ`` that coordinate j is penalised with (0 for an unpenalised one)::

    J(θ)  = h/2·‖Mθ − y‖² + ½ Σ dⱼθⱼ²           h = 2c/N
    ∇J(θ) = h Mᵀ(Mθ − y) + d∘θ
    H     = h MᵀM + diag(d)

and, with the penalty as further rows of data, ``J(θ) = ½‖Aθ − t‖²`` for ``A = [√h·M; diag(√d)]``, ``t = [√h·y; 0]``.
The eigenvalues of H are the squared singular values of A, and those of A are known to more digits.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from refimpl.arithmetic.lift import lift
from refimpl.datasets.dataset import Dataset
from refimpl.errors import ParameterError, ShapeError
from refimpl.losses.squared_error import SquaredError
from refimpl.models.linear import Linear
from refimpl.penalties.l2 import L2
from refimpl.problem import Problem
from refimpl.types import Array, Params


@dataclass(frozen=True, kw_only=True, eq=False)  # eq=False: arrays have no single truth value
class Quadratic:
    """``M`` ``(n, q)``; ``y`` ``(n,)``; ``h`` ``()``; ``d`` ``(runs, q)``, one run unless λ has one value per run.

    All are ``longdouble``, so that 2c/N and sums of strengths are not rounded to float64.
    """

    M: Array
    y: Array
    h: Array
    d: Array

    def stacked(self) -> tuple[Array, Array]:
        """``A`` ``(runs, n + q, q)`` and ``t`` ``(runs, n + q)`` with J = ½‖Aθ − t‖², rounded to float64."""
        runs, q = self.d.shape
        data = np.broadcast_to(np.sqrt(self.h) * self.M, (runs, *self.M.shape))  # √h·M
        decay = np.sqrt(self.d)[:, :, None] * np.eye(q)  # diag(√d)
        targets = np.broadcast_to(np.sqrt(self.h) * self.y, (runs, len(self.y)))  # √h·y
        A, t = np.concatenate([data, decay], axis=1), np.concatenate([targets, np.zeros((runs, q))], axis=1)
        return A.astype(np.float64), t.astype(np.float64)


def quadratic(problem: Problem, X: Array, y: Array) -> Quadratic:
    """The quadratic of a problem on data ``X`` ``(1, n, p)`` and ``y`` ``(1, n, 1)``.

    Raises :class:`ParameterError` where the objective is not quadratic, :class:`ShapeError` and :class:`DataError` for
    bad data.
    """
    Dataset(X=X, y=y)  # checks both
    model, loss = problem.model, problem.loss
    if not isinstance(model, Linear):
        raise _not_quadratic("model", model, "Linear")
    if not isinstance(loss, SquaredError) or not isinstance(loss.factor, int | float):
        raise _not_quadratic("loss", loss, "SquaredError with one factor")
    strengths: dict[str, Array] = dict.fromkeys(model.ndim, np.zeros(1, np.longdouble))
    for penalty in problem.penalties:
        if not isinstance(penalty, L2):
            raise _not_quadratic("penalties", penalty, "L2")
        for name in penalty.parameters:
            strengths[name] = strengths[name] + penalty.strength
    shapes = model.shapes(X.shape[2])
    per_run = np.broadcast_arrays(*(strengths[name] for name in shapes))
    sizes = [int(np.prod(shape)) for shape in shapes.values()]
    d = np.repeat(np.stack(per_run, axis=1), sizes, axis=1)  # each parameter's λ, once per coordinate
    X, y = X.astype(np.longdouble), y.astype(np.longdouble)
    h = lift(loss, np.longdouble).hessian(y, y)[0, 0, 0]  # 2c/N
    return Quadratic(M=model.rows(X)[0], y=y[0, :, 0], h=h, d=d)


def flatten(problem: Problem, params: Params, features: int) -> Array:
    """θ ``(runs, q)``. Raises :class:`ShapeError` unless ``params`` has the model's parameters in torch's shapes."""
    shapes = problem.model.shapes(features)
    given = {name: np.shape(value) for name, value in params.items()}
    runs = max((shape[0] for shape in given.values() if shape), default=1)
    allowed = {name: (runs, *shape) for name, shape in shapes.items()}
    if given != allowed:
        raise ShapeError("params", given=given, allowed=str(allowed), remedy="the first axis is that of runs")
    return np.concatenate([np.asarray(params[name], np.float64).reshape(runs, -1) for name in shapes], axis=1)


def unflatten(problem: Problem, theta: Array, features: int) -> dict[str, Array]:
    """The parameters by name in torch's shapes, from θ ``(runs, q)``."""
    shapes = problem.model.shapes(features)
    ends = np.cumsum([int(np.prod(shape)) for shape in shapes.values()])[:-1]
    parts = np.split(theta, ends, axis=1)
    return {name: part.reshape(len(theta), *shape) for part, (name, shape) in zip(parts, shapes.items(), strict=True)}


def _not_quadratic(what: str, given: Any, allowed: str) -> ParameterError:
    return ParameterError(
        what, given=given, allowed=allowed, remedy="run the recursion instead: closed forms need a quadratic objective"
    )
