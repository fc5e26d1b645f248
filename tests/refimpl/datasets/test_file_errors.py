"""Whatever is wrong with a file is said in one line that names the file and the first bad cell."""

from __future__ import annotations

import gzip
import io
import os
import pickle
import zipfile
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from refimpl.datasets import Dataset, File
from refimpl.errors import DataError


def message(path: Path | str, **options: Any) -> str:
    """The error, without the folder of the file."""
    with pytest.raises(DataError) as caught:
        File(path=str(path), **options).make(np.random.default_rng(0))
    said = str(caught.value)
    assert said.isprintable(), "one line"
    assert caught.value.what.strip("'").startswith(str(Path(path).parent))
    assert all((caught.value.given, caught.value.allowed, caught.value.remedy))
    assert caught.value.__cause__ is None and (caught.value.__suppress_context__ or caught.value.__context__ is None)
    return said.replace(str(Path(path).parent) + os.sep, "")


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


X, Y = np.arange(6.0).reshape(3, 2), np.arange(3.0)
V: dict[str, Any] = {"X_validation": X, "y_validation": Y}


def spoiled(values: npt.NDArray[np.float64], index: Any, value: float) -> npt.NDArray[np.float64]:
    copy = values.copy()
    copy[index] = value
    return copy


ARCHIVES: dict[str, tuple[dict[str, Any], str]] = {
    "no arrays": ({}, "d.npz: given no arrays"),
    "X alone": ({"X": X}, "d.npz: given the arrays 'X'; allowed: X and y"),
    "y alone": ({"y": Y}, "d.npz: given the arrays 'y'"),
    "other names": ({"x": X, "targets": Y}, "d.npz: given the arrays 'x', 'targets'"),
    "one more": ({"X": X, "y": Y, "X_val": X}, "d.npz: given the arrays 'X', 'y', 'X_val'"),
    "half a validation": ({"X": X, "y": Y, "X_validation": X}, "d.npz: given the arrays 'X', 'y', 'X_validation'"),
    "nan": ({"X": spoiled(X, (1, 0), np.nan), "y": Y}, "d.npz, X[1, 0] (counted from 0): given nan"),
    "first of several": (
        {"X": spoiled(X, np.s_[1:, 1], -np.inf), "y": Y * np.nan},
        "d.npz, X[1, 1] (counted from 0): ",
    ),
    "inf in flat y": ({"X": X, "y": spoiled(Y, 2, np.inf)}, "d.npz, y[2] (counted from 0): given inf"),
    "inf in y": ({"X": X, "y": spoiled(Y[:, None], (2, 0), np.inf)}, "d.npz, y[2, 0] (counted from 0): given inf"),
    "nan in validation": ({"X": X, "y": Y, **V, "y_validation": Y / [1, 1, np.nan]}, "d.npz, y_validation[2] (counted"),
    "flat X": ({"X": Y, "y": Y}, "d.npz, array X: given shape (3,); allowed: (n, p)"),
    "X with three axes": ({"X": X[None], "y": Y}, "d.npz, array X: given shape (1, 3, 2)"),
    "no rows": ({"X": X[:0], "y": Y[:0]}, "d.npz, array X: given shape (0, 2)"),
    "no features": ({"X": X[:, :0], "y": Y}, "d.npz, array X: given shape (3, 0)"),
    "y too short": ({"X": X, "y": Y[:2]}, "d.npz, array y: given shape (2,); allowed: (3,) or (3, 1)"),
    "y with two columns": ({"X": X, "y": X}, "d.npz, array y: given shape (3, 2)"),
    "y a row": ({"X": X, "y": Y[None]}, "d.npz, array y: given shape (1, 3)"),
    "y a number": ({"X": X, "y": np.float64(1)}, "d.npz, array y: given shape ()"),
    "other features": (
        {"X": X, "y": Y, "X_validation": X[:, :1], "y_validation": Y},
        "d.npz, array X_validation: given shape (3, 1); allowed: (n, 2)",
    ),
    "objects": (
        {"X": X, "y": np.array([1, None, 3])},
        "d.npz, array y: given content that numpy cannot read (ValueError",
    ),
    "strings": ({"X": X.astype(str), "y": Y}, "d.npz, array X: given dtype <U32"),
    "complex": ({"X": X, "y": Y + 1j}, "d.npz, array y: given dtype complex128"),
    "dates": ({"X": X, "y": Y.astype("M8[D]")}, "d.npz, array y: given dtype datetime64[D]"),
    "records": ({"X": X, "y": np.zeros(3, dtype="f8,f8")}, "d.npz, array y: given dtype [('f0'"),
}


@pytest.mark.parametrize(("arrays", "said"), ARCHIVES.values(), ids=ARCHIVES.keys())
def test_the_first_bad_element_of_an_npz_is_named_with_its_index(
    tmp_path: Path, arrays: dict[str, Any], said: str
) -> None:
    path = tmp_path / "d.npz"
    np.savez(path, **arrays)
    assert message(path).startswith(said)


@pytest.mark.skipif(np.finfo(np.longdouble).maxexp == 1024, reason="long double is float64 on this platform")
def test_a_long_double_beyond_float64_is_named_without_a_warning(tmp_path: Path) -> None:
    np.savez(tmp_path / "d.npz", X=X, y=np.array([1, 2, np.longdouble("1e400")]))
    assert message(tmp_path / "d.npz").startswith("d.npz, y[2] (counted from 0): given 1e+400")


def npy(array: npt.NDArray[Any]) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, array)
    return buffer.getvalue()


def npz(**arrays: Any) -> bytes:
    buffer = io.BytesIO()
    np.savez(buffer, **arrays)
    return buffer.getvalue()


def archive(**members: bytes) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as file:
        for name, content in members.items():
            file.writestr(name, content)
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "d.npz: given an empty file"),
        (b"a,b\n1,2\n", "d.npz: given content of another format"),
        (pickle.dumps({"X": 1}), "d.npz: given content of another format"),
        (npy(X), "d.npz: given content of another format"),
        (b"PK\x03\x04 and no more", "d.npz: given content that numpy cannot read (BadZipFile"),
        (npz(X=X, y=Y)[:-40], "d.npz: given content that numpy cannot read (BadZipFile"),
        (archive(X=b"text", y=b"text"), "d.npz, array X: given no array"),
        (archive(**{"X.npy": npy(X), "y.npy": npy(Y)[:-1]}), "d.npz, array y: given content that numpy cannot read"),
        (archive(**{"X.npy": b"\x93NUMPY", "y.npy": npy(Y)}), "d.npz, array X: given content that numpy cannot read"),
        (npz(X=X, y=-Y).replace((-Y).tobytes(), Y.tobytes()), "d.npz, array y: given content that numpy cannot read"),
    ],
)
def test_a_file_that_is_no_npz_or_a_broken_one_is_named(tmp_path: Path, content: bytes, said: str) -> None:
    path = tmp_path / "d.npz"
    path.write_bytes(content)
    assert message(path).startswith(said)


def test_nothing_is_ever_unpickled(tmp_path: Path) -> None:
    class Trap:
        def __reduce__(self) -> Any:
            return (Path.touch, (tmp_path / "sprung",))

    np.savez(tmp_path / "member.npz", X=np.array([[Trap()]], dtype=object), y=np.ones(1))
    (tmp_path / "whole.npz").write_bytes(pickle.dumps(Trap()))
    for name in ("member.npz", "whole.npz"):
        message(tmp_path / name)
    assert not (tmp_path / "sprung").exists()


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


def loads_or_names_the_file(name: str, content: bytes) -> None:
    with TemporaryDirectory() as folder:
        path = Path(folder, name)
        path.write_bytes(content)
        try:
            data = File(path=str(path)).make(np.random.default_rng(0))
        except DataError as error:
            assert str(error).startswith(str(path)) and str(error).isprintable()
        else:
            assert isinstance(data, Dataset)


@given(st.one_of(st.binary(), st.text('019.,;\t\n\r"-+e_ ax\ufeff').map(str.encode)))
def test_any_bytes_as_text_load_or_name_the_file(content: bytes) -> None:
    loads_or_names_the_file("d.csv", content)


@given(st.data())
def test_any_damage_to_an_npz_loads_or_names_the_file(data: st.DataObject) -> None:
    content = bytearray(npz(X=X, y=Y))
    for _ in range(data.draw(st.integers(1, 4))):
        place = data.draw(st.integers(0, len(content) - 1))
        content[place] = data.draw(st.integers(0, 255))
    loads_or_names_the_file("d.npz", bytes(content[: data.draw(st.integers(0, len(content)))]))
    loads_or_names_the_file("d.npz", bytes(content))


@given(st.integers(0, 127), st.integers(0, 255))
def test_any_damage_to_the_header_of_a_member_loads_or_names_the_file(place: int, value: int) -> None:
    member = bytearray(npy(X))
    member[place] = value
    loads_or_names_the_file("d.npz", archive(**{"X.npy": bytes(member), "y.npy": npy(Y)}))
