"""Logs of a training run: ``.npz``, ``.csv`` or ``.jsonl`` with a row for each step.

Columns by name: ``step`` (optional), ``loss`` (of the batch, before the step), ``norm`` (of the weights, after the
step),
``weight`` and ``bias`` (after the step): in a CSV one column for each number, ``weight[0]``, ``weight[1]`` …; in JSON
lines lists; in an ``.npz`` arrays. A trajectory that ``parity run`` saved is a log, too. One row more than there are
steps has the initial weights first.
"""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from parity.errors import InputError
from refimpl.errors import DataError
from refimpl.trajectory import Trajectory
from refimpl.types import Array

QUANTITIES = ("loss", "norm")
WEIGHTS = ("weight", "bias")
ELEMENT = re.compile(r"(weight|bias)\[(\d+)\]")


@dataclass(frozen=True)
class Log:
    """What was logged, a row per step: ``series`` of ``loss`` and ``norm`` ``(rows,)`` with half a unit of the last
    digit that was written, ``unit`` ``(rows,)``; ``weights`` by parameter ``(rows, numbers)``."""

    series: Mapping[str, Array]
    unit: Mapping[str, Array]
    weights: Mapping[str, Array]

    @property
    def rows(self) -> int:
        return len(next(iter({**self.series, **self.weights}.values())))


def read(place: str) -> Log:
    """Read a log. Raises :class:`InputError` for what is none."""
    path = Path(place)
    try:
        columns = {".npz": _npz, ".csv": _csv, ".jsonl": _jsonl}[path.suffix](path)
    except InputError:
        raise
    except Exception as error:  # zip files, text and JSON break in a dozen ways
        raise InputError(f"{place}: cannot be read as {path.suffix} ({error})") from error
    known = {name: values for name, values in columns.items() if name in (*QUANTITIES, *WEIGHTS)}
    if not known:
        given = ", ".join(list(columns)[:8]) or "nothing"
        raise InputError(f"{place}: has {given}; a log needs one or more of loss, norm, weight, bias")
    rows = max(len(values) for values in known.values())
    if len(known.get("loss", ())) == rows - 1:  # none belongs to the initial weights
        known["loss"] = [np.nan, *known["loss"]]
    lengths = {name: len(values) for name, values in known.items()}
    if len(set(lengths.values())) > 1:
        sizes = ", ".join(f"{name} {length}" for name, length in lengths.items())
        raise InputError(f"{place}: columns of different lengths ({sizes}); write one row for each step")
    series = {name: _numbers(place, name, known[name]) for name in QUANTITIES if name in known}
    unit = {name: np.array([_half_unit(value) for value in known[name]]) for name in series}
    weights = {
        name: _numbers(place, name, known[name]).reshape(len(known[name]), -1) for name in WEIGHTS if name in known
    }
    return Log(series, unit, weights)


def saved(place: str) -> Trajectory | None:
    """The trajectory that ``parity run`` saved there, which knows its own dtype; None for any other log."""
    try:
        return Trajectory.load(place) if place.endswith(".npz") else None
    except DataError:
        return None


def _npz(path: Path) -> dict[str, Any]:
    with np.load(path, allow_pickle=False) as archive:
        return {name: archive[name] for name in archive.files}


def _csv(path: Path) -> dict[str, Any]:
    with path.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    names = list(rows[0]) if rows else []
    columns: dict[str, Any] = {name: [row[name] for row in rows] for name in names if name in QUANTITIES}
    for parameter in WEIGHTS:
        own = sorted((int(m[2]), name) for name in names if (m := ELEMENT.fullmatch(name)) and m[1] == parameter)
        if own:
            columns[parameter] = [[row[name] for _, name in own] for row in rows]
        elif parameter in names:
            columns[parameter] = [[row[parameter]] for row in rows]
    return columns or {name: [] for name in names}


def _jsonl(path: Path) -> dict[str, Any]:
    lines = [line for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]
    rows = [json.loads(line, parse_float=str) for line in lines]
    names = dict.fromkeys(name for row in rows for name in row)
    return {name: [row.get(name) for row in rows] for name in names if all(name in row for row in rows)}


def _numbers(place: str, name: str, values: Any) -> Array:
    try:
        numbers = np.array(values, dtype=float)
    except (TypeError, ValueError) as error:
        raise InputError(f"{place}: {name} has something that is no number ({error})") from error
    return numbers.reshape(len(numbers), -1) if name in WEIGHTS else numbers.reshape(len(numbers))


def _half_unit(value: Any) -> float:
    """Half a unit of the last digit that was written: of 0.0140 it is 0.00005; 0 for binary numbers."""
    if not isinstance(value, str):
        return 0.0
    mantissa, _, exponent = value.strip().lower().partition("e")
    digits = len(mantissa.partition(".")[2])
    return 0.5 * 10.0 ** (int(exponent or 0) - digits) if digits < 15 else 0.0
