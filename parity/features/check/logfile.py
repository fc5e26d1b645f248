"""Logs of a training run: ``.npz``, ``.csv`` or ``.jsonl`` with a row for each step.

Columns by name: ``loss`` (of the batch, before the step), ``norm`` (of the weights, after the step), ``weight`` and
``bias`` (after the step): in a CSV one column for each number, ``weight[0]``, ``weight[1]`` …; in JSON lines lists; in
an ``.npz`` arrays. A trajectory that ``parity run`` saved is a log, too. One row more than there are steps has the
initial weights first, and may have no loss.

One quantity has many usual names (:data:`NAMES`), which are read whatever their case, the spaces around them and the
marks between their words. A column that more than one quantity could be, such as ``grad_norm``, is not used.

A number that is written with few digits is an interval: ``0.0140`` is 0.0140 ± 0.00005. What is no finite number is
refused with its line.
"""

from __future__ import annotations

import csv
import json
import math
import re
import reprlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from parity.errors import InputError
from refimpl.errors import DataError
from refimpl.trajectory import Trajectory
from refimpl.types import Array

NAMES: Mapping[str, frozenset[str]] = {
    "loss": frozenset({"loss", "trainloss", "trainingloss", "losstrain", "batchloss", "lossbatch"}),
    "norm": frozenset({"norm", "weightnorm", "weightsnorm", "normw", "normweight", "wnorm", "l2norm", "||w||", "‖w‖"}),
    "weight": frozenset({"weight", "weights", "w"}),
    "bias": frozenset({"bias", "b", "intercept"}),
}
"""Each quantity's names, in small letters and without spaces, underscores, hyphens, slashes and dots."""
COUNTERS = frozenset({"", "step", "steps", "globalstep", "iteration", "iter", "batch", "epoch", "row", "index"})
"""Columns that count the rows."""
ELEMENT = re.compile(r"(weights?|w|bias|b)(?:\[0\](?=\[)|\[0, ?(?=\d))?[\[(._ ]?(\d+)[\])]?")
"""``weight[3]``, ``w3``, ``weights_3``, ``weight.3``; torch's ``weight[0, 3]`` and ``weight[0][3]``."""


@dataclass(frozen=True)
class Columns:
    """Positions of the columns that are used, by quantity, a weight's numbers in their order; and names not used."""

    positions: Mapping[str, tuple[int, ...]]
    unused: tuple[str, ...]


def columns(place: str, names: Sequence[str]) -> Columns:
    """Read a header. Raises :class:`InputError` where two columns have equal claims to be one quantity."""
    claims: dict[tuple[str, int], list[int]] = {}
    for position, name in enumerate(names):
        if (meant := _meant(name)) is not None:
            claims.setdefault(meant, []).append(position)
    chosen = {meant: _chosen(place, meant[0], names, some) for meant, some in claims.items()}
    positions: dict[str, tuple[int, ...]] = {}
    for quantity in NAMES:
        own = sorted((index, position) for (name, index), position in chosen.items() if name == quantity)
        if not own:
            continue
        indices = [index for index, _ in own]
        if len(own) > 1 and indices not in (list(range(len(own))), list(range(1, len(own) + 1))):
            given = ", ".join(names[position] for _, position in own[:8])
            raise InputError(f"{place}: the columns of {quantity} are {given}; number them from 0 without gaps")
        positions[quantity] = tuple(position for _, position in own)
    used = {position for some in positions.values() for position in some}
    unused = tuple(n.strip() for i, n in enumerate(names) if i not in used and _plain(n) not in COUNTERS)
    return Columns(positions, unused)


def _plain(name: str) -> str:
    return re.sub(r"[\s_\-/.]+", "", name.strip("\ufeff \t").casefold())


def _meant(name: str) -> tuple[str, int] | None:
    """The quantity and the element that a name stands for; −1 for all of it."""
    for quantity, known in NAMES.items():
        if _plain(name) in known:
            return quantity, -1
    if (match := ELEMENT.fullmatch(name.strip("\ufeff \t").casefold())) is not None:
        return ("weight" if match[1].startswith("w") else "bias"), int(match[2])
    return None


def _chosen(place: str, quantity: str, names: Sequence[str], claims: Sequence[int]) -> int:
    """The column with the plain name of a quantity, where several columns may be that quantity."""
    exact = [position for position in claims if _plain(names[position]) == quantity]
    some = exact or list(claims)
    if len(some) > 1:
        given = " and ".join(names[position].strip() for position in some[:4])
        raise InputError(f"{place}: {given} may each be the {quantity}; leave one")
    return some[0]


QUANTITIES = ("loss", "norm")
WEIGHTS = ("weight", "bias")
IN_FULL = 17
"""Significant digits from which on a double was written in full: the text is read as the same number."""


@dataclass(frozen=True)
class Log:
    """What was logged, a row per step: ``series`` of ``loss`` and ``norm`` ``(rows,)`` and ``weights`` by parameter
    ``(rows, numbers)``; ``unit`` of each of them, of the same shape: half a unit of the last digit that was written.
    ``unused``: names of the columns that are none of these."""

    series: Mapping[str, Array]
    weights: Mapping[str, Array]
    unit: Mapping[str, Array]
    unused: tuple[str, ...] = ()

    @property
    def rows(self) -> int:
        return len(next(iter({**self.series, **self.weights}.values())))

    @property
    def finite_rows(self) -> int:
        """How many rows there are before the first with a number that is not finite; a first loss may be missing."""
        finite = np.ones(self.rows, bool)
        for name, values in {**self.series, **self.weights}.items():
            missing = name == "loss" and np.isnan(values[0])
            finite &= np.isfinite(values.reshape(self.rows, -1)).all(axis=1) | (missing & (np.arange(self.rows) == 0))
        return self.rows if finite.all() else int(np.argmin(finite))

    def first(self, rows: int) -> Log:
        """So many of the rows."""

        def cut(arrays: Mapping[str, Array]) -> dict[str, Array]:
            return {name: values[:rows] for name, values in arrays.items()}

        return Log(cut(self.series), cut(self.weights), cut(self.unit), self.unused)


@dataclass(frozen=True)
class Table:
    """A file as rows of cells under their names, and where each row stands: ``line 7``."""

    names: Sequence[str]
    rows: Sequence[Sequence[Any]]
    where: Sequence[str]


def read(place: str, *, finite: bool = True) -> Log:
    """Read a log. ``finite``: whether inf and nan are bad input. Raises :class:`InputError` for what is no log."""
    path = Path(place)
    try:
        table = {".npz": _npz, ".csv": _csv, ".jsonl": _jsonl}[path.suffix](path)
    except InputError:
        raise
    except Exception as error:  # zip files, text and JSON break in a dozen ways
        reason = " ".join(str(error).split())[:200]
        raise InputError(f"{place}: cannot be read as {path.suffix} ({reason})") from error
    header = columns(place, table.names)
    used = [position for some in header.positions.values() for position in some]
    kept = [k for k, row in enumerate(table.rows) if any(row[i] is not None for i in used)]  # no summary at the end
    if not header.positions:
        given = ", ".join(name.strip() for name in table.names[:8]) or "nothing"
        raise InputError(
            f"{place}: has {given} in its header; a log needs one or more of loss, norm, weight, bias: rename the "
            "column that is one of them (loss: of the batch; norm: ‖w‖; the weight as weight[0], weight[1], …)"
        )
    if not kept:
        raise InputError(f"{place}: no row has a number of {', '.join(header.positions)}; write one row for each step")
    table = Table(table.names, [table.rows[k] for k in kept], [table.where[k] for k in kept])
    numbers, unit = {}, {}
    for name, positions in header.positions.items():
        rows = [_cells(row, positions) for row in table.rows]
        numbers[name] = _numbers(place, name, rows, table.where, finite)
        unit[name] = _half_units(rows, numbers[name])
        if name in QUANTITIES:
            numbers[name], unit[name] = numbers[name][:, 0], unit[name][:, 0]
    series, weights = ({name: numbers[name] for name in some if name in numbers} for some in (QUANTITIES, WEIGHTS))
    return Log(series, weights, unit, header.unused)


def saved(place: str) -> Trajectory | None:
    """The trajectory that ``parity run`` saved there, which knows its own dtype; None for any other log."""
    try:
        return Trajectory.load(place) if place.endswith(".npz") else None
    except DataError:
        return None


# -- files -----------------------------------------------------------------------------------------------------------


def _npz(path: Path) -> Table:
    with path.open("rb") as file, np.load(file, allow_pickle=False) as archive:
        arrays = {name: archive[name] for name in archive.files}
    known = set(columns(str(path), list(arrays)).positions.values())
    names = [name for i, name in enumerate(arrays) if any(i in some for some in known)]
    for name in names:
        if arrays[name].ndim == 0 or arrays[name].dtype.kind not in "fiu":
            given = f"{arrays[name].dtype} of shape {arrays[name].shape}"
            raise InputError(f"{path}: {name} is {given}; allowed: real numbers, one or more for each row")
    lengths = {name: len(arrays[name]) for name in names}
    rows = max(lengths.values(), default=0)
    if any(n != rows and not (n == rows - 1 and _is_loss(path, name)) for name, n in lengths.items()):
        sizes = ", ".join(f"{name} {length}" for name, length in lengths.items())
        raise InputError(f"{path}: columns of different lengths ({sizes}); write one row for each step")
    lists = {name: [None] * (rows - lengths[name]) + arrays[name].tolist() for name in names}
    others = [name for name in arrays if name not in names]
    table = [[*(lists[name][k] for name in names), *(None for _ in others)] for k in range(rows)]
    return Table([*names, *others], table, [f"row {k}" for k in range(rows)])


def _is_loss(path: Path, name: str) -> bool:
    return "loss" in columns(str(path), [name]).positions


def _csv(path: Path) -> Table:
    names: list[str] = []
    rows, where = [], []
    with path.open(newline="", encoding="utf-8-sig") as file:
        reader = csv.reader(file, strict=True)
        for row in reader:
            if not any(cell.strip() for cell in row):
                continue
            if not names:
                names = row
                continue
            if len(row) != len(names):
                raise InputError(
                    f"{path}, line {reader.line_num}: {len(row)} columns; the header has {len(names)}: write whole rows"
                )
            rows.append(row)
            where.append(f"line {reader.line_num}")
    return Table(names, rows, where)


def _jsonl(path: Path) -> Table:
    rows: list[dict[str, Any]] = []
    where = []
    for number, line in enumerate(path.read_text(encoding="utf-8-sig").splitlines(), 1):
        if not line.strip():
            continue
        try:
            row = json.loads(line, parse_float=str, parse_int=str, parse_constant=str)
        except (ValueError, RecursionError) as error:
            raise InputError(
                f"{path}, line {number}: {reprlib.repr(line)} cannot be read as .jsonl; allowed: one whole object"
            ) from error
        if not isinstance(row, dict):
            raise InputError(f"{path}, line {number}: {reprlib.repr(line)}; allowed: one object, such as {{'loss': 1}}")
        rows.append(row)
        where.append(f"line {number}")
    names = list(dict.fromkeys(name for row in rows for name in row))
    return Table(names, [[row.get(name) for name in names] for row in rows], where)


# -- numbers ---------------------------------------------------------------------------------------------------------


def _cells(row: Sequence[Any], positions: Sequence[int]) -> list[Any]:
    """The cells of one quantity in a row; a list in a cell is as many of them."""
    cells = [row[position] for position in positions]
    return _flat(cells[0]) if len(cells) == 1 and isinstance(cells[0], list) else cells


def _flat(cell: Any) -> list[Any]:
    return [number for part in cell for number in _flat(part)] if isinstance(cell, list) else [cell]


def _numbers(place: str, name: str, rows: Sequence[Sequence[Any]], where: Sequence[str], finite: bool) -> Array:
    """``(rows, numbers)``; only the first row's loss may be missing: it belongs to the initial weights."""
    wide = 1 if name in QUANTITIES else max(1, len(rows[-1]))
    numbers = np.full((len(rows), wide), np.nan)
    for k, (row, line) in enumerate(zip(rows, where, strict=True)):
        if name == "loss" and k == 0 and len(rows) > 1 and _missing(row):
            continue
        if len(row) != wide:
            allowed = "one" if name in QUANTITIES else f"{wide}, as in the last row" if rows[-1] else "one or more"
            raise InputError(f"{place}, {line}: {name} has {len(row)} numbers; allowed: {allowed}")
        for i, cell in enumerate(row):
            numbers[k, i] = _number(f"{place}, {line}: {name}", cell, finite)
    return numbers


def _missing(row: Sequence[Any]) -> bool:
    return len(row) == 1 and (row[0] is None or str(row[0]).strip().lower() in ("", "nan", "none", "null"))


def _number(what: str, cell: Any, finite: bool) -> float:
    if cell is None or (isinstance(cell, str) and not cell.strip()):
        raise InputError(f"{what} is empty; allowed: a finite number in every row")
    try:
        if isinstance(cell, bool | dict) or (isinstance(cell, str) and "_" in cell):
            raise ValueError
        number = float(cell)
    except (TypeError, ValueError, OverflowError):
        raise InputError(f"{what} is {reprlib.repr(cell)}, which is no number; allowed: a finite number") from None
    if not math.isfinite(number) and (finite or any(map(str.isdigit, str(cell)))):  # 1e999 is no float64
        raise InputError(f"{what} is {reprlib.repr(cell)}; allowed: a finite number, up to 1.8e308")
    return number


def _half_units(rows: Sequence[Sequence[Any]], values: Array) -> Array:
    """Half a unit of each last digit; nothing where the column is of binary numbers, or written in full.

    A column is in full where one of its numbers has 17 digits: a shorter one among them, such as 1.5, is exact, unless
    it has as many places as any, and so may have been cut there.
    """
    texts = [[cell if isinstance(cell, str) else "" for cell in row] for row in rows]
    full = max((_significant(cell) for row in texts for cell in row), default=0) >= IN_FULL
    places = max((_places(cell) for row in texts for cell in row if _significant(cell)), default=0)
    units = np.zeros(values.shape)
    for k, row in enumerate(texts):
        for i, cell in enumerate(row if len(row) == values.shape[1] else ()):
            exact = full and (_significant(cell) >= IN_FULL or _places(cell) < places)
            units[k, i] = 0 if exact or not any(map(str.isdigit, cell)) else 0.5 * 10.0 ** -_places(cell)
    read = 2 * np.spacing(np.abs(np.nan_to_num(values)) / 2)  # what reading it may round; that of 1.8e308, too
    return np.where(units > 0, units + read, 0)


def _significant(text: str) -> int:
    return len(re.sub(r"\D", "", text.lower().partition("e")[0]).lstrip("0"))


def _places(text: str) -> float:
    """How many digits stand behind the point: 4 of 0.0140, 5 of 1.40e-3."""
    mantissa, _, exponent = text.strip().lower().partition("e")
    power = max(min(float(exponent or 0), 300.0), -400.0)  # of 0e999, which is 0
    return len(mantissa.partition(".")[2]) - power
