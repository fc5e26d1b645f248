"""Where an experiment asks for a moving average: what code keeps in its place, each held to the averages recorded."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np

from parity.explain.finding import Finding, finding
from parity.step.averages import Averaging, averaged, equal_weights, kept_of
from parity.step.expected import Expected
from parity.step.recording import Recording
from refimpl.averaging import EMA, SWA
from refimpl.types import Array

CORRECTED = 4.0
"""Bounds of one line for an average that is kept without its correction: it is divided, and was multiplied again."""
Named = tuple[str, Averaging, dict[str, Any]]
"""An average by its name, with what its words say."""


def findings(asked: EMA | SWA | None, recording: Recording) -> list[Finding]:
    """What the recorded averages are in the place of those asked for; nothing where these agree, or none are there."""
    if asked is None or not recording.averages:
        return []
    off = _share(recording, kept_of(asked, recording.steps))
    if off <= 1:
        return []
    known = _held(recording, _named(asked, recording)) or _held(recording, _measured(asked, recording))[:1]
    numbers = sum(values.size for values in recording.averages.values())
    evidence = f"correct averages are off by {off:.3g} times the tolerance"
    if not known:
        pieces = averaged(recording, kept_of(asked, recording.steps))
        first = min(step for piece in pieces for step in piece.steps[_wrong(piece)])
        return [finding("average-other", evidence, step=int(first))]
    (id, _, measured), share = known[0]
    within = f"; with this, all {numbers:,} numbers lie within it, the worst at {share:.2f}"
    alike = {other: finding(other, "", **said).text for (other, _, said), _ in known[1:] if other != id}
    return [replace(finding(id, evidence + within, **measured), alike=alike)]


def agrees(asked: EMA | SWA | None, recording: Recording) -> bool:
    """Whether the recorded averages, if any, may be those asked for."""
    return asked is None or _share(recording, kept_of(asked, recording.steps)) <= 1


def _held(recording: Recording, named: Iterator[Named]) -> list[tuple[Named, float]]:
    """Those whose averages are the recorded ones, with their largest share of the tolerance."""
    return [(one, share) for one in named if (share := _share(recording, one[1])) <= 1]


def _share(recording: Recording, how: Averaging) -> float:
    """The largest error ÷ allowance."""
    return max((float(np.max(piece.share, initial=0)) for piece in averaged(recording, how)), default=0.0)


def _wrong(piece: Expected) -> Array:
    """Which of its steps are outside of their bound."""
    return np.any((piece.share > 1).reshape(len(piece.steps), -1), axis=1)  # type: ignore[no-any-return]  # an array


def _named(asked: EMA | SWA, recording: Recording) -> Iterator[Named]:
    """All that have a name."""
    k = np.arange(1, recording.steps + 1)
    plain = kept_of(asked, recording.steps)
    yield "average-of-no-step", replace(plain, kept=np.zeros(len(k)), added=np.ones(len(k))), {}
    yield "average-not-updated", Averaging(kept=np.ones(len(k)), added=np.zeros(len(k)), start=True), {}
    yield "average-before-step", replace(plain, before=True), {}
    if isinstance(asked, SWA):
        yield "average-from-start", replace(equal_weights(k + 1), start=True), {}
        share = (1 / k).astype(np.float32).astype(float)
        yield "average-share-float32", Averaging(kept=1 - share, added=share), {}
        return
    d = float(asked.decay)
    constant = replace(plain, kept=np.full(len(k), d), added=np.full(len(k), 1 - d))
    yield "average-from-start", replace(constant, start=True), {}
    yield "average-from-zero", constant, {}
    yield "average-exchanged", kept_of(EMA(decay=1 - d), recording.steps), {"decay": d, "other": 1 - d}
    if d < 1:
        kept = d * (1 - d ** (k - 1)) / (1 - d**k)
        yield "average-corrected", Averaging(kept=kept, added=(1 - d) / (1 - d**k), roundings=CORRECTED), {}
    for share in (1 / k, (1 / k).astype(np.float32).astype(float)):  # torch divides by its count of updates in float32
        yield "average-equal-weights", Averaging(kept=1 - share, added=share), {}
    for updates in (k, k - 1):
        warm = np.minimum(d, (1 + updates) / (10 + updates))
        yield "average-warm-up", Averaging(kept=warm, added=1 - warm, start=True), {"decay": d}
        copied = Averaging(kept=np.where(k == 1, 0, warm), added=np.where(k == 1, 1, 1 - warm))
        yield "average-warm-up", copied, {"decay": d}


def _measured(asked: EMA | SWA, recording: Recording) -> Iterator[Named]:
    """Averages of another decay."""
    for given in _decays(recording):
        if isinstance(asked, SWA):
            yield "average-exponential", kept_of(EMA(decay=given), recording.steps), {"given": given}
            continue
        copied = kept_of(EMA(decay=given), recording.steps)
        constant = [np.full(recording.steps, number) for number in (given, 1 - given)]
        started = replace(copied, kept=constant[0], added=constant[1], start=True)
        for how in (copied, started):
            yield "average-other-decay", how, {"given": given, "decay": float(asked.decay)}


def _decays(recording: Recording) -> Iterator[float]:
    """The decay that fits all steps but the first best, and what may have been written: ⟨e⁺ − w, e − w⟩/‖e − w‖²."""
    above = below = 0.0
    for name, values in recording.averages.items():
        weights = recording.weights[name][2:]
        before = values[:-1] - weights
        above, below = above + float(np.sum((values[1:] - weights) * before)), below + float(np.sum(before**2))
    if not below or not np.isfinite(above / below) or not 0 <= above / below <= 1:
        return
    fitted = above / below
    for digits in (1, 2, 3, 4):
        yield float(f"{fitted:.{digits}g}")
        yield 1 - float(f"{1 - fitted:.{digits}g}")
    yield fitted
