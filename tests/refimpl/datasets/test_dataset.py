"""A dataset is refused unless its arrays have the layout that every backend relies on."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from refimpl.datasets import Dataset, Gaussian, Integers
from refimpl.errors import DataError, ShapeError

GOOD: dict[str, Any] = {
    "X": np.ones((1, 3, 2)),
    "y": np.ones((1, 3, 1)),
    "X_validation": np.ones((1, 4, 2)),
    "y_validation": np.ones((1, 4, 1)),
    "truth": {"weight": np.ones((1, 1, 2)), "bias": np.ones((1, 1))},
}


def test_the_full_layout_is_accepted() -> None:
    data = Dataset(**GOOD)
    assert data.X is GOOD["X"] and data.y_validation is GOOD["y_validation"]


def test_validation_and_truth_may_be_absent() -> None:
    assert Dataset(X=GOOD["X"], y=GOOD["y"]).truth is None


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"X": np.ones((3, 2))}, r"X: given \(3, 2\)"),
        ({"X": np.ones((2, 3, 2))}, r"X: given \(2, 3, 2\)"),
        ({"X": np.ones((1, 3))}, r"X: given \(1, 3\)"),
        ({"X": np.ones((1, 3, 2, 1))}, r"X: given \(1, 3, 2, 1\)"),
        ({"X": np.ones((1, 0, 2))}, "X: given"),
        ({"X": np.ones((1, 3, 0))}, "X: given"),
        ({"y": np.ones((1, 3))}, r"y: given \(1, 3\); allowed: \(1, 3, 1\)"),
        ({"y": np.ones((1, 4, 1))}, "y: given"),
        ({"X_validation": np.ones((4, 2))}, "X_validation: given"),
        ({"X_validation": np.ones((1, 0, 2))}, "X_validation: given"),
        ({"X_validation": np.ones((1, 4, 3))}, r"X_validation: given \(1, 4, 3\); allowed: \(1, n, 2\)"),
        ({"y_validation": np.ones((1, 3, 1))}, r"y_validation: given \(1, 3, 1\); allowed: \(1, 4, 1\)"),
        ({"y_validation": None}, "X_validation: given without its partner"),
        ({"X_validation": None}, "y_validation: given without its partner"),
        ({"truth": {"weight": np.ones((1, 1, 2))}}, "truth: given"),
        ({"truth": {**GOOD["truth"], "weight": np.ones((1, 2))}}, r"truth\['weight'\]: given \(1, 2\)"),
        ({"truth": {**GOOD["truth"], "bias": np.ones(1)}}, r"truth\['bias'\]: given \(1,\)"),
    ],
)
def test_shapes_that_do_not_fit_are_named(change: dict[str, Any], named: str) -> None:
    with pytest.raises(ShapeError, match=named):
        Dataset(**{**GOOD, **change})


@pytest.mark.parametrize("name", ["X", "y", "X_validation", "y_validation"])
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_the_first_number_that_is_not_finite_is_named_with_its_index(name: str, value: float) -> None:
    bad = GOOD[name].copy()
    bad[0, 2, 0] = bad[0, 2, -1] = value
    with pytest.raises(DataError, match=rf"^{name}\[0, 2, 0\]: given {value}"):
        Dataset(**{**GOOD, name: bad})


@pytest.mark.parametrize("name", ["X", "y", "X_validation", "y_validation"])
def test_another_dtype_is_refused(name: str) -> None:
    with pytest.raises(DataError, match=f"^{name}: given dtype float32"):
        Dataset(**{**GOOD, name: GOOD[name].astype(np.float32)})


@pytest.mark.parametrize(
    "source", [Gaussian(train_rows=4, validation_rows=3, features=2), Integers(rows=4, features=2)]
)
def test_the_same_seed_gives_the_same_bits_and_another_seed_other_data(source: Gaussian | Integers) -> None:
    first, again, other = (source.make(np.random.default_rng(seed)) for seed in (7, 7, 8))
    for name in ("X", "y", "X_validation", "y_validation"):
        a, b = getattr(first, name), getattr(again, name)
        assert (a is None and b is None) or a.tobytes() == b.tobytes()
    assert not np.array_equal(first.X, other.X)
    assert not np.array_equal(first.y, other.y)
