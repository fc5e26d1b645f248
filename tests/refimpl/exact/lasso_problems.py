"""Random and nasty problems of the lasso, and their gap in exact rationals."""

from fractions import Fraction

import numpy as np

from refimpl.arithmetic.double_double import DoubleDouble
from refimpl.losses.squared_error import SquaredError

HALF_MEAN = SquaredError(factor=0.5, reduction="mean")
HALF_SUM = SquaredError(factor=0.5, reduction="sum")
LOSSES = {f"{c} {how}": SquaredError(factor=c, reduction=how) for c in (0.5, 1.0) for how in ("mean", "sum")}
SHAPES = [(30, 6), (12, 20), (9, 9), (6, 25), (40, 3)]


def drawn(seed):
    """A problem with a sparse truth, and how it is to be solved."""
    rng = np.random.default_rng(seed)
    n, p = SHAPES[seed % len(SHAPES)]
    X = rng.standard_normal((n, p)) + rng.integers(0, 2) * rng.standard_normal(p)
    y = X @ (rng.standard_normal(p) * (rng.random(p) < 0.4)) + rng.standard_normal(n) + rng.integers(0, 3)
    loss = list(LOSSES.values())[seed % 4]
    return X[None], y[None, :, None], loss, bool(seed % 3)


def nasty():
    rng = np.random.default_rng(0)
    X, y = rng.standard_normal((20, 6)), rng.standard_normal(20)
    constant = X.copy()
    constant[:, [1, 4]] = 0.1, 1e6
    whole = rng.integers(-3, 4, (15, 5)).astype(float)
    return {
        "duplicate columns": (np.hstack([X, X[:, :4], X[:, :1]]), y),
        "opposite columns": (np.hstack([X, -X]), y),
        "many more features than rows": (rng.standard_normal((6, 60)), rng.standard_normal(6)),
        "constant columns": (constant, y),
        "badly scaled columns": (X * 10.0 ** np.linspace(-9, 9, 6), y),
        "one row": (X[:1], y[:1]),
        "exactly collinear columns": (np.column_stack([whole, whole[:, 0] + whole[:, 1], whole.sum(axis=1)]), y[:15]),
        "sums of columns, rounded": (np.column_stack([X, X[:, 0] + X[:, 1], X.sum(axis=1)]), y),
        "zero targets": (X, np.zeros(20)),
        "constant targets": (X, np.full(20, 0.1)),
        "every correlation tied": (np.eye(8), np.full(8, 2.0)),
        "signs": (np.sign(rng.standard_normal((8, 20))), np.sign(rng.standard_normal(8))),
        "an exact fit": (X, 2 * X[:, 0] + 1),
        "far from zero": (X + 2.0**20, y + 1e6),
    }


NASTY = nasty()


def largest_strength(X, y, loss, intercept=True):
    """λ_max = h·max |xⱼᵀy|, centred."""
    if intercept:
        X, y = X - X.mean(axis=1), y - y.mean()
    return np.max(np.abs(X[0].T @ y[0])) * 2 * loss.factor / (X.shape[1] if loss.reduction == "mean" else 1)


def rational(values):
    """Of an array, or of numbers in twice the precision."""
    if isinstance(values, DoubleDouble):
        return rational(values.high) + rational(values.low)
    return np.vectorize(Fraction, otypes=[object])(values)


def exact_gap(X, y, w, b, theta, l1, l2):
    """P(w, b) − D(θ) relative to P(w, b), all in rationals, θ made feasible first; b None: no intercept."""
    X, y, w, theta = map(rational, (X, y, w, theta))
    r = y - X @ w
    if b is not None:
        r, theta = r - Fraction(b), theta - sum(theta) / len(theta)
    z = X.T @ theta
    if l2 == 0:
        shrink = min([Fraction(1), *(l1 / abs(value) for value in z if value)])
        theta, z = shrink * theta, shrink * z
    primal = r @ r / 2 + l1 * sum(abs(w)) + l2 * (w @ w) / 2
    dual = theta @ y - theta @ theta / 2
    if l2:
        dual -= sum(max(abs(value) - l1, 0) ** 2 for value in z) / (2 * l2)
    assert primal >= dual
    return float((primal - dual) / primal) if primal else 0.0
