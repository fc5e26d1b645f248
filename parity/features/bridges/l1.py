"""L1 by its subgradient has no zeros, by its proximal operator it has exactly the lasso's.

Adding λ·sign(w) to the gradient, as autograd does, gives a weight that is exactly 0 only by chance; the weights that
should be 0 jump around it in steps of about ηλ for ever. The proximal step ends at the lasso, with the same zeros, for
every stable η.

With g the gradient of the loss, the minimum of ``loss + λ‖w‖₁`` is where, for each weight::

    g_j = −λ sign(w_j)   if w_j ≠ 0        |g_j| ≤ λ   if w_j = 0

*Subgradient*, ``w ← w − η(g + λ sign(w))`` with sign(0) = 0. At the minimum a weight 0 with g_j ≠ 0 moves to −ηg_j:
the minimum is no fixed point. A weight ``0 < w_j ≤ η(λ + g_j)`` with ``|g_j| < λ`` moves past 0, to no further than
``−η(λ + |g_j|)``, and from there back: while g_j holds it stays within ``η(λ + |g_j|)``, less than 2ηλ, and hits 0
only by chance. The other weights jump too, and g_j with them, at some steps beyond λ: of many weights some get further
than 2ηλ, though each step past 0 ends within ``η(λ + |g_j|)`` with the g_j of that step. Only η → 0 brings them to
rest.

*Proximal*, ``w ← prox(w − ηg)`` with the minimum over v of ``½(v − u)² + ηλ|v|``, which is the soft threshold::

    prox(u) = sign(u)·max(|u| − ηλ, 0)

For v ≠ 0 the derivative ``v − u + ηλ sign(v)`` vanishes at ``u − ηλ sign(u)``, which has the sign of u where |u| > ηλ;
else v = 0 is the minimum. A fixed point has ``w_j = 0`` and ``|ηg_j| ≤ ηλ``, or else ``−ηg_j = ηλ sign(w_j)``: the two
conditions above. So the fixed points are the minima, whatever η is, and a weight is exactly 0 as soon as
``|w_j − ηg_j| ≤ ηλ``, which comes to stay after finitely many steps where ``|g_j| < λ`` at the minimum.

Source: Beck & Teboulle 2009, *A Fast Iterative Shrinkage-Thresholding Algorithm* (ISTA); Parikh & Boyd 2014, *Proximal
Algorithms*, §4.2; Shamir & Zhang 2013 for what decreasing η does.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from parity.features.bridges.bridge import LOSS, Computation, Identity, centred, textbook
from refimpl.datasets.dataset import Dataset
from refimpl.exact.lasso import lasso
from refimpl.models.linear import Linear
from refimpl.optimizers.proximal_sgd import ProximalSGD
from refimpl.optimizers.sgd import SGD
from refimpl.penalties.l1 import L1
from refimpl.problem import Problem
from refimpl.training import Group, train
from refimpl.types import Array, Optimizer, Penalty

RATES = (0.1, 0.01)
STEPS = 3000
SHARE = 0.4
"""λ ÷ the smallest λ for which all weights are 0."""
LAST = 40
"""How many steps of single weights are drawn."""


@dataclass(frozen=True, kw_only=True, eq=False)
class L1Steps(Computation):
    """After each step k, by the name of the run: ``zeros``: how many weights are exactly 0; ``distances``:
    ‖w_k − w_lasso‖ ÷ ‖w_lasso‖; ``last``: a weight that the lasso sets to 0, in units of ηλ, in the last steps.
    ``lasso_zeros``: how many weights the lasso sets to 0.
    """

    zeros: dict[str, Array]
    distances: dict[str, Array]
    last: dict[str, Array]
    lasso_zeros: int


def compute(seed: int) -> L1Steps:
    """On 100 rows of the textbook's data, all at each step, rows and targets centred."""
    experiment = textbook(seed, train_rows=100)
    data = centred(experiment.draw().dataset)
    w0 = experiment.draw().params["weight"]
    largest = float(np.max(np.abs(data.X[0].T @ data.y[0, :, 0])) / data.X.shape[1])  # all w = 0 from there on
    penalty = L1(strength=SHARE * largest)
    solution = lasso(data.X, data.y, LOSS, penalty.strength, intercept=False)
    w = solution.params["weight"][0, 0]

    paths = {f"proximal, η = {RATES[0]:g}": _run(data, ProximalSGD(lr=RATES[0], penalty=penalty), (), w0)}
    for lr in RATES:
        paths[f"subgradient, η = {lr:g}"] = _run(data, SGD(lr=lr), (penalty,), w0)
    proximal, subgradient, _ = paths.values()
    zeros = {name: np.sum(path == 0, axis=1) for name, path in paths.items()}
    distances = {name: np.linalg.norm(path - w, axis=1) / np.linalg.norm(w) for name, path in paths.items()}
    same = np.all((proximal == 0) == (w == 0), axis=1)
    gradient = _gradients(data, w)
    identities = (
        Identity(
            claim=f"proximal, {STEPS} steps: the lasso",
            ways=("the recursion", "active set, with a proof by duality"),
            one=proximal[-1],
            other=w,
            promised=12,
        ),
        Identity(
            claim="and which weights are exactly 0",
            ways=("the recursion", "active set, with a proof by duality"),
            one=(proximal[-1] == 0).astype(float),
            other=(w == 0).astype(float),
            promised=16,
        ),
        Identity(
            claim="the lasso's conditions on g: |g_j| = λ where w_j ≠ 0",
            ways=("gradient of the loss at the lasso", "λ"),
            one=np.abs(gradient[w != 0]),
            other=np.full(np.sum(w != 0), penalty.strength),
            promised=12,
        ),
    )
    proximal_name, coarse_name, fine_name = paths
    jumps = np.max(np.abs(subgradient[-LAST:, w == 0])) / (RATES[0] * penalty.strength)
    pulls = _gradients(data, subgradient[-LAST - 1 : -1])[:, w == 0]  # g_j of the steps to those weights
    facts = {
        "weights": float(w.size),
        "exact zeros of the lasso": float(np.sum(w == 0)),
        "exact zeros after the proximal steps": float(zeros[proximal_name][-1]),
        "proximal steps until the zeros are those of the lasso": float(len(same) - np.argmin(same[::-1])),
        "exact zeros of the subgradient steps, the most at any step": float(np.max(zeros[coarse_name])),
        "largest |w_j| of the weights that should be 0, ÷ ηλ, in its last steps": float(jumps),
        "largest |g_j| ÷ λ of these weights at these steps": float(np.max(np.abs(pulls)) / penalty.strength),
        "largest η(λ + |g_j|) ÷ ηλ, which bounds a step past 0": float(1 + np.max(np.abs(pulls)) / penalty.strength),
        f"distance to the lasso, {coarse_name}": float(distances[coarse_name][-1]),
        f"distance to the lasso, {fine_name}": float(distances[fine_name][-1]),
    }
    shown = int(np.argmin(np.where(w == 0, np.abs(gradient), np.inf)))  # the weight that is 0 by the widest margin
    last = {name: paths[name][-LAST:, shown] / (RATES[0] * penalty.strength) for name in (proximal_name, coarse_name)}
    return L1Steps(
        identities=identities,
        facts=facts,
        zeros=zeros,
        distances=distances,
        last=last,
        lasso_zeros=int(np.sum(w == 0)),
    )


def _gradients(data: Dataset, w: Array) -> Array:
    """g = Xᵀ(Xw − y)/n of each w ``(…, p)``."""
    X, y = data.X[0], data.y[0, :, 0]
    gradients: Array = (w @ X.T - y) @ X / len(X)
    return gradients


def _run(data: Dataset, optimizer: Optimizer, penalties: tuple[Penalty, ...], w0: Array) -> Array:
    """The weights after each step, ``(STEPS, p)``; ``penalties`` reach the optimizer by their subgradient."""
    problem = Problem(model=Linear(bias=False), loss=LOSS, penalties=penalties)
    order = ((np.arange(data.X.shape[1]),),) * STEPS
    run = train(problem, [Group(parameters=("weight",), optimizer=optimizer)], {"weight": w0}, data.X, data.y, order)
    return run.params["weight"][1:, 0, 0]
