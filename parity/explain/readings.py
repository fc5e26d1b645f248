"""What a column of a log, or a report of a training function, may be read as.

People report the loss of the batch before the step, or after it, with the penalty or without, as a running mean, as an
exponential moving average, and of accumulated gradients that of the last micro-batch, or divided by their number once
more, or their sum; a norm with the bias, squared or halved; a row for every step, for every epoch, or up to a
step where training was stopped. Each is a reading of the same run: it is tried, and said.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

import numpy as np

from parity.step.design import Design
from parity.step.engine import Engine
from parity.step.expected import Expected, Quantity, expect
from parity.step.recording import Recording
from refimpl.arithmetic.bounded import Bounded, Profile
from refimpl.types import Array

FACTORS = (0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.98, 0.99, 0.999)
"""Factors of exponential moving averages that people report."""


# -- the loss --------------------------------------------------------------------------------------------------------


def bases(design: Design, engine: Engine) -> Iterator[tuple[str, Expected]]:
    """The losses of every step that people report as they are, by name, those before the step first."""
    shifted = Engine(after(engine.recording))
    for rows, chosen in rows_of(design):
        for when, from_weights in (("", engine), (" after the step", shifted)):
            for piece in from_weights.losses(chosen):
                yield f"{piece.quantity}{rows}{when}", piece


def rows_of(design: Design) -> list[tuple[str, Design]]:
    """The designs whose steps have the rows that people report a loss of, by the words for these rows."""
    chosen = [("", design), (" of all rows", all_rows(design))]
    if not design.windows:
        return chosen
    ranks = design.windows[0].ranks
    if ranks == 1:
        return [*chosen, (" of the last micro-batch", last_batches(design))]
    return [*chosen, *((f" of the rows of rank {rank}", rank_rows(design, rank)) for rank in range(ranks))]


def after(recording: Recording) -> Recording:
    """The recording with the weights of one step later, so that the loss of a step is that after the step."""
    weights = {name: _later(values) for name, values in recording.weights.items()}
    units = {name: values if name == "loss" else _later(values) for name, values in recording.written.items()}
    return replace(recording, weights=weights, written=units)


def _later(values: Array) -> Array:
    return np.concatenate([values[1:], values[-1:]])


def all_rows(design: Design) -> Design:
    """Every step takes all rows of the data set."""
    rows = np.arange(design.material.dataset.X.shape[1])
    return design.with_order(tuple(tuple(rows for _ in batches) for batches in design.material.order))


def last_batches(design: Design) -> Design:
    """Every step takes the last of its micro-batches alone."""
    sizes = iter([window.sizes[-1] for window in design.windows])
    return design.with_order(tuple(tuple(rows[-next(sizes) :] for rows in of) for of in design.material.order))


def rank_rows(design: Design, rank: int) -> Design:
    """Every step takes the rows of one rank alone."""
    windows = iter(design.windows)

    def own(rows: Array) -> Array:
        window = next(windows)
        each = len(window.sizes) // window.ranks
        start, end = (sum(window.sizes[: each * count]) for count in (rank, rank + 1))
        return rows[start:end]

    return design.with_order(tuple(tuple(own(rows) for rows in of) for of in design.material.order))


def maps(what: str, design: Design) -> dict[str, Array]:
    """What people make of a loss of every step, as matrices ``(K, K)`` that it is multiplied by."""
    names, matrices = maps_of(design)
    return dict(zip([name.format(what) for name in names], matrices, strict=True))


def maps_of(design: Design) -> tuple[tuple[str, ...], Array]:
    """The names of the maps, with ``{}`` for the loss, and ``(maps, K, K)``."""
    rows, divisors = tuple(map(len, design.rows)), tuple(window.divisor for window in design.windows)
    return stacked(rows, tuple(design.epoch.tolist()), divisors)


@lru_cache(maxsize=64)
def stacked(
    rows: tuple[int, ...], epochs: tuple[int, ...], divisors: tuple[int, ...] = ()
) -> tuple[tuple[str, ...], Array]:
    """The maps, from the rows and the epoch of each step's batch and what divides its micro-batches, if it has some."""
    sizes, epoch, steps = np.array(rows, float), np.array(epochs), len(rows)
    sums = np.tri(steps)
    of_epoch = sums * (epoch[:, None] == epoch[None, :])
    found = {
        "the {}": np.eye(steps),
        "the {} times the number of rows of the batch": np.diag(sizes),
        "the mean of every {} so far": _normal(sums),
        "the mean of every {} of the epoch so far": _normal(of_epoch),
        "the mean of every {} so far, each with the rows of its batch": _normal(sums * sizes),
        "the mean of every {} of the epoch so far, each with the rows of its batch": _normal(of_epoch * sizes),
        "the sum of every {} so far": sums,
        "the sum of every {} of the epoch so far": of_epoch,
        "the {} of the step before": np.eye(steps, k=-1) + np.diag(np.eye(steps)[0]),
    }
    if divisors:
        found["the {} divided by the number of micro-batches"] = np.diag(1 / np.array(divisors, float))
        found["the {} times the number of micro-batches"] = np.diag(np.array(divisors, float))
    ages = np.arange(steps)[:, None] - np.arange(steps)
    for factor in FACTORS:
        powers = np.where(ages >= 0, factor ** np.maximum(ages, 0), 0.0)
        name = f"an exponential moving average of every {{}} with the factor {factor:g}"
        first = powers * np.where(np.arange(steps) == 0, 1, 1 - factor)
        found |= {name: first, f"{name}, from 0": powers * (1 - factor), f"{name}, corrected": _normal(powers)}
    return tuple(found), np.stack(list(found.values()))


def _normal(weights: Array) -> Array:
    """Rows of weights that add up to 1."""
    normal: Array = weights / weights.sum(axis=1, keepdims=True)
    return normal


def usual_loss(design: Design, engine: Engine) -> str:
    """The name of the quantity that was recorded as the loss; empty where it is no usual one."""
    recording = engine.recording
    profile, unit = recording.profiles["loss"], recording.half_unit("loss")
    pieces = bases(design, engine)
    losses = ((name, Bounded(of.value, np.maximum(of.allowance - unit, 0), profile)) for name, of in pieces)
    name, share = nearest_loss(losses, design, recording, np.arange(recording.steps))
    return name if share <= 1 else ""


def nearest_loss(
    losses: Iterable[tuple[str, Any]], design: Design, recording: Recording, steps: Array
) -> tuple[str, float]:
    """What the losses that were recorded at some steps are, and their error ÷ allowance.

    Each reading is a linear map of a loss of every step ``(K,)``, ``A @ loss``, and has its bounds carried through it.
    The first that fits, else the nearest.
    """
    profile, nearest = recording.profiles["loss"], ("", np.inf)
    assert recording.loss is not None
    for what, loss in losses:
        for name, matrix in maps(what, design).items():
            mapped: Any = Bounded.tensor(matrix[steps], profile) @ loss.reshape(-1, 1)
            held = expect(Quantity("loss"), steps, recording.loss, mapped[:, 0], profile.compute)
            share = float(np.max(held.widened(recording.half_unit("loss")).share))
            if share <= 1:
                return name, share
            nearest = min(nearest, (name, share), key=lambda pair: pair[1])
    return nearest


# -- the norm --------------------------------------------------------------------------------------------------------

Form = tuple[str, Any, Any]
NORMS: tuple[Form, ...] = (
    ("‖w‖", lambda n: n, np.ones_like),
    ("½‖w‖²", lambda n: n * n / 2, lambda n: n),
    ("‖w‖²", lambda n: n * n, lambda n: 2 * n),
    ("½‖w‖", lambda n: n / 2, lambda n: np.full_like(n, 0.5)),
)
"""The forms in which people log the norm of w, and their derivatives."""


@dataclass(frozen=True)
class ReportedSeries:
    """One quantity of every step: its value, and how far a run of the same design may be from it."""

    value: Array
    room: Array

    def mapped(self, matrices: Array, u: float) -> ReportedSeries:
        """``A @ value`` for every one of ``(maps, rows, K)``: ``(maps, rows)``; the sums round, too."""
        size = np.abs(matrices)
        room = size @ self.room + matrices.shape[-1] * u * (size @ (np.abs(self.value) + self.room))
        return ReportedSeries(matrices @ self.value, room)


def norms(lengths: Mapping[bool, Any], profile: Profile | None = None) -> dict[str, ReportedSeries]:
    """Every form of ‖w‖ and, under True, of the norm of all parameters, with what its own roundings may come to.

    Lengths know their errors where there is a ``profile`` of the arithmetic.
    """
    found = {}
    for every, length in lengths.items():
        value, error = (length.value, length.error) if profile is not None else (length, 0.0)
        u = profile.compute.u if profile is not None else 0.0
        for name, f, slope in NORMS:
            room = slope(value + error) * error + 4 * u * f(value + error)
            found[name.replace("w", "(w, b)") if every else name] = ReportedSeries(f(value), room)
    return found


def factor(written: Array, unit: Array, value: Array, room: Array) -> str:
    """``3 times`` where every written number is one multiple of what it should be, within what each is known to.

    The factor lies in the intersection of its intervals ``[(written − unit)/(value + room), …]``; of it the number that
    is simplest is said. Nothing where there is none.
    """
    with np.errstate(all="ignore"):
        ends = [(written + a * unit) / (value + b * room) for a in (-1, 1) for b in (-1, 1)]
        low, high = np.max(np.min(ends, axis=0)), np.min(np.max(ends, axis=0))
    if not low <= high or np.any(value <= room):
        return ""
    middle = (low + high) / 2
    whole = [n / d for d in range(1, 65) for n in range(1, 65)]
    simple = next((number for number in whole if low <= number <= high), middle)
    inverse = round(1 / simple) if simple < 1 else 0
    return f"1/{inverse} of" if inverse and low <= 1 / inverse <= high else f"{simple:.6g} times"


# -- the rows --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Layout:
    """Which moment each row of a log is of.

    ``note``: what to say of it, nothing where it is a row a step. ``losses``: the step whose loss a row has, −1 where
    none is known; ``norms``: after how many steps its weights are. Both ``(rows,)``.
    """

    note: str
    losses: Array
    norms: Array

    def first(self, rows: int) -> Layout:
        """The layout of the first so many rows."""
        return Layout(self.note, self.losses[:rows], self.norms[:rows])


def layouts(rows: int, design: Design) -> list[Layout]:
    """How a log of so many rows may lie to the steps, the likeliest first."""
    steps, done = design.steps, np.arange(rows)
    early = f"stopped after {{}} of {steps} steps: what was recorded is judged"
    found: list[Layout] = []
    if rows in (steps, steps + 1):
        found += _around("", done) if rows == steps else [Layout("", done - 1, done)]
    if rows == steps + 1:
        found.append(Layout(BEFORE, np.where(done < steps, done, -1), done))
    for what, marks in spacings(design):
        note = f"{what} was made: {{}} reports, {steps} steps"
        if rows == len(marks):
            found += _around(note.format(rows), marks - 1)
        if rows == len(marks) + 1:
            found.append(Layout(note.format(rows - 1), np.append(-1, marks - 1), np.append(0, marks)))
    if rows < steps:
        found += _around(early.format(rows), done)
        found.append(Layout(early.format(rows - 1), done - 1, done))
    return found


BEFORE = "each row was written before its step"


def _around(note: str, losses: Array) -> list[Layout]:
    """The weights of a row are those after its step, or those before it."""
    before = f"{note}; {BEFORE}" if note else BEFORE
    first = np.append(0, losses[:-1] + 1)
    return [Layout(note, losses, losses + 1), Layout(before, losses, first)]


def spacings(design: Design) -> list[tuple[str, Array]]:
    """After which steps there is a report where not every step has one: every epoch, every n-th step."""
    epoch, steps = design.epoch, design.steps
    ends = np.flatnonzero(np.append(epoch[1:] != epoch[:-1], True)) + 1
    found = [("one report an epoch", ends)] if len(ends) < steps else []
    for every in range(2, steps // 2 + 1):
        marks = np.arange(every, steps + 1, every)
        if marks[-1] == steps and not np.array_equal(marks, ends):
            found.append((f"one report every {every} steps", marks))
    return found


def words(readings: Mapping[str, str]) -> list[str]:
    """Notes on columns that are read as something else than they are asked for."""
    usual = {"norm": ("‖w‖",), "loss": ("the loss", "the objective", "the objective as asked")}
    return [f"{column} is read as {text}" for column, text in readings.items() if text and text not in usual[column]]
