"""Decoupled weight decay is coupled decay with another strength.

Without momentum the two are the same step. With momentum μ, decoupled decay λ ends where coupled decay (1 − μ)λ does.
Under Adam with all rows at each step, coupled decay ends at the ridge whatever its averages do; decoupled decay (AdamW)
ends where each weight is penalised by −ε·(|w| + log(1 − λ|w|)/λ): almost nothing, then a wall at |w| = 1/λ.

With g the gradient of the loss, a decoupled step is ``w ← w − η(Pg + λw)``, P the factor by which the optimizer
multiplies a gradient that no longer changes. It stands still where ``Pg + λw = 0``, that is where::

    g + P⁻¹λw = 0          the gradient of loss + Σ P_j⁻¹λ/2·w_j², for fixed P

Coupled decay is multiplied by P with the gradient, ``w ← w − ηP(g + λw)``, and stands still where ``g + λw = 0``, at
the ridge, for every P > 0. So decoupled decay λ is coupled decay λ/P:

* SGD: P = 1, and every step is the same: ``w − η(g + λw) = w(1 − ηλ) − ηg``. Loshchilov & Hutter write ``λ' = ηλ``.
* Momentum: a constant g fills the buffer to ``g(1 + μ + μ² + …) = g/(1 − μ)``. So P = 1/(1 − μ): strength (1 − μ)λ,
  and the same with Nesterov's form; with dampening τ it is (1 − μ)λ/(1 − τ).
* Adam: a constant g gives m = g and v = g², so ``P_j = 1/(|g_j| + ε)``.

In AdamW's case ``|g| = λ|w|(|g| + ε)``, solved for g, is the condition of another penalty::

    g = −ελw/(1 − λ|w|) = −Ω′(w),    Ω(w) = −ε(|w| + log(1 − λ|w|)/λ)     for |w| < 1/λ

For λ|w| ≪ 1 this is ``ελ/2·w²``, a ridge of strength ελ, and ε is 1e-8 by default: AdamW without noise in its gradients
hardly penalises weights below 1/λ. With noise in g, v is about the mean square of the gradients of batches, and the
strength of weight j is ``λ(√v_j + ε)``, for each weight another.

Sources: Loshchilov & Hutter 2019, *Decoupled Weight Decay Regularization*, Propositions 1 to 3; Xie & Li 2024,
*Implicit Bias of AdamW: ℓ∞ Norm Constrained Optimization*.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.optimize import root

from parity.features.bridges.bridge import LOSS, Computation, Identity, centred, textbook
from refimpl.datasets.dataset import Dataset
from refimpl.exact.ridge import ridge
from refimpl.models.linear import Linear
from refimpl.optimizers.adam import Adam
from refimpl.optimizers.adamw import AdamW
from refimpl.optimizers.sgd import SGD
from refimpl.optimizers.sgdw import SGDW
from refimpl.problem import Problem
from refimpl.training import Group, train
from refimpl.types import Array, Optimizer

LR, MOMENTUM, STRENGTH = 0.05, 0.9, 3.0
ADAM_LR, EPS, ADAM_STRENGTH = 0.001, 0.01, 100.0
"""A large ε, so that the wall at 1/λ and the ridge ελ are both to be seen."""
STEPS, ADAM_STEPS = 800, 4000


@dataclass(frozen=True, kw_only=True, eq=False)
class Decoupled(Computation):
    """``norms``: ‖w_k‖₂ before each step and at the end, by the name of the run; ``limits``: of the exact minimisers.

    ``grid``: λ|w|; ``wall``: Ω(w)·λ/ε there; ``parabola``: that of the ridge with ελ.
    """

    norms: dict[str, Array]
    limits: dict[str, float]
    grid: Array
    wall: Array
    parabola: Array


SGDS: dict[str, Optimizer] = {
    "SGD, coupled": SGD(lr=LR, weight_decay=STRENGTH),
    "SGD, decoupled": SGDW(lr=LR, weight_decay=STRENGTH),
    "momentum, coupled": SGD(lr=LR, momentum=MOMENTUM, weight_decay=STRENGTH),
    "momentum, decoupled": SGDW(lr=LR, momentum=MOMENTUM, weight_decay=STRENGTH),
}
ADAMS: dict[str, Optimizer] = {
    "Adam, coupled": Adam(lr=ADAM_LR, eps=EPS, betas=(0.9, 0.99), weight_decay=ADAM_STRENGTH),
    "AdamW, decoupled": AdamW(lr=ADAM_LR, eps=EPS, betas=(0.9, 0.99), weight_decay=ADAM_STRENGTH),
}


def compute(seed: int) -> Decoupled:
    """On the textbook's data, all rows at each step; rows and targets centred, so that there is no bias."""
    experiment = textbook(seed)
    data = centred(experiment.draw().dataset)
    w0 = experiment.draw().params["weight"]
    ends, norms = {}, {}
    for optimizers, steps in ((SGDS, STEPS), (ADAMS, ADAM_STEPS)):
        for name, optimizer in optimizers.items():
            ends[name], norms[name] = _run(data, optimizer, w0, steps)
    walled = _walled(data)
    limits = _limits(data, walled)
    exact = list(limits.values())
    closed = "the ridge in closed form"
    identities = (
        Identity(
            claim=f"no momentum: coupled = decoupled after each of {STEPS} steps (‖w_k‖)",
            ways=("SGD with weight_decay", "SGDW"),
            one=norms["SGD, coupled"],
            other=norms["SGD, decoupled"],
            promised=13,
        ),
        Identity(
            claim=f"momentum, coupled, {STEPS} steps: the ridge with λ",
            ways=("the recursion", closed),
            one=ends["momentum, coupled"],
            other=exact[0],
            promised=12,
        ),
        Identity(
            claim=f"momentum, decoupled, {STEPS} steps: the ridge with (1 − μ)λ",
            ways=("the recursion", closed),
            one=ends["momentum, decoupled"],
            other=exact[1],
            promised=12,
        ),
        Identity(
            claim=f"Adam, coupled, {ADAM_STEPS} steps: the ridge with λ",
            ways=("the recursion", closed),
            one=ends["Adam, coupled"],
            other=exact[2],
            promised=12,
        ),
        Identity(
            claim=f"AdamW, {ADAM_STEPS} steps: the minimiser of loss + Ω",
            ways=("the recursion", "SciPy's root of its gradient"),
            one=ends["AdamW, decoupled"],
            other=walled,
            promised=10,
        ),
    )
    grid = np.linspace(0, 0.995, 200)
    facts = {f"‖w‖ of {name}": float(np.linalg.norm(w)) for name, w in limits.items()}
    facts["largest |w_j| of AdamW, in units of 1/λ"] = float(np.max(np.abs(walled)) * ADAM_STRENGTH)
    return Decoupled(
        identities=identities,
        facts=facts,
        norms=norms,
        limits={name: float(np.linalg.norm(w)) for name, w in limits.items()},
        grid=grid,
        wall=-(grid + np.log1p(-grid)),
        parabola=grid**2 / 2,
    )


def _limits(data: Dataset, walled: Array) -> dict[str, Array]:
    """The weights at which the optimizers end, in closed form."""

    def weight(strength: float) -> Array:
        w: Array = ridge(data.X, data.y, LOSS, strength, intercept=False).params["weight"][0, 0]
        return w

    momentum_limit = (1 - MOMENTUM) * STRENGTH
    return {
        f"ridge, λ = {STRENGTH:g}": weight(STRENGTH),
        f"ridge, (1 − μ)λ = {momentum_limit:.3g}": weight(momentum_limit),
        f"ridge, λ = {ADAM_STRENGTH:g}": weight(ADAM_STRENGTH),
        f"loss + Ω, λ = {ADAM_STRENGTH:g}, ε = {EPS:g}": walled,
        f"ridge, ελ = {EPS * ADAM_STRENGTH:.3g}": weight(EPS * ADAM_STRENGTH),
    }


def _run(data: Dataset, optimizer: Optimizer, w0: Array, steps: int) -> tuple[Array, Array]:
    """The weights at the end ``(p,)`` and ‖w‖ before each step and at the end."""
    problem = Problem(model=Linear(bias=False), loss=LOSS)
    order = ((np.arange(data.X.shape[1]),),) * steps  # all rows at each step
    group = Group(parameters=("weight",), optimizer=optimizer)
    run = train(problem, [group], {"weight": w0}, data.X, data.y, order, record="losses")
    return run.params["weight"][-1, 0, 0], run.norm[:, 0]


def _walled(data: Dataset) -> Array:
    """The minimiser of ½·mean(r²) + Σ Ω(w_j): the root of its gradient g + εt in ``t = λw/(1 − |λw|)``."""
    X, y, n = data.X[0], data.y[0, :, 0], data.X.shape[1]

    def weight(t: Array) -> Array:
        inside: Array = t / (1 + np.abs(t)) / ADAM_STRENGTH  # |w| < 1/λ for every t
        return inside

    def gradient(t: Array) -> Array:
        slope: Array = X.T @ (X @ weight(t) - y) / n + EPS * t  # g + Ω′(w)
        return slope

    def jacobian(t: Array) -> Array:
        inner = 1 / (1 + np.abs(t)) ** 2 / ADAM_STRENGTH  # dw/dt
        matrix: Array = X.T @ X / n * inner + EPS * np.eye(len(t))
        return matrix

    t: Array = root(gradient, np.zeros(X.shape[1]), jac=jacobian, options={"xtol": 1e-15}).x
    return weight(t)
