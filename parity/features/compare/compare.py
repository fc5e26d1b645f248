"""Where two recorded runs part: the first step, tensor and element, and how far apart they come.

Without an experiment two numbers are the same, or may be where few of their digits were written. With one they are the
same as far as rounding allows two correct runs to differ (:mod:`parity.features.compare.rooms`).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np

from parity.backends.base import DTYPES
from parity.errors import InputError, check_name, needs
from parity.explain.finding import Diagnosis
from parity.features.compare.runs import RecordedRun, Series, aligned, read_run
from parity.loading import Asked, load
from parity.shown import Documented
from refimpl.types import Array

if TYPE_CHECKING:
    from parity.features.compare.document import CompareDocument
    from parity.shown import Console


@dataclass(frozen=True, kw_only=True)
class Difference:
    """One number of both runs: ``step``, −1 before the first one; ``relative``: |a − b| ÷ the larger of the two;
    ``share``: |a − b| beyond the digits that were written ÷ what is allowed, ∞ where nothing is."""

    tensor: str
    index: tuple[int, ...]
    step: int
    a: float
    b: float
    relative: float
    share: float


@dataclass(frozen=True, kw_only=True)
class TensorComparison:
    """``first``: where a tensor of both runs parts, if it does, the element with the largest share; ``largest`` and
    ``last``: the largest relative difference, and that of the last step. ``numbers``: how many were compared;
    ``share``: the largest difference ÷ what is allowed."""

    name: str
    numbers: int
    first: Difference | None
    largest: Difference
    last: Difference
    share: float


@dataclass(frozen=True, kw_only=True, repr=False)
class Comparison(Documented):
    """``a``, ``b``: the files, called A and B in words. ``tensors``: in the order of a step. ``ends``: the last step of
    each run. ``against`` and ``diagnoses``: the experiment, and what each run is beside it, if one is given.
    ``as_written``: some numbers are known to some digits only. ``notes``: what else is to be known. Printed, it is the
    text of ``parity compare``."""

    a: str
    b: str
    tensors: tuple[TensorComparison, ...]
    ends: tuple[int, int]
    as_written: bool = False
    against: str = ""
    diagnoses: tuple[Diagnosis, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def first(self) -> Difference | None:
        """Where the runs part: in the earliest step, of its tensors the first."""
        return min((one.first for one in self.tensors if one.first), key=lambda one: one.step, default=None)

    @property
    def verdict(self) -> Literal["agree", "disagree"]:
        return "agree" if self.first is None and self.ends[0] == self.ends[1] else "disagree"

    @property
    def share(self) -> float:
        """The largest difference ÷ what is allowed."""
        return max(one.share for one in self.tensors)

    def _document(self) -> CompareDocument:
        from parity.features.compare.document import document

        return document(self)

    def _print(self, console: Console) -> None:
        from parity.features.compare.terminal import print_comparison

        print_comparison(self, console)


RUN = "a recorded run: what `parity run` saved, or a log (.npz, .csv, .jsonl)"


@needs(a=RUN, b=RUN)
def compare(a: str | Path, b: str | Path, experiment: Asked | None = None, *, dtype: str | None = None) -> Comparison:
    """Hold two files against each other: what ``parity run`` saved, or logs (``.npz``, ``.csv``, ``.jsonl``).

    ``experiment``: what both runs are of, if it is known: a name, a file or an experiment. ``dtype``: of logs, which do
    not say theirs; where none is given each is taken for a run in the one that explains it. Raises :class:`InputError`.
    """
    if dtype is not None:
        dtype = check_name("dtype", dtype, DTYPES)
    experiment = load(experiment) if experiment is not None else None
    runs = read_run(str(a)), read_run(str(b))
    notes: list[str] = []
    diagnoses: tuple[Diagnosis, ...] = ()
    if experiment is None:
        runs = aligned(*runs), aligned(*runs[::-1])
    else:
        from parity.features.compare.rooms import held_to

        runs, diagnoses, notes = held_to(runs, experiment, dtype)
    tensors = tuple(_tensors(*runs))
    notes += _divergence(*runs)
    for letter, one, other in (("A", *runs), ("B", *runs[::-1])):
        if only := [name for name in one.series if name not in other.series]:
            notes.append(f"in {letter} alone: {', '.join(only)}")
    return Comparison(
        a=str(a),
        b=str(b),
        tensors=tensors,
        ends=(runs[0].last, runs[1].last),
        as_written=any(run.as_written for run in runs),
        against=experiment.name if experiment is not None else "",
        diagnoses=diagnoses,
        notes=tuple(notes),
    )


def _divergence(a: RecordedRun, b: RecordedRun) -> list[str]:
    """Which of the runs diverges, and from which step on: the first with a number that is not finite."""
    first = a.divergence, b.divergence
    if first[0] is not None and first[0] == first[1]:
        return [f"both diverge in step {first[0]}: from there on numbers are infinite or nan"]
    return [
        f"{letter} diverges in step {step}: from there on numbers are infinite or nan"
        for letter, step in zip("AB", first, strict=True)
        if step is not None
    ]


def _tensors(a: RecordedRun, b: RecordedRun) -> Iterator[TensorComparison]:
    common = [name for name in a.series if name in b.series]
    for name in common:
        one, other = a.series[name], b.series[name]
        if one.values.shape[1] != other.values.shape[1]:
            sizes = f"{one.values.shape[1]} numbers, that of {b.place} {other.values.shape[1]}"
            raise InputError(f"{name} of {a.place} has {sizes}; give two runs of one model")
        steps, i, j = np.intersect1d(one.step, other.step, return_indices=True)
        if not len(steps):
            raise InputError(f"{a.place} and {b.place} have no step in common; give two runs of one training")
        yield _tensor(name, steps, one.of_rows(i), other.of_rows(j))
    if not common:
        given = "; ".join(f"{run.place} has {', '.join(run.series)}" for run in (a, b))
        raise InputError(f"nothing is in both runs: {given}")


def _share(apart: Array, one: Series, other: Series) -> Array:
    """What no missing digit explains of each difference ÷ what two correct runs may differ by; ∞ where that is nothing.

    Correct runs in two dtypes have p and q there: a − p and b − q may differ by both rooms.
    """
    unit = one.unit + other.unit
    beyond, room = np.maximum(apart - unit, 0), np.zeros(apart.shape)
    if one.room is not None and other.room is not None and one.correct is not None and other.correct is not None:
        room = one.room + other.room
        moved = np.abs((one.values - one.correct) - (other.values - other.correct))
        moved = np.where(np.isnan(moved), np.inf, moved)  # of a number that is not finite
        beyond = np.minimum(beyond, np.maximum(moved - unit, 0))
    share = np.where(beyond > 0, beyond / room, 0.0)
    return np.where(np.isnan(share), 0.0, share)  # ∞ of ∞


@np.errstate(all="ignore")  # of numbers that are not finite
def _tensor(name: str, steps: Array, one: Series, other: Series) -> TensorComparison:
    a, b = one.values, other.values
    apart = np.where((a == b) | (np.isnan(a) & np.isnan(b)), 0.0, np.abs(a - b))
    apart = np.where(np.isnan(apart), np.inf, apart)  # a number and none
    share = _share(apart, one, other)
    size = np.maximum(np.abs(a), np.abs(b))
    relative = np.where(apart > 0, apart / size, 0.0)
    relative = np.where(np.isnan(relative), np.inf, relative)
    shape = one.shape if len(one.shape) >= len(other.shape) else other.shape  # a log does not know axes of length 1

    def at(row: int, column: int) -> Difference:
        index = tuple(int(i) for i in np.unravel_index(column, shape)) if shape else ()
        numbers = {"a": a, "b": b, "relative": relative, "share": share}
        values = {key: float(values[row, column]) for key, values in numbers.items()}
        return Difference(tensor=name, index=index, step=int(steps[row]), **values)

    rows = np.flatnonzero((share > 1).any(axis=1))
    worst = int(np.argmax(relative))
    return TensorComparison(
        name=name,
        numbers=a.size,
        first=at(int(rows[0]), int(np.argmax(share[rows[0]]))) if len(rows) else None,
        largest=at(*(int(i) for i in np.unravel_index(worst, relative.shape))),
        last=at(len(a) - 1, int(np.argmax(relative[-1]))),
        share=float(np.max(share)),
    )
