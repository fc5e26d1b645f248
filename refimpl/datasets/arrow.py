"""Tables of Apache Arrow, read by pyarrow where it is installed: Parquet, and Arrow's own file and stream formats.

Numbers and booleans become float64; a null is a missing cell. Every other column is one of text.
"""

from __future__ import annotations

import reprlib
from importlib import import_module
from typing import Any

import numpy as np

from refimpl.datasets.columns import Choice, Names, check_names, chosen
from refimpl.datasets.dataset import Dataset, first_not_finite
from refimpl.errors import DataError

PARQUET = b"PAR1"
"""The first bytes of a Parquet file."""


def read_arrow(where: str, content: bytes, choice: Choice, missing: str) -> tuple[Dataset, Names | None]:
    """The data and the names of its columns, target last; ``where``: the file as messages call it.

    Raises :class:`DataError` with the row, counted from 1, and the column of the first bad cell.
    """
    table, text = _table(where, content)
    names = tuple(map(str, table.column_names))
    columns = chosen(where, choice, names, len(names), text)
    check_names(where, names, columns.used)
    numbers = np.zeros((table.num_rows, len(names)))
    for i in columns.used:
        numbers[:, i] = table.column(i).cast("float64", safe=False).to_numpy()  # a null becomes nan
    if missing == "drop":
        numbers = numbers[~np.isnan(numbers).any(axis=1)]
    if not len(numbers):
        given, remedy = "no row without a missing cell", "ignore the columns that are empty"
        raise DataError(where, given=given, allowed="at least one row of numbers", remedy=remedy)
    bad = first_not_finite(numbers)
    if bad is not None:
        row, i = bad
        raise DataError(
            f"{where}, row {row + 1}, column {i + 1} ({reprlib.repr(names[i])})",
            given=str(numbers[bad]) if np.isinf(numbers[bad]) else "a missing cell",
            allowed="a finite number",
            remedy='correct the cell, or set missing = "drop" to leave out rows with missing cells',
        )
    return columns.dataset(numbers), columns.names(names)


def _table(where: str, content: bytes) -> tuple[Any, list[int]]:
    """The table, and the indices of its columns that hold no numbers."""
    pyarrow: Any  # with and without it installed
    ipc: Any
    parquet: Any
    try:
        pyarrow, ipc, parquet = map(import_module, ("pyarrow", "pyarrow.ipc", "pyarrow.parquet"))
    except ImportError:
        raise DataError(
            where,
            given="a table of Arrow, which needs pyarrow",
            allowed="an installed pyarrow",
            remedy="pip install 'step-parity[data]', or save the table as .csv",
        ) from None
    buffer = pyarrow.py_buffer(content)
    try:
        if content.startswith(PARQUET):
            table = parquet.read_table(pyarrow.BufferReader(buffer))
        elif content.startswith(b"ARROW1"):
            table = ipc.open_file(buffer).read_all()
        else:
            table = ipc.open_stream(buffer).read_all()
    except (pyarrow.ArrowException, OSError) as error:  # ArrowInvalid is a ValueError, a damaged page an OSError
        raise DataError(
            where,
            given=f"content that pyarrow cannot read ({str(error).splitlines()[0]!r})",
            allowed="a Parquet or Arrow file",
            remedy="write it again",
        ) from None
    kinds = pyarrow.types
    numeric = (kinds.is_integer, kinds.is_floating, kinds.is_boolean, kinds.is_decimal, kinds.is_null)
    return table, [i for i, field in enumerate(table.schema) if not any(is_kind(field.type) for is_kind in numeric)]
