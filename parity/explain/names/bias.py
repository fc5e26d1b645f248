"""What the bias got beside Σδ of the rows: a decay, a factor, the sum of some of them, or numbers."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from parity.explain.cause import Cause, cause
from parity.explain.measure.chain import SLACK, Chain
from parity.explain.measure.series import Series, listed, shortest
from parity.explain.names.penalty import asked_decay
from parity.step.design import Design
from refimpl.types import Array


def causes(chain: Chain) -> Iterator[Cause]:
    """The shortest description first."""
    rows = chain.rows
    assert rows is not None and rows.added is not None and rows.added_error is not None
    asked = chain.asked.bias
    beside = Series(rows.added - (0.0 if asked is None else asked[:, 0]), SLACK * rows.added_error)
    lam = beside.over(chain.b)
    sums = np.array([d.sum() for d in rows.delta])
    share = beside.over(sums)
    factor = Series(1 + share.value, share.error)
    sizes = np.array([len(some) for some in rows.rows], float)
    same = lam.is_(asked_decay(chain)) and asked_decay(chain) > 0  # then the catalogue says it: like the weight
    if not same and (constant := lam.constant) is not None:
        value = float(f"{constant:.6g}")
        yield cause(
            "bias-decayed",
            lambda design: replace(design, added={**design.added, "bias": np.full(design.steps, value)}),
            numbers=1,
            lam=lam.text(),
        )
    if factor.is_(1 / sizes):
        yield _times(1 / sizes, "bias-gradient-mean")
    elif (constant := factor.constant) is not None:
        yield _times(np.full(len(sums), float(f"{constant:.6g}")), "bias-gradient-factor", factor.text(), 1)
    yield from _by_place(chain, beside)
    yield _times(factor.value, "bias-gradient-as-measured", factor.text(), len(sums))


def _by_place(chain: Chain, beside: Series) -> Iterator[Cause]:
    """Σ c_i·δ_i with a number for each place in the batch, where there are more batches than places."""
    rows = chain.rows
    assert rows is not None
    words, times, counts = [], np.ones(chain.steps), list[float]()
    for size in sorted({len(some) for some in rows.rows}, reverse=True):
        steps = np.array([k for k, some in enumerate(rows.rows) if len(some) == size])
        delta = np.stack([rows.delta[k] for k in steps])
        if len(steps) <= size or np.linalg.matrix_rank(delta) < size:
            return
        inverse = np.linalg.pinv(delta)
        c, bar = 1 + inverse @ beside.value[steps], np.abs(inverse) @ beside.error[steps]
        c = np.array([shortest(*pair) for pair in zip(c - bar, c + bar, strict=True)])
        if np.any(np.abs(delta @ (c - 1) - beside.value[steps]) > beside.error[steps]):
            return
        times[steps] = delta @ c / delta.sum(axis=1)
        counts += c.tolist()
        left = np.flatnonzero(c == 0)
        if len(left) and np.all(np.delete(c, left) == 1):
            words.append(f"those at the places {listed(left)} of a batch of {size} are left out")
        elif np.any(c != 1):
            words.append(f"in a batch of {size} they count {', '.join(f'{each:.4g}' for each in c)} times")
    if len(set(counts)) > 1:  # else all places count alike: a factor of the whole
        yield _times(times, "bias-gradient-of-some-rows", "; ".join(words))


def _times(times: Array, id: str, what: str = "", numbers: int = 0) -> Cause:
    """The gradient of the bias multiplied in each step."""

    def apply(design: Design) -> Design:
        return replace(design, scale={**design.scale, "bias": times})

    return cause(id, apply, numbers=numbers, named=numbers <= 1, what=what)
