"""statsmodels: ``OLS.fit_regularized``, a vector of strengths with 0 for the constant."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from importlib import import_module
from typing import Any, TypeAlias

import numpy as np

from parity.features.convert.prove.peer_run import PeerRun, direct_bound, solved
from parity.features.convert.prove.sample import Sample
from refimpl.conventions.statsmodels import FitRegularized
from refimpl.objective import Facts, Objective

Fit: TypeAlias = Callable[..., Any]

TOLERANCE = 1e-12
AGAIN = 100


def run(convention: FitRegularized, facts: Facts, sample: Sample) -> PeerRun:
    peer: Any = import_module("statsmodels.regression.linear_model")
    n, p = sample.X.shape
    model = peer.OLS(sample.y, np.column_stack([np.ones(n), sample.X]))
    alpha = np.append(0.0, np.full(p, convention.alpha))
    method = _solve if convention.L1_wt == 0 else _descend
    return method(convention, convention.ours(facts), sample, partial(model.fit_regularized, alpha=alpha))


def _solve(convention: FitRegularized, objective: Objective, sample: Sample, fit: Fit) -> PeerRun:
    """A direct solve of the normal equations of [1 X] as it is.

    Rounding is relative to the largest square, so where a column is smaller than the largest by a factor f, it is f²
    times larger beside it.
    """
    params = np.asarray(fit(L1_wt=0).params)
    smaller = float(sample.units.max() / sample.units.min())  # f
    allowed = smaller**2 * direct_bound(objective, sample)
    return solved(convention.name, "solved by its SVD", sample, params[1:], float(params[0]), allowed)


def _descend(convention: FitRegularized, objective: Objective, sample: Sample, fit: Fit) -> PeerRun:
    """Coordinate descent, again from where it ended until it stays there.

    It stops when a sweep moved no coordinate by more than tol. Coordinate k was at its own minimum when it was moved;
    later ones moved on by at most tol each, so ``|∂J|_k ≤ Σ_l|H_kl|·tol`` and ``‖Δ‖ ≤ ‖∂J‖/m``. Again, because it never
    comes back to a weight that was 0 after its second sweep or a later one, and may end beside the minimum.
    """
    tolerance = TOLERANCE * float(np.abs(sample.weight).max() + abs(sample.bias))
    params = np.zeros(len(sample.weight) + 1)
    for _ in range(AGAIN):
        before, options = params, {"maxiter": 100_000, "cnvrg_tol": tolerance, "zero_tol": tolerance}
        params = np.asarray(fit(L1_wt=convention.L1_wt, start_params=before, **options).params)
        if np.max(np.abs(params - before)) <= tolerance:
            break
    hessian = sample.hessian(objective)
    slope = np.linalg.norm(np.abs(hessian) @ (tolerance * sample.units))  # Σ|H|·tol
    allowed = float(slope / np.linalg.eigvalsh(hessian)[0] / sample.size) + direct_bound(objective, sample)
    text = f"coordinate descent until a sweep moves less than {TOLERANCE:g}"
    return solved(convention.name, text, sample, params[1:], float(params[0]), allowed)
