"""Whatever is wrong with a text or a table is said in one line that names the file and the first bad cell."""

from __future__ import annotations

import gzip
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from refimpl.datasets import File
from tests.refimpl.datasets.files import V, X, Y, message

TEXTS = {
    "empty": ("", "d.csv: given an empty file"),
    "empty but for a byte order mark": ("\ufeff", "d.csv: given an empty file"),
    "blank": (" \n\n", "d.csv: given an empty file"),
    "header only": ("a,b\n", "d.csv: given names and no row"),
    "one column": ("1\n2\n", "d.csv, line 1: given one column, '1'"),
    "one column with a name": ("\nx\n2\n", "d.csv, line 2: given one column, 'x'"),
    "no number": ("a,b\n1,2\n3,oops\n", "d.csv, line 3, column 2 ('b'): given 'oops'"),
    "no number, no header": ("1,2\noops,4\n", "d.csv, line 2, column 1: given 'oops'"),
    "first of several": ("a,b,c\n1,2,3\n4,no,x\nx,5,6\n", "d.csv, line 3, column 2 ('b'): given 'no'"),
    "number and names mixed in line 1": (
        "a,b,2020\n1,2,3\n",
        "d.csv, line 1, column 1: given 'a'; allowed: a finite number, with a decimal point; "
        + 'correct the cell, or remove the row, or set header to "yes" if this line holds names',
    ),
    "nan": ("a,b\n1,nan\n", "d.csv, line 2, column 2 ('b'): given 'nan'"),
    "nan in line 1": ("NaN,NaN\n1,2\n", "d.csv, line 1, column 1: given 'NaN'"),
    "inf": ("a,b\n1,2\n-inf,2\n", "d.csv, line 3, column 1 ('a'): given '-inf'"),
    "Infinity in line 1": ("Infinity,-Infinity\n", "d.csv, line 1, column 1: given 'Infinity'"),
    "larger than float64": ("a,b\n1e999,2\n", "d.csv, line 2, column 1 ('a'): given '1e999'"),
    "empty cell": ("a,b\n1,\n", "d.csv, line 2, column 2 ('b'): given an empty cell"),
    "row of empty cells": ("1,2\n,\n", "d.csv, line 2, column 1: given an empty cell"),
    "empty cells first": (",\n1,2\n", "d.csv, line 1, column 1: given an empty cell"),
    "blank lines are counted": ("a,b\n\n\n1,x\n", "d.csv, line 4, column 2 ('b'): given 'x'"),
    "carriage returns are counted": ("a,b\r1,2\r1,x\r", "d.csv, line 3, column 2 ('b'): given 'x'"),
    "lines in quotes are counted": ('"a\nb",c\n1,2\n1,x\n', "d.csv, line 4, column 2 ('c'): given 'x'"),
    "line break in a name": ('"a\nb",c\nx,2\n', r"d.csv, line 3, column 1 ('a\nb'): given 'x'"),
    "decimal comma": ("a;b\n1,5;2,5\n", "d.csv, line 2, column 1 ('a'): given '1,5'"),
    "decimal comma in line 1": ("1,5;2,5\n1;2\n", "d.csv, line 1, column 1: given '1,5'"),
    "digits in groups": ("a,b\n1_000,2\n", "d.csv, line 2, column 1 ('a'): given '1_000'"),
    "null byte": ("a,b\n1,2\0\n", r"d.csv, line 2, column 2 ('b'): given '2\x00'"),
    "row too long": ("a,b\n1,2,3\n", "d.csv, line 2: given a row of 3; allowed: 2 cells, as in line 1"),
    "row too short": ("1,2,3\n\n1,2\n", "d.csv, line 3: given a row of 2; allowed: 3 cells, as in line 1"),
    "bad cell before a ragged row": ("1,2\n1,x\n1\n", "d.csv, line 2, column 2: given 'x'"),
    "ragged row before a bad cell": ("1,2\n1\n1,x\n", "d.csv, line 2: given a row of 1"),
    "quote never closed": ('1,2\n3,"4\n5,6\n', "d.csv, line 2: given a row that cannot be split into cells"),
    "text after a quote": ('1,2\n"3"x,4\n', "d.csv, line 2: given a row that cannot be split into cells"),
    "text after a quote, with tabs": (
        '1\t"3"x\n',
        "d.csv, line 1: given a row that cannot be split into cells ('tab' ",
    ),
    "endless cell": ("1,2\n" + "9" * 200_000 + ",1\n", "d.csv, line 2: given a row that cannot be split into cells"),
    "long cell": ("1,2\n" + "a" * 1000 + ",1\n", "d.csv, line 2, column 1: given 'aaaaaaaaaaaa...aaaaaaaaaaaaa'"),
    "column without a name": (",a,b\n0,1,2\n", "d.csv: given what seems to number the rows in column 1; "),
    "name twice": ("a,b,a\n0,1,2\n", "d.csv, line 1, column 3: given the name 'a' a second time"),
    "missing values in line 1": ("NA,NA\n1,2\n", "d.csv, line 1, column 2: given the name 'NA' a second time"),
}


@pytest.mark.parametrize(("text", "said"), TEXTS.values(), ids=TEXTS.keys())
def test_the_first_bad_cell_of_a_text_is_named_with_line_and_column(tmp_path: Path, text: str, said: str) -> None:
    path = tmp_path / "d.csv"
    path.write_bytes(text.encode())
    assert message(path).startswith(said)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"a,b\n1,2\n\xff,3\n", "d.csv, line 3: given the byte 0xff, which is not UTF-8"),
        (b"\xef\xbb\xbf\n\xff,3\n", "d.csv, line 2: given the byte 0xff"),
        (b"\xe9,b\r1,2\r", "d.csv, line 1: given the byte 0xe9"),
        (b"a,b\r1,\xe9\r", "d.csv, line 2: given the byte 0xe9"),
        ("a,b\n1,2\n".encode("utf-16"), "d.csv, line 1: given the byte 0xff"),
    ],
)
def test_text_that_is_not_utf8_is_named_with_its_line(tmp_path: Path, content: bytes, said: str) -> None:
    path = tmp_path / "d.csv"
    path.write_bytes(content)
    assert message(path).startswith(said)


@pytest.mark.parametrize(
    ("text", "target", "said"),
    [
        ("x1,x2,Price\n1,2,3\n", "price", "did you mean 'Price'?"),
        ("x1,x2,Price\n1,2,3\n", "Prize", "target 'Prize'; allowed: 'x1', 'x2', 'Price'; did you mean 'Price'?"),
        ("x1,x2,y\n1,2,3\n", "temperature", "allowed: 'x1', 'x2', 'y'; choose one of them"),
        (",".join(f"x{i}" for i in range(20)) + "\n" + "1," * 19 + "1\n", "q", "'x7' and 12 more; choose"),
        ("1,2,3\n", "y", "target 'y' where the first line has numbers"),
        ("x1,x2,y\n1,2,3\n", 4, "given target 4; allowed: a column from 1 to 3"),
        ("1,2\n", 3, "given target 3; allowed: a column from 1 to 2"),
        ("last,y\n1,2\n", "last", 'given target "last", which another column is named'),
    ],
)
def test_an_unknown_target_is_answered_with_the_columns_that_exist(
    tmp_path: Path, text: str, target: str | int, said: str
) -> None:
    path = tmp_path / "d.csv"
    path.write_text(text)
    assert said in message(path, target=target)


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("missing.csv", "missing.csv: given a path where no file is"),
        ("missing.npz", "missing.npz: given a path where no file is"),
        ("folder.csv", "folder.csv: given a directory"),
        ("folder", "folder: given a directory"),
        ("data.xlsx", "data.xlsx: given the suffix '.xlsx'; allowed: .csv, .tsv, .txt, "),
        ("data", "data: given the suffix ''"),
        ("x" * 5000 + ".csv", "x" * 5000 + ".csv: given a path that cannot be read (OSError: File name too long)"),
        ("nul\0.csv", r"nul\x00.csv': given a path that cannot be read (ValueError: embedded null byte)"),
        ("loop.csv", "loop.csv: given a path that cannot be read (OSError"),
    ],
    ids=lambda value: value[:20].replace("\0", "0"),
)
def test_a_path_that_cannot_be_read_is_named(tmp_path: Path, name: str, said: str) -> None:
    for folder in ("folder.csv", "folder"):
        (tmp_path / folder).mkdir()
    (tmp_path / "data.xlsx").touch()
    (tmp_path / "loop.csv").symlink_to(tmp_path / "loop.csv")
    assert said in message(f"{tmp_path}{os.sep}{name}")


def test_a_file_that_may_not_be_read_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(path: Path) -> bytes:
        raise PermissionError(13, "Permission denied", str(path))

    (tmp_path / "d.csv").write_text("1,2\n")
    monkeypatch.setattr(Path, "read_bytes", refuse)  # root may read everything, so the refusal is played
    assert message(tmp_path / "d.csv").startswith("d.csv: given a file without permission to read it")


@pytest.mark.parametrize("content", [b"1,2\n" * 60, gzip.compress(b"1,2\n" * 1000)], ids=["plain", "gzip"])
def test_a_file_of_more_than_half_the_memory_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: bytes
) -> None:
    monkeypatch.setattr("refimpl.datasets.source.memory", lambda: 200)
    (tmp_path / "d.csv").write_bytes(content)
    assert "half of this machine's memory; give fewer rows or columns" in message(tmp_path / "d.csv")


@pytest.mark.parametrize(
    ("text", "said", "advice"),
    [
        (
            ",state,a,Unnamed: 3,y\n0,Ohio,1,0,2\n1,Utah,3,1,4\n",
            "text in column 2 ('state') and what seems to number the rows in columns 1, 4 ('Unnamed: 3')",
            {"ignore": (1, "state", "Unnamed: 3")},
        ),
        ("u,1,2\nv,3,4\n", "line 1: given words and numbers, as 'u'", {"header": "no", "ignore": (1,)}),
        ("country,1960,1961\nu,1,2\nv,3,4\n", "line 1: given words", {"header": "yes", "ignore": ("country",)}),
        ("3,2,u,v\n1,2\n3,4\n", "line 1: given words and numbers, as 'u', above rows of 2 cells", {"skip": 1}),
        ("a,b\n1,2,3\n4,5,6\n", "line 2: given a row of 3", {"skip": 1}),
        ("a,b,y\n1,,2\n3,,4\n", "line 2, column 2 ('b'): given an empty cell", {"missing": "drop", "ignore": ("b",)}),
    ],
)
@pytest.mark.every_case
def test_what_keeps_a_table_from_loading_is_said_with_the_option_that_loads_it(
    tmp_path: Path, text: str, said: str, advice: dict[str, Any]
) -> None:
    path = tmp_path / "d.csv"
    path.write_text(text)
    assert said in message(path)
    options: dict[str, Any] = {}
    for name, value in advice.items():
        toml = str(list(value)).replace("'", '"') if name == "ignore" else str(value)
        line = message(path, **options)
        assert name in line and toml in line
        options[name] = value
    assert File(path=str(path), **options).make(np.random.default_rng(0)).X.shape[1] == 2


@pytest.mark.parametrize(
    ("target", "options", "said"),
    [
        ("z", {"ignore": ("q",)}, "given ignore 'q'; allowed: 'a', 'b', 'y'"),
        ("y", {"features": ("y",)}, "given the column 3 ('y') as target and in features or ignore"),
        ("y", {"features": ("a", 1)}, "or a feature twice"),
        ("y", {"ignore": (1, 2)}, "given no column but the target, 3 ('y')"),
        ("last", {"ignore": (4,)}, "given ignore 4; allowed: a column from 1 to 3"),
    ],
)
def test_columns_that_do_not_fit_are_named(tmp_path: Path, target: str, options: dict[str, Any], said: str) -> None:
    path = tmp_path / "d.csv"
    path.write_text("a,b,y\n1,2,3\n4,5,6\n")
    assert said in message(path, target=target, **options)


@pytest.mark.parametrize(
    ("train", "validation", "said"),
    [
        ("a,b\n1,2\n", "a,b\n1,x\n", "v.csv, line 2, column 2 ('b'): given 'x'"),
        ("a,b\n1,2\n", "a,b,c\n1,2,3\n", "v.csv: given X of shape (1, 2); allowed: (n, 1), as many features"),
        ("a,b,y\n1,2,3\n", "b,a,y\n2,1,3\n", "v.csv: given the column 'b' where the training file has 'a'"),
        ("a,b,y\n1,2,3\n", "a,b,z\n1,2,3\n", "v.csv: given the column 'z' where the training file has 'y'"),
    ],
)
def test_a_validation_file_with_other_columns_is_named(tmp_path: Path, train: str, validation: str, said: str) -> None:
    (tmp_path / "t.csv").write_text(train)
    (tmp_path / "v.csv").write_text(validation)
    assert message(tmp_path / "t.csv", validation_path=str(tmp_path / "v.csv")).startswith(said)


def test_two_sources_of_validation_rows_are_refused(tmp_path: Path) -> None:
    np.savez(tmp_path / "d.npz", X=X, y=Y, **V)
    np.savez(tmp_path / "plain.npz", X=X, y=Y)
    d, plain = str(tmp_path / "d.npz"), str(tmp_path / "plain.npz")
    assert message(d, validation_fraction=0.5).startswith("d.npz: given X_validation in the file, and")
    assert message(d, validation_path=plain).startswith("d.npz: given X_validation in the file, and")
    assert message(plain, validation_path=d).startswith("d.npz: given a validation file with X_validation")
