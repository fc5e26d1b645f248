"""Two causes of one gradient, one after the other: it was made otherwise than asked, and changed again on its way.

A is another loss or penalty, or other data, and B a clipping, a sum over steps or a rounding: every pair is tried of
which g = B(A(asked)) is the measured gradient. Most B are functions of gradients, whatever these are made of: the
gradient A(asked) is made once for all of them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

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
    other_data = _each_once([*batches.bases(chain), *(one for one in every if NAMES[one.id].kind == "data")])
    plain = replace(chain.design, mixing=None, twists=(), scale={}, also=(), calls=None)
    later = [one for one in every if NAMES[one.id].kind == "gradient" and one.id not in batches.ROWS]
    ways = [(one, way) for one in later if (way := one.to(plain)) is not None]
    firsts = _each_once([*other_data, *every])
    for first, its in [*((one, ways) for one in firsts), *((one, []) for one in points.at_earlier(chain))]:
        base = first.to(chain.design)
        made = _gradient(chain, base)
        if base is None or made is None:
            continue
        for one in _beside(chain, base, every) if first in other_data else ():
            changed = one.to(base) if one.id != first.id else None
            both = _gradient(chain, changed)
            if changed is not None and both is not None and _holds(chain, changed, both):
                yield first, one
        for one, way in its:
            if one.id != first.id and _holds(chain, way if way.calls is not None else base, _on(way, made)):
                yield first, one
        yield from ((first, one) for one in _rounded(chain, base, narrower))


def _each_once(causes: Iterable[Cause]) -> list[Cause]:
    return [*{(one.id, one.text, one.variant): one for one in causes}.values()]


def _beside(chain: Chain, base: Design, every: Sequence[Cause]) -> list[Cause]:
    """The losses, penalties and data that may differ beside other data.

    Where the rows are told apart, those that are not of the same part of the gradient were found part by part: they
    explain the gradient of either the asked rows or the other ones, and a penalty is measured beside them.
    """
    if chain.rows is None:
        return [one for one in every if NAMES[one.id].kind != "gradient"]
    asked, its = chain.design.material, base.material
    same = its.order is asked.order and its.dataset.X is asked.dataset.X
    return [one for one in every if NAMES[one.id].kind == "loss"] if chain.rows.explained and same else []


def _on(way: Design, gradient: dict[str, Array]) -> dict[str, Array]:
    """What B makes of the gradients of another design, in whose place its own are."""
    if way.mixing is not None:
        gradient = {name: way.mixing @ values for name, values in gradient.items()}
    for twist in way.twists:
        gradient = twist(gradient)
    return gradient


def _gradient(chain: Chain, design: Design | None) -> dict[str, Array] | None:
    """The gradient of a design by parameter ``(K, n)``; None of one with other steps."""
    if design is None or not design.consistent or design.steps != chain.steps:
        return None
    made = chain.engine.gradients(design, None)
    return {name: np.asarray(values).reshape(chain.steps, -1) for name, values in made.items()}


def _off(chain: Chain, design: Design, gradient: dict[str, Array]) -> dict[str, Array] | None:
    """|g − g_measured| by parameter ``(K, n)``, nan in the steps that a design uses none in; None if not finite."""
    assert chain.given is not None
    used = np.asarray(design.calls) > 0 if isinstance(design.calls, np.ndarray) else np.ones(chain.steps, bool)
    off = {name: np.abs(value - gradient[name]) for name, value in chain.given.value.items()}
    if not all(np.isfinite(each[used]).all() for each in off.values()):
        return None
    return {name: np.where(used[:, None], each, np.nan) for name, each in off.items()}


def _holds(chain: Chain, design: Design, gradient: dict[str, Array]) -> bool:
    """Whether a gradient is the measured one in the steps in which a design uses it."""
    off = _off(chain, design, gradient)
    assert chain.given is not None
    return off is not None and not any(np.any(off[name] > SLACK * error) for name, error in chain.given.error.items())


def _rounded(chain: Chain, design: Design, narrower: Sequence[Cause]) -> Iterator[Cause]:
    """The formats with which a design comes much nearer to the measured gradient, the nearest first."""
    without = _distance(chain, design)
    assert chain.given is not None
    if not 0 < without <= NEAR * _middle(dict(chain.given.value)):
        return
    near = [(_distance(chain, one.to(design)), one) for one in narrower]
    yield from (one for off, one in sorted(near, key=lambda each: each[0]) if off <= NEARER * without)


def _distance(chain: Chain, design: Design | None) -> float:
    """How far a design's gradient is from the measured one, ∞ where it has none."""
    made = _gradient(chain, design)
    off = None if design is None or made is None else _off(chain, design, made)
    return np.inf if off is None else _middle(off)


def _middle(numbers: dict[str, Array]) -> float:
    """The median of their sizes: few roundings that fall otherwise are large."""
    return float(np.nanmedian(np.abs(np.concatenate([each.reshape(-1) for each in numbers.values()]))))
