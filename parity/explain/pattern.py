"""Where in a run the errors are: which tensor, which steps, which elements."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from parity.step.expected import Expected
from refimpl.types import Array

LISTED = 6
"""Elements or steps that are named one by one."""


@dataclass(frozen=True)
class Pattern:
    """The errors of one parameter. ``share`` ``(K, elements)``: error ÷ allowance of every number after every step."""

    parameter: str
    share: Array
    text: str


def patterns(pieces: Sequence[Expected]) -> list[Pattern]:
    """The pattern of every parameter that has an error beyond its allowance."""
    by_parameter: dict[str, list[Expected]] = {}
    for piece in pieces:
        by_parameter.setdefault(piece.quantity.parameter, []).append(piece)
    with_errors = []
    for name, own in by_parameter.items():
        in_order = sorted(own, key=lambda piece: int(piece.steps[0]))
        share = np.concatenate([piece.share.reshape(len(piece.steps), -1) for piece in in_order]).astype(float)
        if (share > 1).any():
            with_errors.append(Pattern(name, share, f"{name}: {places(share > 1)}"))
    return with_errors


def which(chosen: Array) -> str:
    """Some elements in words."""
    return _which(np.flatnonzero(chosen), chosen.size, "element")


ORDINALS = {2: "2nd", 3: "3rd"}


def places(wrong: Array) -> str:
    """Which elements and steps are chosen in ``(K, elements)``, in words."""
    steps, elements = np.flatnonzero(wrong.any(axis=1)), np.flatnonzero(wrong.any(axis=0))
    return f"{_which(elements, wrong.shape[1], 'element')}, {_which(steps, wrong.shape[0], 'step')}"


def _which(positions: Array, total: int, noun: str) -> str:
    """``every element``, ``only the last element (11)``, ``every 4th element from 3 on``, ``elements 1, 5, 6`` …"""
    if len(positions) == total:
        return f"every {noun}" if total > 1 else f"its only {noun}"
    if len(positions) == 1:
        at = int(positions[0])
        place = {0: "first ", total - 1: "last "}.get(at, "")
        return f"only the {place}{noun} ({at})"
    gaps = np.diff(positions)
    if len(positions) > 2 and np.all(gaps == gaps[0]) and gaps[0] > 1:
        return f"every {ORDINALS.get(int(gaps[0]), f'{gaps[0]}th')} {noun} from {positions[0]} on"
    if np.all(gaps == 1):
        last = f"{noun}s {positions[0]} to {positions[-1]} of {total}"
        return f"{last} (all but the first {positions[0]})" if positions[-1] == total - 1 else last
    if len(positions) <= LISTED:
        return f"{noun}s {', '.join(map(str, positions))} of {total}"
    return f"{len(positions)} of {total} {noun}s"
