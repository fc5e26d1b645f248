"""The gradient of each element times a number of its own, the same in every step: ``g_kj = d_j·g_asked_kj``.

So it is where a run is trained in other units, with inputs x_j/s_j and weights s_j·w_j: the step of w_j is 1/s_j² times
the asked one.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import partial

import numpy as np

from parity.explain.cause import Cause
from parity.explain.faults.twists import Masked
from parity.explain.measure.chain import SLACK, Chain
from parity.explain.names.seen import twisted
from parity.explain.words import cause
from refimpl.types import Array


def causes(chain: Chain) -> Iterator[Cause]:
    """What the multiples are of the inputs, where that is known, and the multiples themselves."""
    assert chain.given is not None
    value, asked, bar = chain.given.value["weight"], chain.asked.weight, SLACK * chain.given.error["weight"]
    with np.errstate(all="ignore"):
        low, high = np.sort([(value - bar) / asked, (value + bar) / asked], axis=0)
    low, high = np.max(np.where(asked == 0, -np.inf, low), axis=0), np.min(np.where(asked == 0, np.inf, high), axis=0)
    if not np.all(low <= high) or not np.isfinite([low, high]).all() or np.max(low) <= np.min(high):
        return  # no such numbers, or one for all
    for words, times in _of_inputs(chain).items():
        if np.all((low <= times) & (times <= high)):
            yield cause("gradient-in-other-units", partial(twisted, twist=Masked(times)), words=words)
    times = (low + high) / 2
    yield cause(
        "gradient-by-element",
        partial(twisted, twist=Masked(times)),
        numbers=len(times),
        named=False,
        times=", ".join(f"{each:.4g}" for each in times[:4]) + " …" * (len(times) > 4),
    )


def _of_inputs(chain: Chain) -> Mapping[str, Array]:
    """1/s_j² for the numbers that inputs are divided by."""
    X = chain.X
    scales = {
        "their standard deviation (÷ n)": X.std(axis=0),
        "their standard deviation (÷ (n − 1))": X.std(axis=0, ddof=1),
        "their range": np.ptp(X, axis=0),
        "their largest absolute value": np.abs(X).max(axis=0),
        "their norm": np.linalg.norm(X, axis=0),
    }
    return {words: 1 / s**2 for words, s in scales.items() if np.all(s > 0)}
