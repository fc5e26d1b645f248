"""Minibatch SGD does not end at the ridge.

With a constant η and batches in a fixed order, SGD converges to a point at a distance from the ridge that falls like η;
full-batch descent converges to the ridge itself. On average over the orders of the batches, it is to first order the
minimum of the ridge's objective plus η/4·mean‖∇J_B‖²: a penalty on the gradients of the batches that nobody wrote down.

A step on batch i is ``θ ← θ − η∇J_i(θ)`` with ``∇J_i(θ) = H_iθ − q_i``; the penalty λ/2·‖w‖² is in each J_i. An epoch
of m batches moves θ by, with everything beyond η² left out::

    −ηΣ_i ∇J_i(θ) + η²Σ_{j<i} H_i∇J_j(θ)          batch i meets a θ that batches j < i have moved

This is 0 at the fixed point θ*. With θ_r the ridge, where ``Σ∇J_i(θ_r) = 0``, and ``θ* = θ_r + ηδ``, the terms in η²
give::

    Σ_i H_i·δ = Σ_{j<i} H_i∇J_j(θ_r)

An average over all orders replaces ``Σ_{j<i}`` by half of ``Σ_{j≠i}``, and ``Σ_{j≠i} ∇J_j(θ_r) = −∇J_i(θ_r)``::

    Σ_i H_i·δ̄ = −½ Σ_i H_i∇J_i(θ_r) = −¼ ∇Σ_i ‖∇J_i(θ_r)‖²

which is what adding ``η/4·mean‖∇J_i‖²`` to ``J = mean J_i`` does to its minimum, to first order. With one batch,
``∇J_1(θ_r) = 0``: δ = 0, and the higher terms vanish, too. All this for batches of equal size, whose J_i average to J.

Source: Bertsekas 2011, *Incremental gradient, subgradient and proximal methods*; Smith, Dherin, Barrett & De 2021, *On
the Origin of Implicit Regularization in Stochastic Gradient Descent*.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import permutations

import numpy as np
import numpy.typing as npt

from parity.features.bridges.bridge import LOSS, Computation, Identity, centred, textbook
from refimpl.exact.epoch_map import epoch_map
from refimpl.exact.ridge import ridge
from refimpl.models.linear import Linear
from refimpl.optimizers.sgd import SGD
from refimpl.penalties.l2 import L2
from refimpl.problem import Problem
from refimpl.training import Group, train
from refimpl.types import Array

STRENGTH, LR = 3.0, 0.01
"""λ and η of the textbook; its batches have 5 rows."""
RUN_RATES = (0.03, 0.01, 0.003)
EPOCHS = 300


@dataclass(frozen=True, kw_only=True, eq=False)
class SgdFixedPoint(Computation):
    """``distances``: ‖w* − w_ridge‖ ÷ ‖w_ridge‖ for each of ``rates``; ``first_order``: η‖δ‖ ÷ ‖w_ridge‖.

    ``approach``: the same distance before each epoch and at the end, for each of ``run_rates``, ``(3, E + 1)``;
    ``ends``: that of their fixed points.
    """

    rates: Array
    distances: Array
    first_order: Array
    run_rates: Array
    approach: Array
    ends: Array


def compute(seed: int) -> SgdFixedPoint:
    """On the textbook's data with its λ = 3, rows and targets centred, in four batches of 5 rows as they lie."""
    experiment = textbook(seed)
    data = centred(experiment.draw().dataset)
    X, y = data.X, data.y
    problem = Problem(model=Linear(bias=False), loss=LOSS, penalties=(L2(strength=STRENGTH),))
    batches = np.split(np.arange(X.shape[1]), 4)
    w_ridge = ridge(X, y, LOSS, STRENGTH, intercept=False).params["weight"][0, 0]
    size = np.linalg.norm(w_ridge)

    def fixed_points(rates: Array, parts: list[npt.NDArray[np.intp]]) -> Array:
        return epoch_map(problem, X, y, parts, rates).fixed_point()["weight"][:, 0]

    hessians, gradients = zip(*(_batch(X[0, rows], y[0, rows, 0], w_ridge) for rows in batches), strict=True)
    total = np.sum(hessians, axis=0)
    delta = np.linalg.solve(total, _earlier(hessians, gradients, range(4)))
    orders = list(permutations(range(4)))
    mean_over_orders = np.mean([_earlier(hessians, gradients, order) for order in orders], axis=0)
    own = sum(H @ g for H, g in zip(hessians, gradients, strict=True))  # Σ H_i∇J_i(θ_r)

    rates = np.array([1e-5, 2e-5, *np.geomspace(3e-4, 0.04, 9), *RUN_RATES])
    points = fixed_points(rates, batches)
    one, two = (points[:2] - w_ridge) / rates[:2, None]
    weights = _after_each_epoch(problem, experiment.draw().params["weight"], X, y, batches)
    identities = (
        Identity(
            claim=f"SGD, η = {RUN_RATES[0]:g}, {EPOCHS} epochs: the fixed point of the epoch",
            ways=("the recursion", "(I − A)⁻¹c of the epoch as an affine map"),
            one=weights[-1, 0],
            other=points[-len(RUN_RATES)],
            promised=12,
        ),
        Identity(
            claim="full batch, η = 0.01: the fixed point is the ridge",
            ways=("(I − A)⁻¹c of the epoch as an affine map", "the ridge in closed form"),
            one=fixed_points(np.array([LR]), [np.arange(X.shape[1])])[0],
            other=w_ridge,
            promised=12,
        ),
        Identity(
            claim="(θ* − θ_r)/η for η → 0 is δ",
            ways=("fixed points at η = 1e-5 and 2e-5, extrapolated", "the formula"),
            one=2 * one - two,
            other=delta,
            promised=6,
        ),
        Identity(
            claim="mean of Σ_{j<i} H_i∇J_j over all orders = −½ΣH_i∇J_i",
            ways=("all 24 orders of the batches", "the formula"),
            one=mean_over_orders,
            other=-own / 2,
            promised=12,
        ),
    )

    distances = np.linalg.norm(points - w_ridge, axis=1) / size
    facts = _distances(distances[-len(RUN_RATES) :], delta / size, np.linalg.solve(total, -own / 2) / size)
    shown = slice(2, -len(RUN_RATES))
    return SgdFixedPoint(
        identities=identities,
        facts=facts,
        rates=rates[shown],
        distances=distances[shown],
        first_order=rates[shown] * np.linalg.norm(delta) / size,
        run_rates=np.array(RUN_RATES),
        approach=np.linalg.norm(weights - w_ridge, axis=2).T / size,
        ends=distances[-len(RUN_RATES) :],
    )


def _after_each_epoch(
    problem: Problem, start: Array, X: Array, y: Array, batches: Sequence[npt.NDArray[np.intp]]
) -> Array:
    """The weights of SGD at the start and after each epoch, ``(EPOCHS + 1, rates, p)``."""
    groups = [Group(parameters=("weight",), optimizer=SGD(lr=np.array(RUN_RATES)))]
    starts = {"weight": np.repeat(start, len(RUN_RATES), axis=0)}
    run = train(problem, groups, starts, X, y, (tuple(batches),) * EPOCHS)
    weights: Array = run.params["weight"][:: len(batches), :, 0]
    return weights


def _distances(ends: Array, delta: Array, mean_delta: Array) -> dict[str, float]:
    """How far SGD ends from the ridge, in units of its length."""
    facts = {
        f"‖w* − w_ridge‖ ÷ ‖w_ridge‖ at η = {rate:g}": float(distance)
        for rate, distance in zip(RUN_RATES, ends, strict=True)
    }
    facts["‖δ‖ ÷ ‖w_ridge‖: the distance for each unit of η, to first order"] = float(np.linalg.norm(delta))
    facts["the same of the mean δ over all orders"] = float(np.linalg.norm(mean_delta))
    return facts


def _batch(X: Array, y: Array, w: Array) -> tuple[Array, Array]:
    """H_i = XᵀX/n + λI and ∇J_i(w) = Xᵀr/n + λw of the batch."""
    return X.T @ X / len(X) + STRENGTH * np.eye(X.shape[1]), X.T @ (X @ w - y) / len(X) + STRENGTH * w


def _earlier(hessians: Sequence[Array], gradients: Sequence[Array], order: Sequence[int]) -> Array:
    """Σ_{j<i} H_i∇J_j, j before i in ``order``."""
    summed = np.zeros_like(gradients[0])
    before = np.zeros_like(gradients[0])
    for i in order:
        summed = summed + hessians[i] @ before  # H_i·Σ_{j<i} ∇J_j
        before = before + gradients[i]
    return summed
