"""What else limits overfitting: early stopping, more data, dropout."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from parity.experiment import Experiment
from parity.features.answers.answer import THREAD, TUTORIAL, Answer, Reply
from parity.features.answers.runs import entry, run
from refimpl.batches import Batches
from refimpl.datasets import Dataset, Gaussian
from refimpl.exact.ridge import ridge
from refimpl.exact.selection import expected_square
from refimpl.losses import SquaredError
from refimpl.models import Linear
from refimpl.optimizers import SGD
from refimpl.types import Array, Number

KEPT = 0.5
NOISE = 0.1
SEEDS = 5
LOSS = SquaredError(factor=0.5, reduction="mean")
STRENGTHS = np.geomspace(1e-1, 1e2, 31)


def evidence() -> Reply:
    stopped, penalised, others = [], [], []
    for seed in range(SEEDS):
        noisy = _textbook(seed)
        data = noisy.draw().dataset
        course = run(replace(noisy, batches=Batches(), epochs=50, optimizer=SGD(lr=0.02)))
        stopped.append(_risk(data, course.params["weight"][:, 0]))
        penalised.append(_risk(data, _ridge(data, STRENGTHS)))
        more = _textbook(seed, rows=400).draw().dataset
        rows = more.X[0]
        others.append(
            [
                _risk(data, _ridge(data, 0.0))[0],
                _risk(data, _dropout(data.X[0], data.y[0]))[0],
                _risk(more, np.linalg.solve(rows.T @ rows, rows.T @ more.y[0])[:, 0][None, None])[0],
            ]
        )
    by_step, by_lam = np.mean(stopped, axis=0), np.mean(penalised, axis=0)
    nothing, dropout, with_more = (float(value) for value in np.mean(others, axis=0))
    stop, best = int(np.argmin(by_step)), int(np.argmin(by_lam))
    return Reply(
        text=f"""\
All of these but more data are shrinkage towards 0 and close relatives. Gradient descent from 0 has fitted,
after k steps, the share 1 − (1 − ηκ)ᵏ of each direction, where ridge has κ/(κ + λ): stopping early is a λ of
about 1/(ηk). Dropping inputs with probability q costs, in expectation, q/(1 − q)·Σⱼ(XᵀX)ⱼⱼwⱼ²: ridge with the
columns' own sizes. More data is the only one that adds knowledge: it lets the unseen directions be seen. The
textbook's data with ten times its noise ({NOISE:g}, so that no prediction has less than {NOISE**2:g}), expected
squared error on new rows, mean of {SEEDS} seeds:""",
        columns=("against overfitting", "expected squared error"),
        rows=(
            ("nothing: the interpolation of least norm", nothing),
            (f"early stopping after {stop} steps from 0, η = 0.02", float(by_step[stop])),
            (f"L2 with λ = {STRENGTHS[best]:.2g}", float(by_lam[best])),
            ("dropout of half the inputs, in expectation", dropout),
            ("400 rows instead of 20", with_more),
        ),
    )


def _textbook(seed: int, rows: int = 20) -> Experiment:
    """The experiment without a bias, which none of these touch."""
    gaussian = Gaussian(train_rows=rows, features=200, noise=NOISE, bias=0.0)
    return entry("s0-scratch-lam0", data=gaussian, model=Linear(bias=False), init={}, seed=seed)


def _ridge(data: Dataset, strengths: Number) -> Array:
    return ridge(data.X, data.y, LOSS, strengths, intercept=False).params["weight"]


def _dropout(X: Array, y: Array) -> Array:
    """The minimiser of the expected loss: (XᵀX + q/(1 − q)·diag(XᵀX)) w = Xᵀy."""
    sizes = (1 - KEPT) / KEPT * np.diag((X**2).sum(axis=0))
    weight: Array = np.linalg.solve(X.T @ X + sizes, X.T @ y)[:, 0]
    return weight[None, None]


def _risk(data: Dataset, weight: Array) -> Array:
    """E(ŷ − y)² on new rows, ``(k,)``, for weights ``(k, 1, p)``."""
    assert data.truth is not None
    return expected_square({"weight": weight}, data.truth, noise=NOISE, scale=1.0)


ANSWER = Answer(
    id="overfitting",
    source=f"{TUTORIAL}, {THREAD}",
    asked="What else limits overfitting (early stopping, more data, dropout)?",
    seen="the tutorial: common methods are L1, L2 and dropout",
    why="early stopping and dropout are relatives of ridge; only more data adds knowledge",
    experiments=("s0-scratch-lam0",),
    commands=("parity bridge early-stopping", "parity bridge dropout"),
    evidence=evidence,
)
