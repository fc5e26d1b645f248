"""Rows of cells from text, and which separator stands between the cells.

A separator is a tab, a semicolon, a bar, a comma or white space. It is the first of these that splits most of the later
lines of a sample into the same number of cells, two at least: earlier lines may be text above the table.
"""

from __future__ import annotations

import codecs
import csv
import io
import re
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from itertools import islice

from refimpl.errors import DataError

SAMPLE = 2**16
"""Characters of a sample from which the separator is found."""
FEWEST = 4
"""Lines of a sample at least, however long they are."""
SPACE = " "
SEPARATORS = ("\t", ";", "|", ",", SPACE)

Record = tuple[int, list[str]]
"""The number of a row's first line, counted from 1, and its cells, stripped."""


def lines(where: str, content: bytes, skip: int) -> Iterator[str]:
    """The lines of a file after the first ``skip``, their ends as they are. Raises :class:`DataError` unless UTF-8."""
    text = io.TextIOWrapper(io.BytesIO(content), encoding="utf-8-sig", newline="")
    try:
        yield from islice(text, skip, None)
    except UnicodeDecodeError:
        raise _no_text(where, content) from None


def _no_text(where: str, content: bytes) -> DataError:
    content, start = content.removeprefix(codecs.BOM_UTF8), 0
    try:
        content.decode("utf-8")
    except UnicodeDecodeError as error:
        start = error.start
    return DataError(
        f"{where}, line {len((content[:start] + b'.').splitlines())}",
        given=f"the byte 0x{content[start]:02x}, which is not UTF-8",
        allowed="UTF-8 text",
        remedy="save the file as UTF-8",
    )


def records(where: str, text: Iterator[str], separator: str, skip: int = 0) -> Iterator[Record]:
    """Each row that has any content. Raises :class:`DataError` for one that cannot be split."""
    if separator == SPACE:
        text = (line.replace("\t", " ").strip() for line in text)
    # strict: otherwise a stray quote swallows the rest of the file as one cell
    reader = csv.reader(text, delimiter=separator, skipinitialspace=True, strict=True)
    while True:
        line = reader.line_num + 1 + skip
        try:
            record = next(reader, None)
        except csv.Error as error:
            reason = str(error).replace("\t", "tab")  # it names the separator
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


def separated(content: bytes, skip: int, decimal: str) -> tuple[str, int, list[Record]]:
    """The separator, the number of cells in a row of the table, 0 where no separator fits, and the rows of a sample."""
    text = _sample(content, skip)
    order = SEPARATORS if decimal == "." else (*(mark for mark in SEPARATORS if mark != ","), ",")
    for separator in order:
        rows = _rows(text, separator, skip)
        later = rows[len(rows) // 2 :]
        (width, count), *_ = Counter(len(cells) for _, cells in later).most_common(1) or [(0, 0)]
        if width > 1 and 2 * count > len(later):
            return separator, width, rows
    first = re.match(r'[\r\n ]*((?:"[^"]*"|[^"\r\n]+)*)', text)  # a quoted name may hold a line break or a semicolon
    outside_quotes = re.sub(r'"[^"]*"', "", first[1]) if first else ""
    return next((mark for mark in SEPARATORS[:3] if mark in outside_quotes), ","), 0, []


def _sample(content: bytes, skip: int) -> str:
    """Some whole lines of a file, up to the first that cannot be read: that one is named where all is read."""
    some: list[str] = []
    size = 0
    with suppress(DataError):
        for line in lines("", content, skip):
            some.append(line)
            size += len(line)
            if size > SAMPLE and len(some) >= FEWEST:
                break
    return "".join(some)


def _rows(text: str, separator: str, skip: int) -> list[Record]:
    """The rows of a sample up to the first that cannot be split."""
    rows: list[Record] = []
    with suppress(DataError):
        rows.extend(records("", io.StringIO(text, newline=""), separator, skip))
    return rows
