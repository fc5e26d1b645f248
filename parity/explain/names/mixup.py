"""Rows that were mixed with others of their batch, inputs and targets alike: mixup.

With ``x̃ = λ·x + (1 − λ)·Πx``, Π a permutation, and t = λ(1 − λ) the rows themselves have, by the loss of the square::

    δ ∝ LᵀL·r = r + t·(Πr + Πᵀr − 2r)
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import permutations

import numpy as np

from parity.explain.cause import Cause
from parity.explain.measure.chain import SLACK, Chain
from parity.explain.measure.series import Series
from parity.explain.names.weights import counted
from refimpl.losses import SquaredError

MOST = 6
"""Rows of a batch of which every permutation is tried."""


def causes(chain: Chain) -> Iterator[Cause]:
    """One permutation and one λ for each step, from as many equations as the batch has rows."""
    rows = chain.rows
    assert rows is not None
    sizes = [len(some) for some in chain.design.rows]
    if not isinstance(chain.design.form.in_gradient.loss, SquaredError) or not 2 < max(sizes) <= MOST:
        return
    q, t, bars = [], np.zeros(chain.steps), np.zeros(chain.steps)
    every = {n: np.array(list(permutations(range(n)))) for n in set(sizes)}
    for k, n in enumerate(sizes):
        asked, delta, bar = chain.delta[k], rows.delta[k], SLACK * rows.delta_error[k]
        pi = every[n]
        v = asked[pi] + asked[np.argsort(pi, axis=1)] - 2 * asked  # (n!, n)
        square = np.sum(v * v, axis=1)
        times = np.sum(v * (delta - asked), axis=1) / np.where(square > 0, square, 1.0)
        off = np.max(np.abs(asked + times[:, None] * v - delta) / bar, axis=1)
        best = int(np.argmin(off))
        if off[best] > n or not -bar.max() <= times[best] <= 0.25 + bar.max():
            return
        t[k], bars[k] = times[best], np.sum(np.abs(v[best]) * bar) / (square[best] or 1.0)
        q.append((asked + times[best] * v[best]) / asked)
    lam = Series((1 + np.sqrt(np.maximum(1 - 4 * t, 0))) / 2, bars / np.sqrt(np.maximum(1 - 4 * t, bars)))
    yield counted(q, "rows-mixed", numbers=1 if lam.constant is not None else chain.steps, lam=lam.text())
