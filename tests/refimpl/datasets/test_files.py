"""What is written to a file comes back bit for bit, whatever the format allows to vary."""

from __future__ import annotations

import gzip
import os
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from refimpl.datasets import Dataset, File
from refimpl.errors import DataError, ParameterError

Table = npt.NDArray[np.float64]
TABLES = hnp.arrays(
    np.float64,
    hnp.array_shapes(min_dims=2, max_dims=2, min_side=2, max_side=6),
    elements=st.floats(allow_nan=False, allow_infinity=False),
)
NAMES = st.lists(
    st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1)
    .map(lambda name: "c" + name.strip() + "c")  # stripped, and not like a number
    .filter(lambda name: "last" not in name),
    min_size=6,
    max_size=6,
    unique=True,
)


def load(path: Path | str, seed: int = 0, **options: Any) -> Any:
    return File(path=str(path), **options).make(np.random.default_rng(seed))


def write(path: Path, text: str, encoding: str = "utf-8") -> Path:
    path.write_bytes(text.encode(encoding))
    return path


def same_bits(data: Dataset, table: Table, target: int = -1) -> bool:
    X, y = np.delete(table, target, axis=1), table[:, [target]]
    shapes = data.X.shape == (1, *X.shape) and data.y.shape == (1, *y.shape)
    return shapes and data.X.tobytes() == X.tobytes() and data.y.tobytes() == y.tobytes()


def as_text(table: Table, delimiter: str = ",", newline: str = "\n", last: bool = True) -> str:
    lines = [delimiter.join(repr(float(cell)) for cell in row) for row in table]
    return newline.join(lines) + (newline if last else "")


@given(
    table=TABLES,
    delimiter=st.sampled_from([",", ";", "\t"]),
    newline=st.sampled_from(["\n", "\r\n", "\r"]),
    mark=st.sampled_from(["", "\ufeff"]),
    last=st.booleans(),
)
def test_any_finite_table_survives_text_without_header_bit_for_bit(
    table: Table, delimiter: str, newline: str, mark: str, last: bool
) -> None:
    with TemporaryDirectory() as folder:
        path = write(Path(folder, "data.csv"), mark + as_text(table, delimiter, newline, last))
        assert same_bits(load(path), table)
        assert same_bits(load(path, header="no"), table)


@settings(max_examples=50)  # of four readings each
@given(table=TABLES, names=NAMES, delimiter=st.sampled_from([",", ";", "\t"]), pick=st.integers(0, 5))
def test_any_finite_table_survives_text_with_any_names_and_any_target_bit_for_bit(
    table: Table, names: list[str], delimiter: str, pick: int
) -> None:
    names = names[: table.shape[1]]
    target = pick % len(names)
    quoted = delimiter.join('"' + name.replace('"', '""') + '"' for name in names)
    with TemporaryDirectory() as folder:
        path = write(Path(folder, "data.csv"), quoted + "\n" + as_text(table, delimiter))
        assert same_bits(load(path), table)
        assert same_bits(load(path, header="yes"), table)
        assert same_bits(load(path, target=names[target]), table, target)
        assert same_bits(load(path, target=target + 1), table, target)


@given(table=TABLES, flat=st.booleans(), order=st.sampled_from("CF"), compress=st.booleans())
def test_any_finite_table_survives_npz_bit_for_bit(table: Table, flat: bool, order: Any, compress: bool) -> None:
    X, y = np.asarray(table[:, :-1], order=order), table[:, -1] if flat else table[:, [-1]]
    with TemporaryDirectory() as folder:
        path = Path(folder, "data.npz")
        (np.savez_compressed if compress else np.savez)(path, X=X, y=y)
        assert same_bits(load(path), table)


@given(
    values=st.one_of(
        hnp.arrays(hnp.integer_dtypes(endianness="?", sizes=(8, 16, 32)), (3, 2)),
        hnp.arrays(np.bool_, (3, 2)),
        hnp.arrays(
            hnp.floating_dtypes(endianness="?", sizes=(16, 32, 64)),
            (3, 2),
            elements={"allow_nan": False, "allow_infinity": False},
        ),
    )
)
def test_every_real_dtype_of_npz_becomes_the_float64_of_the_same_value(values: npt.NDArray[Any]) -> None:
    with TemporaryDirectory() as folder:
        path = Path(folder, "data.npz")
        np.savez(path, X=values, y=values[:, 0])
        data = load(path)
    assert data.X.dtype == np.float64 and data.X.dtype.isnative
    assert data.X[0].tolist() == [[float(cell) for cell in row] for row in values]


def test_arrays_are_laid_out_in_rows_whatever_the_file_had(tmp_path: Path) -> None:
    np.savez(tmp_path / "data.npz", X=np.ones((4, 3), order="F"), y=np.ones(4))
    write(tmp_path / "data.csv", "1,2,3\n4,5,6\n7,8,9\n")
    halves = load(tmp_path / "data.csv", target=1, validation_fraction=0.5)
    for array in (load(tmp_path / "data.npz").X, halves.X, halves.X_validation):
        assert array.flags.c_contiguous


@pytest.mark.parametrize(
    "text",
    [
        "x,y\n1,2\n3,4",
        "x, y\r\n 1 , 2\r\n3,4\r\n\r\n",
        "\n  \nx,y\n\n1,2\n\n3,4\n",
        '"x","y"\n"1","2"\n3,4\n',
        "x;y\n1;2\n3;4\n",
        "x,1;y\n1;2\n3;4\n",
        '"a;b",y\n1,2\n3,4\n',
        "x\ty\n1\t2\n3\t4\n",
        "x,y\n+1,2.\n3e0,0.4E1\n",
        "größe,дом\n1,2\n3,4\n",
        "1 2\n3 4\n",
        " x   y \n  1\t2\n 3    4\n",
        "'x' \"y\"\n1 2\n3 4\n",
        "x|y\n1|2\n3|4\n",
        "A table; of two\n\nx,y\n1,2\n3,4\n",
        "# Made by hand, in 2020, twice\nx\ty\n1\t2\n3\t4\n",
        "Title\n1;2\n3;4\n",
    ],
)
@pytest.mark.parametrize("suffix", ["csv", "tsv", "CSV"])
def test_the_usual_ways_to_write_a_table_give_the_same_data(tmp_path: Path, text: str, suffix: str) -> None:
    assert same_bits(load(write(tmp_path / f"data.{suffix}", text)), np.array([[1.0, 2.0], [3.0, 4.0]]))


def test_names_that_are_numbers_need_header_yes(tmp_path: Path) -> None:
    path = write(tmp_path / "years.csv", "2020,2021\n1,2\n")
    assert same_bits(load(path), np.array([[2020.0, 2021.0], [1.0, 2.0]]))
    assert same_bits(load(path, header="yes", target="2020"), np.array([[1.0, 2.0]]), 0)


@pytest.mark.parametrize("name", ["data.csv.gz", "data.csv", "data.DAT.gz"])
def test_a_compressed_file_is_read_as_what_it_holds(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(gzip.compress(b"x,y\n1,2\n"))
    assert same_bits(load(tmp_path / name), np.array([[1.0, 2.0]]))


@pytest.mark.parametrize("text", ["x;y\n1,5;-2\n3;4,25e1\n", '"x","y"\n"1,5","-2"\n3,"4,25e1"\n', "1,5 -2\n3 4,25e1"])
def test_a_decimal_comma_is_read_when_it_is_asked_for(tmp_path: Path, text: str) -> None:
    path = write(tmp_path / "data.csv", text)
    assert same_bits(load(path, decimal=","), np.array([[1.5, -2.0], [3.0, 42.5]]))
    if text[-1] == "\n":
        with pytest.raises(DataError, match=r"given '1,5'; .* set decimal = \",\"$"):
            load(path)


def test_a_point_is_no_number_where_the_comma_is_the_decimal_mark(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"line 3, column 1 \('x'\): given '1\.500'; .* decimal comma; .* \"\.\"$"):
        load(write(tmp_path / "data.csv", "x;y\n1,5;2\n1.500;2\n"), decimal=",")


COLUMNS = "name,a,b,c,y\nu,1,2,3,4\nv,5,6,7,8\n"


@pytest.mark.parametrize(
    ("options", "X", "y"),
    [
        ({"ignore": ("name",)}, [[1, 2, 3], [5, 6, 7]], [4, 8]),
        ({"ignore": (1, "y", 3)}, [[1], [5]], [3, 7]),
        ({"features": ("c", 2)}, [[3, 1], [7, 5]], [4, 8]),
        ({"features": ("y",), "target": "b"}, [[4], [8]], [2, 6]),
    ],
)
def test_features_come_in_the_order_asked_for_and_what_is_ignored_is_left_out(
    tmp_path: Path, options: dict[str, Any], X: Any, y: Any
) -> None:
    data = load(write(tmp_path / "data.csv", COLUMNS), **options)
    assert data.X.tolist() == [X] and data.y[0, :, 0].tolist() == y


def test_rows_with_a_missing_cell_are_dropped_when_asked_and_only_for_columns_that_are_used(tmp_path: Path) -> None:
    path = write(tmp_path / "data.csv", "a,b,y\n1,,2\n3,4,NA\n5,6,7\n")
    assert load(path, missing="drop").X.tolist() == [[[5, 6]]]
    assert load(path, missing="drop", ignore=("b",)).X.tolist() == [[[1], [5]]]


def test_standardised_features_have_mean_0_and_deviation_1_over_the_training_rows(tmp_path: Path) -> None:
    path = write(tmp_path / "data.csv", "0,5\n2,6\n4,7\n")
    other = write(tmp_path / "more.csv", "6,8\n")
    data = load(path, standardise=True, validation_path=str(other))
    s = np.sqrt(8 / 3)
    assert np.array_equal(data.X[0, :, 0], np.array([-2, 0, 2]) / s) and np.array_equal(data.X_validation, [[[4 / s]]])
    assert data.y.tolist() == [[[5], [6], [7]]]
    with pytest.raises(DataError, match="given the feature 1, which is 3 in every training row"):
        load(write(path, "3,1\n3,2\n"), standardise=True)


def test_a_file_is_read_once_and_a_change_of_its_content_is_noticed(tmp_path: Path) -> None:
    path = write(tmp_path / "data.csv", "1,2\n3,4\n")
    file = File(path=str(path), validation_fraction=0.5)
    assert file.sources == ()
    drawn = file.make(np.random.default_rng(0))
    os.utime(path, ns=(0, 0))
    assert not file.sources[0].changed(), "only its time"
    write(path, "1,2\n3,5\n")
    assert file.sources[0].changed()
    assert np.array_equal(file.make(np.random.default_rng(0)).y, drawn.y), "the rows that were read"
    path.unlink()
    assert file.sources[0].changed()


def test_validation_rows_of_an_npz_are_loaded(tmp_path: Path) -> None:
    np.savez(
        tmp_path / "d.npz", X=np.ones((3, 2)), y=np.ones(3), X_validation=np.zeros((5, 2)), y_validation=np.ones(5)
    )
    data = load(tmp_path / "d.npz")
    assert np.array_equal(data.X_validation, np.zeros((1, 5, 2))) and data.y_validation.shape == (1, 5, 1)


@pytest.mark.parametrize("header", ["a,b,c\n", ""])
def test_validation_rows_come_from_validation_path_with_the_same_target(tmp_path: Path, header: str) -> None:
    path = write(tmp_path / "train.csv", "a,b,c\n1,2,3\n")
    validation = write(tmp_path / "validation.csv", header + "4,5,6\n7,8,9\n")
    data = load(path, target=2, validation_path=str(validation))
    assert data.X.tolist() == [[[1, 3]]] and data.y.tolist() == [[[2]]]
    assert data.X_validation.tolist() == [[[4, 6], [7, 9]]] and data.y_validation.tolist() == [[[5], [8]]]


def test_training_and_validation_files_may_have_different_formats(tmp_path: Path) -> None:
    np.savez(tmp_path / "v.npz", X=np.ones((2, 1)), y=np.ones(2))
    data = load(write(tmp_path / "t.csv", "a,b\n1,2\n"), validation_path=str(tmp_path / "v.npz"))
    assert data.X_validation.shape == (1, 2, 1)


@given(rows=st.integers(2, 40), fraction=st.floats(0.01, 0.99), seed=st.integers(0, 2**32))
def test_a_fraction_splits_every_row_to_exactly_one_side_in_the_order_of_the_file(
    rows: int, fraction: float, seed: int
) -> None:
    table = np.arange(2.0 * rows).reshape(rows, 2)
    with TemporaryDirectory() as folder:
        path = write(Path(folder, "data.csv"), as_text(table))
        if not 0 < round(rows * fraction) < rows:
            with pytest.raises(DataError, match="at least one row on each side"):
                load(path, seed, validation_fraction=fraction)
            return
        data, again = (load(path, seed, validation_fraction=fraction) for _ in range(2))
    assert data.X_validation.shape == (1, round(rows * fraction), 1)
    both = np.concatenate([data.X, data.X_validation], axis=1).ravel()
    assert sorted(both) == list(table[:, 0])
    for X, y in ((data.X, data.y), (data.X_validation, data.y_validation)):
        assert np.array_equal(X + 1, y)
        assert np.all(np.diff(X.ravel()) > 0)
    assert np.array_equal(data.X, again.X)


def test_the_seed_decides_which_rows_are_held_out(tmp_path: Path) -> None:
    path = write(tmp_path / "data.csv", as_text(np.arange(80.0).reshape(40, 2)))
    held_out = {load(path, seed, validation_fraction=0.25).X_validation.tobytes() for seed in range(5)}
    assert len(held_out) == 5


def test_without_a_fraction_nothing_is_drawn_from_the_generator(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    before = rng.bit_generator.state
    File(path=str(write(tmp_path / "data.csv", "1,2\n"))).make(rng)
    assert rng.bit_generator.state == before


@pytest.mark.parametrize(
    ("options", "named"),
    [
        ({"target": 0}, "^target: given 0; allowed: an integer ≥ 1"),
        ({"target": -1}, "^target: given -1"),
        ({"target": True}, "^target: given True"),
        ({"target": 1.0}, "^target: given 1.0"),
        ({"target": None}, "^target: given None"),
        ({"header": "maybe"}, "^header: given 'maybe'"),
        ({"target": "y", "header": "no"}, "^target: given 'y' with header 'no'"),
        ({"validation_fraction": 1.0}, "^validation_fraction: given 1.0"),
        ({"validation_fraction": -0.1}, "^validation_fraction: given -0.1"),
        ({"validation_fraction": np.nan}, "^validation_fraction: given nan"),
        ({"validation_fraction": np.array([0.5])}, "^validation_fraction: given array"),
        ({"validation_fraction": 0.5, "validation_path": "v.csv"}, "together with validation_path"),
        ({"path": "data.npz", "target": 1, "skip": 2}, "^skip, target: given 2, 1 with a .npz file"),
        ({"path": "data.NPZ", "header": "yes"}, "^header: given 'yes' with a .npz file"),
        ({"path": "data.parquet", "decimal": ","}, "^decimal: given ',' with a .parquet file; allowed: only for text"),
        ({"features": ("a",), "ignore": ("b",)}, "^features, ignore: given both"),
        ({"ignore": ("a", 0)}, "^ignore: given 0; allowed: an integer ≥ 1"),
        ({"ignore": ("a",), "header": "no"}, "^ignore: given"),
        ({"skip": -1}, "^skip: given -1"),
    ],
)
def test_options_that_do_not_fit_are_named_before_any_file_is_read(options: dict[str, Any], named: str) -> None:
    with pytest.raises(ParameterError, match=named):
        File(**{"path": "no such file.csv", **options})
