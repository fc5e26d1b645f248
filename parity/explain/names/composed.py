"""Two causes of one gradient, one after the other: it was made otherwise than asked, and changed again on its way.

A is another loss or penalty, or other data, and B a clipping, a sum over steps or a rounding: every pair is tried of
which g = B(A(asked)) is the measured gradient.
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
    return off is not None and not any(np.any(off[name] > SLACK * error) for name, error in chain.given.error.items())


def _rounded(chain: Chain, design: Design, narrower: Sequence[Cause]) -> Iterator[Cause]:
    """The formats with which a design comes much nearer to the measured gradient, the nearest first."""
    without = _middle(_distances(chain, design))
    assert chain.given is not None
    if not 0 < without <= NEAR * _middle(dict(chain.given.value)):
        return
    near = [(_middle(_distances(chain, one.to(design))), one) for one in narrower]
    yield from (one for off, one in sorted(near, key=lambda each: each[0]) if off <= NEARER * without)


def _distances(chain: Chain, design: Design | None) -> dict[str, Array] | None:
    """|g − g_measured| of each parameter ``(K, n)``, nan in steps that use none; None for a design of other steps."""
    if design is None or not design.consistent or design.steps != chain.steps:
        return None
    assert chain.given is not None
    with np.errstate(all="ignore"):
        made = chain.engine.gradients(design, None)
    used = np.asarray(design.calls) > 0 if isinstance(design.calls, np.ndarray) else np.ones(chain.steps, bool)
    off = {name: np.abs(value - made[name].reshape(value.shape)) for name, value in chain.given.value.items()}
    if not all(np.isfinite(each[used]).all() for each in off.values()):
        return None
    return {name: np.where(used[:, None], each, np.nan) for name, each in off.items()}


def _middle(distances: dict[str, Array] | None) -> float:
    """The median distance of all numbers, ∞ where there is none: few roundings that fall otherwise are large."""
    if distances is None:
        return np.inf
    return float(np.nanmedian(np.abs(np.concatenate([each.reshape(-1) for each in distances.values()]))))
