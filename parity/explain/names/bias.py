"""What the bias got beside Σδ of the rows: a decay, a factor, the sum of some of them, or numbers."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np

from parity.explain.cause import Cause
from parity.explain.measure.chain import SLACK, Chain
from parity.explain.measure.laws import shortest
from parity.explain.measure.series import Series, listed
from parity.explain.names.penalty import asked_decay
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
        yield Cause(
            id="bias-decayed",
            text=f"the bias is decayed with λ = {lam.text()} beside what was asked",
            change="give the bias a parameter group with weight_decay=0, and leave it out of the penalty",
            apply=lambda design: replace(design, added={**design.added, "bias": np.full(design.steps, value)}),
            numbers=1,
        )
    text = "the bias's gradient is {} times what the rows give"
    if factor.is_(1 / sizes):
        mean = "the bias's gradient is the mean over the batch's rows of δ, not their sum: it is divided by the number "
        yield _times(1 / sizes, "bias-gradient-mean", mean + "of rows once more")
    elif (constant := factor.constant) is not None:
        alike = np.full(len(sums), float(f"{constant:.6g}"))
        yield _times(alike, "bias-gradient-factor", text.format(factor.text()), 1)
    yield from _by_place(chain, beside)
    yield _times(factor.value, "bias-gradient-as-measured", text.format(factor.text()), len(sums))


def _by_place(chain: Chain, beside: Series) -> Iterator[Cause]:
    """Σ c_i·δ_i with a number for each place in the batch, where there are more batches than places."""
    rows = chain.rows
    assert rows is not None
    words, times = [], np.ones(chain.steps)
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
        left = np.flatnonzero(c == 0)
        if len(left) and np.all(np.delete(c, left) == 1):
            words.append(f"those at the places {listed(left)} of a batch of {size} are left out")
        elif np.any(c != 1):
            words.append(f"in a batch of {size} they count {', '.join(f'{each:.4g}' for each in c)} times")
    text = f"the bias's gradient is not that of all rows of the batch: {'; '.join(words)}"
    yield _times(times, "bias-gradient-of-some-rows", text)


def _times(times: Array, id: str, text: str, numbers: int = 0) -> Cause:
    def apply(design: Any) -> Any:
        return replace(design, scale={**design.scale, "bias": times})

    change = "look at how the gradient of the bias is made: it is Σδ over all rows of the batch"
    return Cause(id=id, text=text, change=change, apply=apply, numbers=numbers, named=numbers <= 1)
