"""The catalogue's names that the measured gradient bears: those whose formula gives what was measured."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from parity.explain.catalogue import NAMES, Name
from parity.explain.cause import Cause, cause_of
from parity.explain.measure.chain import Chain
from parity.explain.names.option import PARTS, Option
from parity.explain.names.weights import dealt, still_scaled
from refimpl.types import Array

GRADIENT = ("loss", "penalty", "gradient", "data")
"""Kinds of names that change the gradient."""


def options(chain: Chain) -> Iterator[Option]:
    """Every name whose gradient is the measured one wherever it is not the asked one."""
    every = frozenset(PARTS)
    for cause in (*dealt(chain), *causes(chain)):
        design = cause.to(chain.design)
        if design is None or not design.consistent:
            continue
        parts = chain.parts(design)
        if parts is None:
            continue
        calls = design.calls
        idle = isinstance(calls, np.ndarray) and (calls == 0).any()  # a gradient that is not stepped along is nobody's
        steps = np.flatnonzero(np.asarray(calls)) if idle else None
        if chain.same("weight", parts, steps) and chain.same("total_bias", parts, steps):
            yield Option(cause, every)
            continue
        changed = frozenset(part for part in PARTS if not _equal(chain, part, parts))
        if changed and changed < every and all(chain.same(part, parts) for part in changed):
            yield Option(cause, changed)


def _equal(chain: Chain, part: str, other: object) -> bool:
    """Whether a name leaves a part as it was asked: to the last digits that the bars do not reach."""
    mine, its = getattr(chain.asked, part), getattr(other, part)
    bars = getattr(chain.bars, part)
    if mine is None or its is None or bars is None:
        return mine is None and its is None
    return bool(np.all(np.abs(mine - its) <= np.maximum(bars, 1e-13 * np.abs(mine))))


def causes(chain: Chain) -> Iterator[Cause]:
    """Every name of the catalogue with each number that it may have here."""
    for name in NAMES.values():
        if name.kind in GRADIENT:
            for value, numbers in values(name, chain):
                cause = cause_of(name, value, numbers=numbers)
                hint = still_scaled(value) if name.id == "gradient-clipped-by-norm" else ""
                yield replace(cause, text=cause.text + hint)


def values(name: Name, chain: Chain) -> Iterator[tuple[float, int]]:
    """The numbers of a name: its own, or, where it is free, the one that was measured, in few digits first."""
    if not name.free:
        yield from ((value, 0) for value in name.values)
        return
    measured = estimate(name.id, chain)
    if measured is not None and math.isfinite(measured) and measured != 0:
        for digits in (2, 3, 6, 17):
            rounded = float(f"{measured:.{digits}g}")
            if digits == 17 or abs(rounded - measured) <= 0.02 * abs(measured):
                yield rounded, 1 + (digits > 3)


def estimate(id: str, chain: Chain) -> float | None:
    """The number that a free name would have, read off what was measured."""
    rows, given, measured = chain.rows, chain.given, chain.measured
    if given is None or measured is None:
        return None
    if id == "gradient-clipped-by-norm":
        return float(np.max(chain.norm))
    if id == "gradient-clipped-by-value":
        return float(max(np.max(np.abs(each)) for each in given.value.values()))
    if id == "loss-other-factor" and np.isfinite(chain.asked.data).all():
        return _ratio(given.value["weight"] - chain.asked.penalty, chain.asked.data)
    if rows is None or not rows.explained:
        return None
    if id in ("penalty-extra", "penalty-extra-on-all"):
        return _middle(rows.decay, rows.decay_error)
    if id == "penalty-extra-l1" and "sign w" in rows.further:
        return _middle(*rows.further["sign w"])
    if id == "penalty-other-strength" and np.any(np.abs(measured.penalty) > chain.bars.penalty):
        return _ratio(measured.penalty, chain.asked.penalty)
    return None


def _middle(value: Array, error: Array) -> float:
    """The best known of numbers that should be one."""
    return float(value[np.argmin(error)])


def _ratio(one: Array, other: Array) -> float | None:
    """⟨one, other⟩/⟨other, other⟩."""
    square = float(np.sum(other * other))
    return float(np.sum(one * other)) / square if square else None
