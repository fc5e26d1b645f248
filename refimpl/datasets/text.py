"""A table of numbers as text: separated by commas, semicolons or tabs, with or without a line of names.

UTF-8 with or without byte order mark, one row per line, numbers with a decimal point. Where the first line has a tab,
tabs separate; else where it has a semicolon, semicolons; else commas. Lines without any content are skipped.
"""

from __future__ import annotations

import codecs
import csv
import difflib
import io
import math
import re
import reprlib
from collections.abc import Iterator

import numpy as np

from refimpl.datasets.dataset import Dataset
from refimpl.errors import DataError

Names = tuple[str, ...]


def read_text(where: str, content: bytes, target: str | int, header: str) -> tuple[Dataset, Names | None]:
    """The data, and the names of the columns, target last, where the file has any.

    ``where``: the file as messages call it; ``target`` and ``header`` as in :class:`~refimpl.datasets.files.File`.
    Raises :class:`DataError` with the line, counted from 1, and the column of the first bad cell.
    """
    records = _records(where, _decoded(where, content))
    line, cells = next(records, (1, []))
    if len(cells) < 2:
        raise DataError(
            f"{where}, line {line}" if cells else where,
            given=f"one column, {reprlib.repr(cells[0])}" if cells else "an empty file",
            allowed="at least one feature and the target",
            remedy="separate the columns by commas, semicolons or tabs" if cells else "check that it was written",
        )
    named = header == "yes" or (header == "auto" and any(cells) and not any(map(_looks_like_a_number, cells)))
    names = _names(where, line, cells) if named else None
    column = _target_column(where, target, names, len(cells))
    hint = ', or set header to "yes" if this line holds names' if header == "auto" else ""
    rows = [] if named else [_row(where, line, cells, None, hint)]
    for number, record in records:
        if len(record) != len(cells):
            raise DataError(
                f"{where}, line {number}",
                given=f"a row of {len(record)}",
                allowed=f"{len(cells)} cells, as in line {line}",
                remedy="give every row the same columns",
            )
        rows.append(_row(where, number, record, names))
    if not rows:
        raise DataError(
            where, given="names and no row", allowed="at least one row of numbers", remedy="add rows below the names"
        )
    table = np.array(rows, dtype=np.float64)
    data = Dataset(X=np.delete(table, column, axis=1)[None], y=table[None, :, column, None])
    return data, names and (*names[:column], *names[column + 1 :], names[column])


def _decoded(where: str, content: bytes) -> str:
    content = content.removeprefix(codecs.BOM_UTF8)
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError as error:
        line = len((content[: error.start] + b".").splitlines())
        raise DataError(
            f"{where}, line {line}",
            given=f"the byte 0x{content[error.start]:02x}, which is not UTF-8",
            allowed="UTF-8 text",
            remedy="save the file as UTF-8",
        ) from None


def _records(where: str, text: str) -> Iterator[tuple[int, list[str]]]:
    """Line number and stripped cells of each row that has any content."""
    first = re.match(r'[\r\n ]*((?:"[^"]*"|[^"\r\n]+)*)', text)  # a quoted name may hold a line break or a semicolon
    outside_quotes = re.sub(r'"[^"]*"', "", first[1]) if first else ""
    delimiter = next((mark for mark in "\t;" if mark in outside_quotes), ",")
    # strict: otherwise a stray quote swallows the rest of the file as one cell
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, skipinitialspace=True, strict=True)
    while True:
        line = reader.line_num + 1
        try:
            record = next(reader, None)
        except csv.Error as error:
            reason = str(error).replace("\t", "tab")  # it names the delimiter
            raise DataError(
                f"{where}, line {line}",
                given=f"a row that cannot be split into cells ({reason})",
                allowed="cells with quotes around them or without any",
                remedy="correct the quotes",
            ) from None
        if record is None:
            return
        cells = [cell.strip() for cell in record]
        if cells not in ([], [""]):
            yield line, cells


def _names(where: str, line: int, cells: list[str]) -> Names:
    for i, name in enumerate(cells):
        if not name or name in cells[:i]:
            raise DataError(
                f"{where}, line {line}, column {i + 1}",
                given=f"the name {reprlib.repr(name)} a second time" if name else "a column without a name",
                allowed="a name of its own for each column",
                remedy="rename it" if name else "name it, or leave it out if it only numbers the rows",
            )
    return tuple(cells)


def _target_column(where: str, target: str | int, names: Names | None, columns: int) -> int:
    """Index of the target, counted from 0."""
    by_number = "give the number of the column, counted from 1"
    if not isinstance(target, str):
        if target <= columns:
            return target - 1
        given, allowed, remedy = f"target {target}", f"a column from 1 to {columns}", "choose one of the columns"
    elif target == "last":
        if "last" not in (names or ())[:-1]:
            return columns - 1
        given, allowed, remedy = 'target "last", which another column is named', "a target without doubt", by_number
    elif names is None:
        given, allowed = f"target {reprlib.repr(target)} where the first line has numbers", "a column number"
        remedy = f'{by_number}, or set header to "yes" if the first line holds names'
    elif target in names:
        return names.index(target)
    else:
        lowered = [name.lower() for name in names]
        near = [names[lowered.index(name)] for name in difflib.get_close_matches(target.lower(), lowered, n=1)]
        given, remedy = f"target {reprlib.repr(target)}", f"did you mean {near[0]!r}?" if near else "choose one of them"
        allowed = ", ".join(map(reprlib.repr, names[:8])) + (f" and {columns - 8} more" if columns > 8 else "")
    raise DataError(where, given=given, allowed=allowed, remedy=remedy)


def _number(cell: str) -> float:
    """nan where the cell holds no number."""
    try:
        return math.nan if "_" in cell else float(cell)  # Python reads 1_000 as a number, a spreadsheet does not
    except ValueError:
        return math.nan


def _looks_like_a_number(cell: str) -> bool:
    """True for all that Python reads as a float, nan included, and for what begins like a number, such as 1,5."""
    return re.match(r"[-+]?([.,]?\d|(nan|inf|infinity)$)", cell, re.IGNORECASE) is not None


def _row(where: str, line: int, cells: list[str], names: Names | None, hint: str = "") -> list[float]:
    numbers = [_number(cell) for cell in cells]
    bad = next((i for i, number in enumerate(numbers) if not math.isfinite(number)), None)
    if bad is not None:
        name = f" ({reprlib.repr(names[bad])})" if names else ""
        raise DataError(
            f"{where}, line {line}, column {bad + 1}{name}",
            given=reprlib.repr(cells[bad]) if cells[bad] else "an empty cell",
            allowed="a finite number, with a decimal point",
            remedy=f"correct the cell, or remove the row{hint}",
        )
    return numbers
