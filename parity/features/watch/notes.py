"""What is seen beside the steps: writes between them, and parameters that the optimizer and the model do not share.

None of it is a fault by itself. Averages of the weights are swapped in, a schedule-free optimizer changes between
training and evaluation, a checkpoint is loaded, a second optimizer holds the rest of a model. So a note says what was
seen, at which step, and of which parameters.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from parity.features.watch.record import StepRecord
from parity.record.snapshot import Snapshot
from refimpl.types import Array

NoteKind = Literal["weights written", "state written", "without gradient", "not of the model", "never moved"]
SHOWN = 3
"""Parameters that a note names in its text; all of them are in ``parameters``."""


@dataclass(frozen=True, kw_only=True)
class Note:
    """``step``: the first sampled step that showed it. ``times``: how many sampled steps did."""

    kind: NoteKind
    parameters: tuple[str, ...]
    step: int
    times: int = 1

    def __str__(self) -> str:
        count, names = len(self.parameters), ", ".join(self.parameters[:SHOWN])
        which = names + (f" and {count - SHOWN} more" if count > SHOWN else "")
        what = {
            "weights written": f"written outside of the optimizer's step, first before step {self.step}",
            "state written": f"their optimizer state was written outside of its step, first before step {self.step}",
            "without gradient": f"in none of {self.times} sampled steps was there a gradient",
            "not of the model": "held by the optimizer, but not among the parameters of model=",
            "never moved": f"of model=, had gradients, but nothing has moved them since step {self.step}",
        }[self.kind]
        return f"{which}: {what}"


def changed(record: StepRecord, now: Snapshot) -> Iterator[NoteKind]:
    """Whether the weights of a parameter, or its state, are other than when the record was made."""
    before = record.before
    if not equal(before.value, now.value):
        yield "weights written"
    keys = {**before.state, **now.state}
    if not all(key in before.state and key in now.state and equal(before.state[key], now.state[key]) for key in keys):
        yield "state written"


def equal(first: Array, second: Array) -> bool:
    """Bit for bit; nan equals nan."""
    return np.array_equal(first, second, equal_nan=True)


def written(earlier: Sequence[StepRecord], later: Sequence[StepRecord], step: int) -> Iterator[Note]:
    """Notes of what changed between two records of the same elements."""
    now = {id(record.parameter): record for record in later}
    names: dict[NoteKind, list[str]] = {}
    for record in earlier:
        if (same := now.get(id(record.parameter))) is not None:
            for kind in changed(record, same.before):
                names.setdefault(kind, []).append(record.name)
    for kind, parameters in names.items():
        yield Note(kind=kind, parameters=tuple(parameters), step=step)


def merged(notes: Iterable[Note]) -> dict[NoteKind, Note]:
    """One note of each kind, of all parameters."""
    by_kind: dict[NoteKind, Note] = {}
    for note in notes:
        known = by_kind.get(note.kind, replace(note, times=0))
        parameters = tuple(dict.fromkeys([*known.parameters, *note.parameters]))
        by_kind[note.kind] = replace(known, parameters=parameters, times=known.times + note.times)
    return by_kind
