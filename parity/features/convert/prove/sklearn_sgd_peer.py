"""scikit-learn's ``SGDRegressor``: what one epoch of ever smaller steps does at the exact minimiser.

With a constant rate η and the rows in order, an epoch moves v by ``−ηn·G(η)``, and ``G(η) = ∂J + O(η)``: to first order
it is the mean over the rows. G is a polynomial in η, whose value at 0 comes from K rates by Lagrange's formula::

    G(0) ≈ Σ c_k G(η_k),   c_k = Π_{j≠k} η_j/(η_j − η_k),   η_k = η₀/2ᵏ,   Λ = Σ|c_k|

Row i's step is ``v ← (1 − ηA_i)v + …`` with ``‖A_i‖ ≤ L``, so the coefficient of ηᵐ in G is at most ``(nL)ᵐ/(m + 1)!``
times the largest slope of one row, g. The terms from m = K on stay, and each of n steps rounds v three times::

    |G(0) − Σ c_k G(η_k)| ≤ Λ·(nη₀L)ᴷ/(K! (1 − nη₀L))·g + Σ|c_k|·3u|v|/η_k
"""

from __future__ import annotations

from dataclasses import replace
from math import factorial

import numpy as np

from parity.features.convert.prove.peer_run import UNIT, PeerRun, rest
from parity.features.convert.prove.sample import Sample
from refimpl.conventions.sklearn_sgd import SGDRegressor
from refimpl.objective import Facts
from refimpl.types import Array

RATES = 5  # K
SMALL = 1e-2  # nη₀L


def run(convention: SGDRegressor, facts: Facts, sample: Sample) -> PeerRun:
    from sklearn.linear_model import SGDRegressor as Peer

    objective = convention.ours(facts)
    n, v = len(sample.y), np.append(sample.weight, sample.bias)
    rows = np.column_stack([sample.X, np.ones(n)])
    lipschitz = float(np.max(np.sum(rows**2, axis=1)) + objective.l2)  # L
    slopes = np.abs(rows * (rows @ v - sample.y)[:, None]).max()
    slope = 3 * float(slopes + objective.l1 + objective.l2 * np.abs(v).max())  # g; three of it, for a start beside
    on = np.abs(sample.weight[sample.weight != 0])
    room = float(on.min()) / (4 * n * slope) if objective.l1 and len(on) else np.inf  # none may cross its kink
    rates = min(SMALL / (n * lipschitz), room) / 2.0 ** np.arange(RATES)  # η_k
    ratios = np.array([[b / (b - a) for b in rates if b != a] for a in rates])
    weights = ratios.prod(axis=1)  # c_k

    def epoch(start: Array, bias: float, rate: float) -> Array:
        """G(η)."""
        peer = Peer(
            penalty="elasticnet",
            alpha=convention.alpha,
            l1_ratio=convention.l1_ratio,
            learning_rate="constant",
            eta0=rate,
            max_iter=1,
            tol=None,
            shuffle=False,
        )
        peer.fit(sample.X, sample.y, coef_init=start.copy(), intercept_init=np.array([bias]))  # it works in place
        moved = np.append(start - peer.coef_, bias - peer.intercept_)
        return np.asarray(moved / (n * rate))

    def step(weight: Array, bias: float) -> tuple[Array, float]:
        beside = np.where(sample.weight == 0, np.sign(weight), 0)  # as far away as no epoch comes back
        moves = [epoch(np.where(beside, beside * n * rate * slope, weight), bias, rate) for rate in rates]
        limit = weights @ np.array(moves)  # Σ c_k G(η_k)
        return weight - limit[:-1], float(bias - limit[-1])

    reach = n * rates[0] * lipschitz  # nη₀L
    cut = float(np.sum(np.abs(weights))) * reach**RATES / (factorial(RATES) * (1 - reach)) * slope
    rounded = float(np.sum(np.abs(weights) * 3 * UNIT / rates)) * np.max(np.abs(v) + n * rates[0] * slope)
    modulus = float(np.linalg.eigvalsh(sample.hessian(objective))[0])
    more = (cut + rounded) * np.linalg.norm(1 / sample.units) / modulus / sample.size
    evidence = rest(convention.name, "an epoch from the minimiser, rate → 0", objective, sample, step)
    return replace(evidence, allowed=float((evidence.allowed or 0) + more))
