"""A sum of a few terms is bounded in every order of its additions."""

from __future__ import annotations

from functools import reduce
from operator import add
from typing import Any

import numpy as np
import pytest

from refimpl.arithmetic.bounded import Bounded, Profile
from refimpl.arithmetic.exact import exact
from refimpl.arithmetic.formats import FORMATS
from refimpl.arithmetic.sums import add_in_any_order


@pytest.mark.parametrize("dtype", ["float32", "float16"])
@pytest.mark.parametrize("penalties", [0, 1, 2, 3])
def test_every_order_of_all_pieces_is_within_the_bound_and_the_bound_is_near(
    dtype: str, penalties: int, high_precision: Any
) -> None:
    profile = Profile(compute=FORMATS[dtype], accumulate=FORMATS[dtype])
    rng = np.random.default_rng(0)
    first = rng.standard_normal(200).astype(dtype)
    halves = [rng.integers(-512, 512, 200).astype(dtype) / np.array(1024, dtype) for _ in range(penalties)]
    pieces = [first, *halves, *halves]  # λ/2·w twice, exactly half of λw
    terms: Any = [Bounded.tensor(term, profile) for term in (first, *(half + half for half in halves))]
    bounded: Any = add_in_any_order(terms)
    truth = sum(high_precision.array(piece) for piece in pieces)
    worst = np.zeros(200)
    orders = [rng.permutation(len(pieces)) for _ in range(100)] if penalties > 1 else []
    for order in [*orders, np.arange(len(pieces))[::-1]]:
        total = reduce(add, [pieces[i] for i in order])
        assert total.dtype == dtype
        error = np.abs(high_precision.array(total) - truth)
        assert np.all(error <= high_precision.array(bounded.error))
        worst = np.maximum(worst, error)
    assert penalties == 0 or np.any(worst > 0.1 * high_precision.array(bounded.error))


def test_errors_of_the_terms_add_up() -> None:
    profile = Profile(compute=FORMATS["float64"], accumulate=FORMATS["float64"])
    terms: Any = [Bounded(np.ones(2), error, profile) for error in (0.5, 0.25, 0.125)]
    found: Any = add_in_any_order(terms)
    assert np.all(found.value == 3) and np.all(found.error >= 0.875) and np.all(found.error < 0.8751)


def test_a_partial_sum_that_may_overflow_is_unbounded_whatever_it_cancels_to() -> None:
    profile = Profile(compute=FORMATS["float16"], accumulate=FORMATS["float16"])
    terms: Any = [Bounded.tensor(np.array([x]), profile) for x in (60000.0, 60000.0, -60000.0, -60000.0)]
    found: Any = add_in_any_order(terms)
    assert np.isinf(found.error)


def test_plain_numbers_are_added_from_left_to_right() -> None:
    a, b, c = (np.array([x]) for x in (1e16, 1.0, -1e16))
    assert add_in_any_order([a, b, c]) == (a + b) + c
    rationals = [exact(np.array([x])) for x in (1e16, 1.0, -1e16)]
    assert add_in_any_order(rationals)[0].value == 1
