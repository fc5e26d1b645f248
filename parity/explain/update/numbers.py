"""Numbers of a rule or a reference, solved for from the record, with an interval that every element allows.

::

    x ← x − J⁺r,   r = expected − recorded in units of the allowance    (β by its log(1 − β), others as they are)
    [x]ᵢ = x + (−rᵢ ± 1)/Jᵢ   of every element; what is left of all of them is the interval
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

import numpy as np

from parity.explain.replay import Slot, with_numbers
from parity.explain.replay import misses as missed
from parity.explain.update.trial import UpdateRecord, first_wrong
from refimpl.errors import RefimplError
from refimpl.ranges import number_fields
from refimpl.types import Array

Kind: TypeAlias = Literal["average", "eps", "plain"]
"""What a number is, which says as what it is solved for: as log(1 − β), as log ε, or as it is."""
ITERATIONS, HALVINGS = 15, 6
SLOW = 5
"""Iterations after which a number that brings the record hardly nearer is given up."""
SOME = 8
"""Steps that a number is solved on."""
WIDER = 8.0
"""The allowances are those of the asked number: the interval is drawn with several of them, and a proof decides."""
FAR = 1e30
"""The miss of a number out of place, where the replay has no finite one."""
STARTS = {"weight_decay": 0.01, "dampening": 0.5, "momentum": 0.5, "eps": 1e-8}


@dataclass(frozen=True)
class Solved:
    """A number in its ``slot``: a value in the interval [``low``, ``high``], and the one of fewest digits in it."""

    slot: Slot
    value: float
    low: float
    high: float

    @property
    def short(self) -> float:
        return shortest(self.value, self.low, self.high)


def every_slot(optimizer: Any) -> Iterator[Slot]:
    """All numbers of an optimizer, but for those that it finds by itself."""
    kind: Any = type(optimizer)
    for name in number_fields(kind):
        value = getattr(optimizer, name)
        indices: Sequence[int | None] = range(len(value)) if isinstance(value, tuple) else [None]
        yield from (slot for slot in (Slot(name, i) for i in indices) if slot.of(optimizer) is not None)


def slots(optimizer: Any) -> tuple[Slot, ...]:
    """The numbers that may differ from run to run: not those that the other options fix. The rate comes first."""
    free = [slot for slot in every_slot(optimizer) if _is_free(optimizer, slot)]
    return tuple(sorted(free, key=lambda slot: slot.field != "lr"))


def _is_free(optimizer: Any, slot: Slot) -> bool:
    try:
        with_numbers(optimizer, {slot: np.full(2, slot.of(optimizer))})
    except RefimplError:
        return False
    return True


def solve(records: Sequence[UpdateRecord], rules: Mapping[str, Any], slots: Sequence[Slot]) -> list[Solved]:
    """The numbers that bring the records nearest; none where they cannot be told or where nothing comes near."""
    steps = first_wrong(records) + SOME
    used = sorted((r for r in records if r.wrong), key=lambda r: -r.weights[0].size)[:2]
    if not used:  # the steps that are off overflow
        return []
    scale = np.concatenate([record.allowance_of(steps).ravel() for record in used])
    known = np.isfinite(scale)

    def misses(tried: Array) -> Array:
        """r of several x, ``(tried, numbers)``, in one replay: ``(tried, misses)``."""
        numbers = {slot: _out(kinds[i], tried[:, i]) for i, slot in enumerate(slots)}
        off = [missed(rules[record.name], [record.motion], numbers, first=steps) for record in used]
        with np.errstate(all="ignore"):
            share = (np.concatenate(off, axis=1) / scale)[:, known]
        finite: Array = np.clip(np.nan_to_num(share, nan=FAR, posinf=FAR, neginf=-FAR), -FAR, FAR)
        return finite

    first = rules[used[0].name]
    kinds = [_kind(first, slot) for slot in slots]
    start = [float(slot.of(first)) or (STARTS.get(slot.field, 0.1) if len(slots) == 1 else 0.0) for slot in slots]
    x = _descend(misses, np.array([_in(kind, value) for kind, value in zip(kinds, start, strict=True)]))
    if x is None:
        return []
    r, slopes = _linear(misses, x)
    if np.quantile(np.abs(r), 0.85) > WIDER and len(slots) == 1:
        return []
    solved = [_within(slot, kinds[i], float(x[i]), r, slopes[:, i]) for i, slot in enumerate(slots)]
    return [one for one in solved if one is not None]


def _within(slot: Slot, kind: Kind, x: float, r: Array, slope: Array) -> Solved | None:
    """The range that all elements allow a number while the other numbers stay as they are."""
    told = np.abs(slope) > 0
    if not told.any():
        return None
    middle, half = x - r[told] / slope[told], WIDER / np.abs(slope[told])
    low, high = float(np.max(middle - half)), float(np.min(middle + half))
    if not low <= high:
        low = high = x
    ends = sorted((float(_out(kind, low)), float(_out(kind, high))))
    value = min(max(float(_out(kind, x)), ends[0]), ends[1])
    return Solved(slot, value, *ends)


def _descend(misses: Callable[[Array], Array], x: Array) -> Array | None:
    """Gauss and Newton with halved steps where one leads uphill."""
    begin = np.inf
    for iteration in range(ITERATIONS):
        r, slopes = _linear(misses, x)
        norm = float(r @ r)
        begin = norm if iteration == 0 else begin
        size = np.sqrt(np.sum(slopes**2, axis=0))
        if not np.isfinite(size).all() or not size.any():
            return None
        if iteration > SLOW and norm > begin / 2 and len(x) == 1:
            return None
        size = np.where(size > 0, size, 1.0)
        step = -np.linalg.lstsq(slopes / size, r, rcond=1e-12)[0] / size
        tried = x + step * 0.5 ** np.arange(HALVINGS)[:, None]
        norms = np.sum(misses(tried) ** 2, axis=1)
        if not (norms < norm).any():
            return x
        best = int(np.argmax(norms < norm))
        x = tried[best]
        if norms[best] > 0.999999 * norm:
            return x
    return x


def _linear(misses: Callable[[Array], Array], x: Array) -> tuple[Array, Array]:
    """r and ∂r/∂x from the difference of both sides, a column for each number."""
    widths = 1e-5 * np.maximum(np.abs(x), 1e-3)
    r = misses(np.concatenate([x[None], x + np.diag(widths), x - np.diag(widths)]))
    above, below = r[1 : 1 + len(x)], r[1 + len(x) :]
    return r[0], (above - below).T / (2 * widths)


def _kind(optimizer: Any, slot: Slot) -> Kind:
    """A number named like a β, and no larger than 1, is the weight of the past in an average."""
    cls: Any = type(optimizer)
    if (slot.field.startswith("beta") or slot.field in ("alpha", "rho")) and number_fields(cls)[slot.field].high <= 1:
        return "average"
    return "eps" if slot.field == "eps" else "plain"


def _in(kind: Kind, value: float) -> float:
    return float(np.log1p(-value)) if kind == "average" else float(np.log(value)) if kind == "eps" and value else value


def _out(kind: Kind, x: Any) -> Any:
    if kind == "average":
        return -np.expm1(np.minimum(x, 3.0))  # a β below −19 is none
    return np.exp(np.minimum(x, 300.0)) if kind == "eps" else x


def shortest(value: float, low: float, high: float) -> float:
    """The decimal of fewest digits in the interval; 0 has none."""
    if low <= 0 <= high:
        return 0.0
    for digits in range(1, 18):
        rounded = float(f"{value:.{digits - 1}e}")
        if low <= rounded <= high:
            return rounded
    return value
