"""Whatever is wrong with an npz is said in one line that names the file and the first bad element."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from tests.refimpl.datasets.files import V, X, Y, archive, message, npy, npz


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
