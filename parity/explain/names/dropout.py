"""Inputs some of which are 0 in each step while the others are multiplied by s = 1/(1 − p): dropout that was left on.

With dᵢ = s·δᵢ the gradient of column j is ``g_j = Σᵢ dᵢ·m_ij·x_ij``, m_ij being 0 or 1. Most columns have no zero, so
that some n of them give the dᵢ of n rows, to which all columns without a zero agree. Each other column then tells its
zeros, of 2ⁿ sets at most, and ``s = Σᵢ dᵢ/g_b``.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product

import numpy as np

from parity.explain.cause import Cause, cause
from parity.explain.measure.chain import SLACK, Chain
from parity.explain.names.batches import batch_by_batch
from refimpl.types import Array

TRIES = 2000
"""Sets of columns that are tried: with p = 0.2 one of 500 sets of 5 columns in 30 has no zero."""
ROWS = 8
"""Most rows that a batch may have: there are 2ⁿ sets of zeros."""


def causes(chain: Chain) -> Iterator[Cause]:
    """The zeros of every step, where there is a set of them that gives its gradient."""
    given, rows = chain.given, chain.design.rows
    if given is None or "bias" not in given.value or not np.isfinite(chain.asked.penalty).all():
        return
    if chain.rows is None or chain.rows.explained or max(map(len, rows)) > ROWS:
        return
    g, bar = given.value["weight"] - chain.asked.penalty, SLACK * given.error["weight"]
    masks, times = [], []
    for k, some in enumerate(rows):
        solution = _zeros(chain.X[some], g[k], bar[k])
        if solution is None:
            return
        masks.append(solution[0])
        times.append(float(solution[1].sum() / given.value["bias"][k, 0]))
    rate = 1 - 1 / float(np.median(times))
    share = 1 - float(np.mean(np.concatenate([mask.ravel() for mask in masks])))
    for p in dict.fromkeys(float(f"{rate:.{digits}g}") for digits in (1, 2, 3, 6) if 0.001 < rate < 0.9):
        inputs = [mask * chain.X[some] / (1 - p) for mask, some in zip(masks, rows, strict=True)]
        yield cause(
            "inputs-dropout",
            batch_by_batch(chain.design, inputs, roundings=4.0),
            evidence="each column of the gradient tells which of its inputs were 0",
            share=100 * share,
            times=1 / (1 - p),
            p=p,
        )


def _zeros(X: Array, g: Array, bar: Array) -> tuple[Array, Array] | None:
    """m ``(n, p)`` and d ``(n,)`` of one step; None where no set of columns without a zero was met."""
    n, p = X.shape
    generator = np.random.default_rng(0)
    columns = np.argsort(generator.random((TRIES, p)), axis=1)[:, :n]
    A = X.T[columns]  # (tries, n columns, n rows)
    inverse = np.linalg.pinv(A)
    d = (inverse @ g[columns][..., None])[..., 0]
    room = bar + (np.abs(inverse) @ bar[columns][..., None])[..., 0] @ np.abs(X)  # (tries, p)
    agree = np.abs(d @ X - g) <= room
    chance = np.sum(np.where(agree, np.minimum(np.log(room / np.std(g)), 0), 0), axis=1)  # of so many that agree
    best = int(np.argmin(chance))
    full = agree[best]
    if full.sum() <= n + 1:
        return None
    weights = np.linalg.lstsq(X[:, full].T, g[full], rcond=None)[0]
    sets = np.array(sorted(product((1.0, 0.0), repeat=n), key=sum, reverse=True))  # (2ⁿ, n), the fewest zeros first
    off = np.abs((sets * weights) @ X - g)  # (2ⁿ, p)
    chosen = np.argmin(np.maximum(off, bar), axis=0)  # the first of those that the bar does not tell apart
    return sets[chosen].T, weights
