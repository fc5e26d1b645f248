"""Tables of Arrow load as the same numbers in text do, and without pyarrow they say what to install."""

from __future__ import annotations

import sys
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from refimpl.datasets import File
from refimpl.errors import DataError

SUFFIXES = ("parquet", "arrow", "feather")


def load(path: Path, **options: Any) -> Any:
    return File(path=str(path), **options).make(np.random.default_rng(0))


def written(path: Path, **columns: Any) -> Path:
    pyarrow = pytest.importorskip("pyarrow")
    table = pyarrow.table(columns)
    if path.suffix == ".arrow":
        with import_module("pyarrow.ipc").new_stream(str(path), table.schema) as stream:
            stream.write_table(table)
    elif path.suffix == ".feather":
        import_module("pyarrow.feather").write_feather(table, str(path))
    else:
        import_module("pyarrow.parquet").write_table(table, str(path))
    return path


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_table_of_arrow_gives_its_numbers(tmp_path: Path, suffix: str) -> None:
    columns = {"a": [1, 2, 3], "name": ["u", "v", "w"], "b": [True, False, True], "y": [0.1, None, 0.3]}
    path = written(tmp_path / f"d.{suffix}", **columns)
    with pytest.raises(DataError, match=r"given text in column 2 \('name'\); .* ignore = \[\"name\"\]$"):
        load(path)
    with pytest.raises(DataError, match=r"row 2, column 4 \('y'\): given a missing cell; .* missing = \"drop\""):
        load(path, ignore=("name",))
    data = load(path, ignore=("name",), missing="drop")
    assert data.X.tolist() == [[[1, 1], [3, 1]]] and data.y.tolist() == [[[0.1], [0.3]]]
    assert data.X.flags.c_contiguous


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_damaged_table_of_arrow_is_named(tmp_path: Path, suffix: str) -> None:
    path = written(tmp_path / f"d.{suffix}", a=[1.0], y=[2.0])
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(DataError, match="given content that pyarrow cannot read") as caught:
        load(path)
    assert str(caught.value).isprintable()


def test_without_pyarrow_it_is_said_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "d.parquet").write_bytes(b"PAR1")
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(DataError, match=r"which needs pyarrow; .* pip install 'step-parity\[data\]', or save"):
        load(tmp_path / "d.parquet")
