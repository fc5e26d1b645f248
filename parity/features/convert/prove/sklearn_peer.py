"""scikit-learn's estimators, each to its own stopping bound."""

from __future__ import annotations

import warnings

import numpy as np

from parity.features.convert.prove.peer_run import PeerRun, direct, direct_bound, solved
from parity.features.convert.prove.sample import Sample
from refimpl.conventions.sklearn_coordinate_descent import ElasticNet, Lasso
from refimpl.conventions.sklearn_ridge import Ridge
from refimpl.objective import Facts

TOLERANCE = 1e-12  # of the duality gap, relative to ‖y‖²: not below what rounding leaves of a gap


def run_ridge(convention: Ridge, facts: Facts, sample: Sample) -> PeerRun:
    from sklearn.linear_model import Ridge as Peer

    fitted = Peer(alpha=convention.alpha, solver="svd").fit(sample.X, sample.y)
    text = "solved by its SVD"
    return direct(convention.name, text, convention.ours(facts), sample, fitted.coef_, float(fitted.intercept_))


def run_lasso(convention: Lasso, facts: Facts, sample: Sample) -> PeerRun:
    same = ElasticNet(alpha=convention.alpha, l1_ratio=1.0)
    return _descend("Lasso", {"alpha": convention.alpha}, same, convention.name, facts, sample)


def run_elastic_net(convention: ElasticNet, facts: Facts, sample: Sample) -> PeerRun:
    numbers = {"alpha": convention.alpha, "l1_ratio": convention.l1_ratio}
    return _descend("ElasticNet", numbers, convention, convention.name, facts, sample)


def _descend(
    estimator: str, numbers: dict[str, float], same: ElasticNet, name: str, facts: Facts, sample: Sample
) -> PeerRun:
    """Coordinate descent until its duality gap is small.

    It stops at ``gap ≤ tol·‖y_c‖²`` in the scale of ``½Σr² + …``, or where rounding lets the gap fall no further, and
    says how large the gap is in the scale of J. ``m/2·‖Δ‖² ≤ J − J* ≤ gap`` gives ``‖Δ‖ ≤ √(2·gap/m)``.
    """
    from sklearn import linear_model
    from sklearn.exceptions import ConvergenceWarning

    peer = getattr(linear_model, estimator)(**numbers, tol=TOLERANCE, max_iter=100_000)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # the gap that is left is in the bound
        fitted = peer.fit(sample.X, sample.y)
    objective = same.ours(facts)
    modulus = float(np.linalg.eigvalsh(sample.hessian(objective))[0])  # m
    gap = max(float(fitted.dual_gap_), TOLERANCE * float(np.var(sample.y)))  # tol·‖y_c‖²/n
    allowed = np.sqrt(2 * gap / modulus) / sample.size + direct_bound(objective, sample)
    text = f"solved to a duality gap of {TOLERANCE:g}"
    return solved(name, text, sample, fitted.coef_, float(fitted.intercept_), float(allowed))
