"""Two causes of one gradient, one after the other: it was made otherwise than asked, and changed again on its way::

g = B(A(asked))        A: another loss, penalty, or other data; B: clipping, a sum over steps, a rounding …
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from parity.explain.catalogue import NAMES, NARROWER
from parity.explain.cause import Cause, causes_of
from parity.explain.measure.chain import SLACK, Chain
from parity.explain.names import batches, known, points
from parity.step.design import Design
from refimpl.types import Array

ROUNDED = ("gradient-bfloat16", "gradient-float16")
"""Names of gradients that are rounded on their way."""
PASSES = ("precision-float32-forward", "precision-tf32", "precision-float16-forward", "precision-autocast")
"""Names of passes in a narrower format."""
NEAR, NEARER = 0.05, 0.9
"""A rounding is looked for where the gradient is as near as this to the recorded one, in its size; of that distance it
is to leave so much at most, by the median of all numbers."""
LARGE = 100_000
"""Numbers of a run from which on pairs are not looked for: each costs a gradient of the whole run."""


def causes(chain: Chain) -> Iterator[tuple[Cause, ...]]:
    """Passes in a narrower format, beside an update that may differ, too; pairs of causes that give the gradient."""
    large = chain.given is None or sum(each.size for each in chain.given.value.values()) > LARGE
    if large or (chain.as_asked("weight") and chain.as_asked("total_bias")):
        return
    narrower = [one for id in (*PASSES, *ROUNDED) for one in causes_of({**NAMES, **NARROWER}[id])]
    yield from ((one,) for one in _rounded(chain, chain.design, narrower))
    every = [one for one in known.causes(chain) if one.id not in ROUNDED]
    later = [one for one in every if NAMES[one.id].kind == "gradient"]
    data = [*batches.bases(chain), *(one for one in every if NAMES[one.id].kind == "data")]
    for firsts, seconds in ((data, every), (every, later), (list(points.at_earlier(chain)), [])):
        for first in firsts:
            base = first.to(chain.design)
            if base is None or not base.consistent or base.steps != chain.steps:
                continue
            others = (one for one in seconds if one.id != first.id)
            yield from ((first, one) for one in others if _holds(chain, one.to(base)))
            yield from ((first, one) for one in _rounded(chain, base, narrower))


def _holds(chain: Chain, design: Design | None) -> bool:
    """Whether a design has the measured gradient."""
    off = _distances(chain, design)
    assert chain.given is not None
    return off is not None and all(
        bool(np.all(off[name] <= SLACK * np.max(e, axis=0))) for name, e in chain.given.error.items()
    )


def _rounded(chain: Chain, design: Design, narrower: Sequence[Cause]) -> Iterator[Cause]:
    """The formats with which a design comes much nearer to the measured gradient, the nearest first."""
    without = _middle(_distances(chain, design))
    assert chain.given is not None
    if not 0 < without <= NEAR * _middle(dict(chain.given.value)):
        return
    near = [(_middle(_distances(chain, one.to(design))), one) for one in narrower]
    yield from (one for off, one in sorted(near, key=lambda each: each[0]) if off <= NEARER * without)


def _distances(chain: Chain, design: Design | None) -> dict[str, Array] | None:
    """|g − g_measured| of each parameter ``(K, n)``; None for a design of other steps."""
    if design is None or not design.consistent or design.steps != chain.steps:
        return None
    assert chain.given is not None
    with np.errstate(all="ignore"):
        made = chain.engine.gradients(design, None)
    idle = isinstance(design.calls, np.ndarray) and (design.calls == 0).any()
    used = np.flatnonzero(np.asarray(design.calls)) if idle else slice(None)  # what is not stepped along is nobody's
    return {name: np.abs(value - made[name].reshape(value.shape))[used] for name, value in chain.given.value.items()}


def _middle(distances: dict[str, Array] | None) -> float:
    """The median distance of all numbers, ∞ where there is none: few roundings that fall otherwise are large."""
    if distances is None:
        return np.inf
    middle = float(np.median(np.abs(np.concatenate([each.reshape(-1) for each in distances.values()]))))
    return middle if np.isfinite(middle) else np.inf
