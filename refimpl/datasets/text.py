"""A table of numbers as text: with or without text above it, a line of names, columns of text and missing cells.

UTF-8 with or without byte order mark, one row per line; the separator is found (:mod:`refimpl.datasets.separators`).
Lines without any content are skipped, and so are first lines of another width than the table's that are one cell of
text or begin with ``#``.
"""

from __future__ import annotations

import math
import re
import reprlib
import warnings
from array import array
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from refimpl.datasets.columns import Choice, Columns, Names, check_names, chosen, without
from refimpl.datasets.dataset import Dataset
from refimpl.datasets.separators import SPACE, Record, lines, records, separated
from refimpl.errors import DataError
from refimpl.types import Array

MISSING = ("", "na", "n/a", "nan", "null", "none", "?", ".", "..")
"""The cells, in small letters, that say that there is no number."""
NUMBER = re.compile(r"[-+]?[\d.,_]*\d[\d.,_]*(e[-+]?\d+)?|[-+]?inf(inity)?", re.IGNORECASE)
"""The form of a cell that is meant as a number, whether it can be read as one or not."""
FIRST = ', or set header to "yes" if this line holds names, or skip = {} if it is text above the table'
SWAP = str.maketrans(",.", ".,")


@dataclass(frozen=True, kw_only=True)
class Reading:
    """How a text is read: the options of :class:`~refimpl.datasets.files.File` that are of text."""

    choice: Choice
    header: Literal["auto", "yes", "no"] = "auto"
    skip: int = 0
    decimal: Literal[".", ","] = "."
    missing: Literal["error", "drop"] = "error"


def read_text(where: str, content: bytes, reading: Reading) -> tuple[Dataset, Names | None]:
    """The data, and the names of the columns, target last, where the file has any.

    ``where``: the file as messages call it. Raises :class:`DataError` with the line, counted from 1, and the column of
    the first bad cell.
    """
    separator, width, sample = separated(content, reading.skip, reading.decimal)
    rows = records(where, lines(where, content, reading.skip), separator, reading.skip)
    line, cells = next((row for row in rows if not _is_above(row, width)), (reading.skip + 1, []))
    if len(cells) < 2:
        raise DataError(
            f"{where}, line {line}" if cells else where,
            given=f"one column, {reprlib.repr(cells[0])}" if cells else "an empty file",
            allowed="at least one feature and the target",
            remedy="separate the columns by commas, semicolons, tabs or spaces"
            if cells
            else "check that it was written",
        )
    like_numbers = [_begins_like_a_number(cell) for cell in cells]
    named = reading.header == "yes" or (reading.header == "auto" and any(cells) and not any(like_numbers))
    names = tuple(_unquoted(cell) for cell in cells) if named else None
    body = [row for row in sample if row[0] > line - (not named)]
    text = _text_columns([row for _, row in body], len(cells))
    if not named and reading.header == "auto":
        _check_first_line(where, line, cells, text, [len(row) for number, row in body if number > line])
    columns = chosen(where, reading.choice, names, len(cells), text)
    if names:
        check_names(f"{where}, line {line}", names, columns.used)
    table = _plain(where, content, reading, separator, columns, len(cells), body[0][0] - 1) if body else None
    if table is None:
        table = _cell_by_cell(where, content, reading, separator, columns, names, (line, cells))
    return columns.dataset(table), columns.names(names)


def _is_above(row: Record, width: int) -> bool:
    """Whether a first row is text above the table, whose rows have ``width`` cells; 0 where this is not known."""
    _, cells = row
    if width in (0, len(cells)):
        return False
    return cells[0].startswith("#") or (len(cells) == 1 and not _begins_like_a_number(cells[0]))


def _text_columns(rows: Sequence[Sequence[str]], width: int) -> list[int]:
    """The columns where no cell of two rows or more is meant as a number, and one at least is not missing."""
    whole = [row for row in rows if len(row) == width]
    if len(whole) < 2:
        return []
    cells = [[row[i] for row in whole if row[i].lower() not in MISSING] for i in range(width)]
    return [i for i, some in enumerate(cells) if some and not any(NUMBER.fullmatch(cell) for cell in some)]


def _check_first_line(where: str, line: int, cells: list[str], text: Sequence[int], widths: Sequence[int]) -> None:
    """Raise where a first line of words and numbers may be names, text above the table, or a row of it."""
    words = [i for i, cell in enumerate(cells) if cell and not _begins_like_a_number(cell)]
    if not words:
        return
    above = bool(widths) and len(cells) not in widths
    if above or set(words) <= set(text):
        row = 'set header to "yes" if they are names, to "no" if they are a row'
        raise DataError(
            f"{where}, line {line}",
            given=f"words and numbers, as {reprlib.repr(cells[words[0]])}, above rows of {widths[0]} cells",
            allowed="names, or a row of the table",
            remedy=f"set skip = {line} if this line is text above the table" if above else row,
        )


def _plain(
    where: str, content: bytes, reading: Reading, separator: str, columns: Columns, width: int, start: int
) -> Array | None:
    """The table ``(n, width)``, where all below line ``start`` is rows of numbers without quotes; else None."""
    text = lines(where, content, start)
    delimiter: str | None = separator
    if reading.decimal == ",":  # 1.000,5 becomes 1,000.5, which is no number
        text, delimiter = (line.translate(SWAP) for line in text), separator.translate(SWAP)
    unused: dict[int | str, Callable[[str], float]] = {i: _nothing for i in range(width) if i not in columns.used}
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of a text without rows, which is said below
            table = np.loadtxt(
                text,
                delimiter=None if separator == SPACE else delimiter,
                comments=None,
                ndmin=2,
                converters=unused or None,
                encoding=None,
            )
    except ValueError:
        return None
    return table if len(table) and table.shape[1] == width and np.isfinite(table).all() else None


def _nothing(_: str) -> float:
    """The number that stands for a cell that is not used."""
    return 0.0


def _cell_by_cell(
    where: str,
    content: bytes,
    reading: Reading,
    separator: str,
    columns: Columns,
    names: Names | None,
    first: Record,
) -> Array:
    """The table ``(n, columns)`` of everything else, or the first bad cell."""
    line, cells = first
    numbers, rows, never = array("d"), 0, set(columns.used)
    for number, record in records(where, lines(where, content, reading.skip), separator, reading.skip):
        if number < line or (names and number == line):
            continue
        if len(record) != len(cells):
            raise DataError(
                f"{where}, line {number}",
                given=f"a row of {len(record)}",
                allowed=f"{len(cells)} cells, as in line {line}",
                remedy=f"give every row the same columns, or set skip = {line} if line {line} is no row of the table",
            )
        if reading.missing == "drop":
            missing = {i for i in columns.used if record[i].lower() in MISSING}
            never &= missing
            if missing:
                continue
        hint = FIRST.format(line) if number == line and reading.header == "auto" else ""
        numbers.extend(_row(f"{where}, line {number}", record, columns, names, reading, hint))
        rows += 1
    if not rows:
        dropped, remedy = reading.missing == "drop" and len(never) < len(columns.used), "add rows below the names"
        if dropped:
            remedy = without(reading.choice, sorted(never), names) if never else "ignore the emptiest columns"
        raise DataError(
            where,
            given="no row without a missing cell" if dropped else "names and no row",
            allowed="at least one row of numbers",
            remedy=remedy,
        )
    return np.frombuffer(numbers, np.float64).reshape(rows, len(cells))


def _row(
    where: str, cells: list[str], columns: Columns, names: Names | None, reading: Reading, hint: str
) -> list[float]:
    """The numbers of a row, 0 in the columns that are not used."""
    numbers = [0.0] * len(cells)
    for i in sorted(columns.used):
        numbers[i] = _number(cells[i], reading.decimal)
        if not math.isfinite(numbers[i]):
            cell, name = cells[i], f" ({reprlib.repr(names[i])})" if names else ""
            if cell.lower() in MISSING:
                hint = ', or set missing = "drop" to leave out rows with missing cells' + hint
            elif math.isfinite(_number(cell, "," if reading.decimal == "." else ".")):
                hint = f', or set decimal = "{"," if reading.decimal == "." else "."}"' + hint
            raise DataError(
                f"{where}, column {i + 1}{name}",
                given=reprlib.repr(cell) if cell else "an empty cell",
                allowed=f"a finite number, with a decimal {'point' if reading.decimal == '.' else 'comma'}",
                remedy=f"correct the cell, or remove the row{hint}",
            )
    return numbers


def _number(cell: str, decimal: str) -> float:
    """nan where the cell holds no number."""
    if decimal == ",":
        cell = cell.translate(SWAP)
    try:
        return math.nan if "_" in cell else float(cell)  # Python reads 1_000 as a number, a spreadsheet does not
    except ValueError:
        return math.nan


def _begins_like_a_number(cell: str) -> bool:
    """True for all that Python reads as a float, nan included, and for what begins like a number, such as 1,5."""
    return re.match(r"[-+]?([.,]?\d|(nan|inf|infinity)$)", cell, re.IGNORECASE) is not None


def _unquoted(name: str) -> str:
    """A name without the single quotes around it."""
    return name[1:-1] if len(name) > 2 and name[0] == name[-1] == "'" else name
