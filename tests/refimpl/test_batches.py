"""Batches are a partition of the rows, made once from the seed."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from refimpl.batches import Batches
from refimpl.errors import ParameterError

SIZES = st.integers(1, 40).flatmap(lambda rows: st.tuples(st.just(rows), st.integers(0, rows)))


@given(rows_and_size=SIZES, order=st.sampled_from(["shuffled", "fixed"]), seed=st.integers(0, 2**32))
def test_every_row_is_in_one_batch_of_each_epoch(rows_and_size: Any, order: Any, seed: int) -> None:
    rows, size = rows_and_size
    drawn = Batches(size=size, order=order).draw(rows, 3, np.random.default_rng(seed))
    assert len(drawn) == 3
    for batches in drawn:
        assert sorted(np.concatenate(batches).tolist()) == list(range(rows))
        *full, last = (len(batch) for batch in batches)
        assert all(length == (size or rows) for length in full)
        assert 0 < last <= (size or rows)


@given(rows_and_size=SIZES, seed=st.integers(0, 2**32))
def test_drop_last_leaves_out_the_ragged_batch_and_nothing_else(rows_and_size: Any, seed: int) -> None:
    rows, size = rows_and_size
    whole, dropped = (
        Batches(size=size, drop_last=drop).draw(rows, 2, np.random.default_rng(seed)) for drop in (False, True)
    )
    for batches, kept in zip(whole, dropped, strict=True):
        full = [batch for batch in batches if len(batch) == (size or rows)]
        assert [batch.tolist() for batch in kept] == [batch.tolist() for batch in full]
        assert len(kept) == rows // (size or rows)


def test_fixed_takes_the_rows_as_they_lie_and_draws_nothing() -> None:
    rng, untouched = np.random.default_rng(0), np.random.default_rng(0)
    (first, second), again = Batches(size=3, order="fixed").draw(5, 2, rng)
    assert first.tolist() == [0, 1, 2] and second.tolist() == [3, 4]
    assert [batch.tolist() for batch in again] == [[0, 1, 2], [3, 4]]
    assert rng.random() == untouched.random()


def test_shuffling_is_the_seeds_and_new_in_every_epoch() -> None:
    first, second = (Batches(size=10).draw(100, 2, np.random.default_rng(7)) for _ in range(2))
    assert [[b.tolist() for b in epoch] for epoch in first] == [[b.tolist() for b in epoch] for epoch in second]
    other = Batches(size=10).draw(100, 2, np.random.default_rng(8))
    epochs = [np.concatenate(epoch).tolist() for epoch in (*first, *other)]
    assert len({tuple(epoch) for epoch in epochs}) == 4
    assert list(range(100)) not in epochs


def test_the_size_of_a_batch_does_not_change_the_order_of_the_rows() -> None:
    small, full = (Batches(size=size).draw(20, 3, np.random.default_rng(3)) for size in (6, 0))
    for ours, theirs in zip(small, full, strict=True):
        assert np.concatenate(ours).tolist() == theirs[0].tolist()


@pytest.mark.parametrize("size", [-1, 2.5, "all"])
def test_a_size_that_is_no_integer_from_0_is_refused(size: Any) -> None:
    with pytest.raises(ParameterError, match=r"^size: given .*; allowed: an integer ≥ 0; 0 means the full batch$"):
        Batches(size=size)


def test_a_batch_of_more_rows_than_there_are_is_refused() -> None:
    with pytest.raises(ParameterError, match=r"^size: given 6; allowed: at most the 5 training rows; use 0 for"):
        Batches(size=6).draw(5, 1, np.random.default_rng(0))


def test_an_unknown_order_is_refused() -> None:
    with pytest.raises(ParameterError, match=r"^order: given 'random'; allowed: 'shuffled', 'fixed'; choose one"):
        Batches(order="random")  # type: ignore[arg-type]
