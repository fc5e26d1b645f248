"""A comparison is decided where no error can turn it; what is undecided covers both branches."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from refimpl.arithmetic.bounded import Undecided
from tests.refimpl.arithmetic.roundings import uncertain


@pytest.mark.parametrize(
    ("value", "error", "decided"),
    [(1.0, 0.5, True), (-1.0, 0.5, True), (1.0, 1.0, False), (0.0, 0.1, False), (0.0, 0.0, True)],
)
def test_a_comparison_is_decided_where_no_error_can_turn_it(value: float, error: float, decided: bool) -> None:
    x = uncertain(value, error)
    decisions = {"x > 0": x > 0, "x < 0": x < 0, "x >= 0": x >= 0, "x <= 0": x <= 0, "x == 0": x == 0, "x != 0": x != 0}
    for text, decision in decisions.items():
        if decided:
            assert bool(decision) == eval(text, {"x": value})
        else:
            with pytest.raises(Undecided, match="use where"):
                bool(decision)


def test_errors_of_both_sides_count() -> None:
    with pytest.raises(Undecided):
        bool(uncertain(1.0, 0.3) > uncertain(0.5, 0.3))
    assert bool(uncertain(1.0, 0.2) > uncertain(0.5, 0.2))


def test_nothing_is_decided_by_a_number_that_is_not_known() -> None:
    for lost in (
        uncertain(0.0, 0.0) / 0,
        uncertain(1.0, 0.0) / 0,
        uncertain(1.0, np.inf),
        np.sqrt(uncertain(-1.0, 0.0)),
    ):
        for decision in (lost > 0, lost < 0, lost == 0, lost > lost):
            with pytest.raises(Undecided):
                bool(decision)
        hull: Any = np.where(lost > 0, uncertain(1.0, 0.0), uncertain(3.0, 0.0))
        assert 2 <= hull.error <= 2 + 1e-15
        assert np.sign(lost).error >= 2


def test_an_undecided_choice_covers_both_branches() -> None:
    x, y = uncertain(1.0, 0.25), uncertain(5.0, 0.5)
    for condition in (uncertain(0.1, 1) > 0, uncertain(-0.1, 1) > 0):
        chosen = np.where(condition, x, y)
        for end in (0.75, 1.25, 4.5, 5.5):
            assert abs(end - chosen.value) <= chosen.error
        assert chosen.error <= 4.5 + 1e-15
    for condition, branch in ((uncertain(1, 0.1) > 0, x), (uncertain(-1, 0.1) > 0, y)):
        chosen = np.where(condition, x, y)
        assert (chosen.value, chosen.error) == (branch.value, branch.error)


@pytest.mark.parametrize(
    ("value", "error", "reach"),
    [(1.0, 0.5, 0.0), (0.1, 0.2, 2.0), (0.2, 0.2, 2.0), (-0.1, 0.2, 2.0), (0.0, 0.1, 1.0), (0.0, 0.0, 0.0)],
)
def test_a_sign_that_errors_could_turn_covers_every_sign_it_could_be(value: float, error: float, reach: float) -> None:
    found = np.sign(uncertain(value, error))
    assert (found.value, found.error) == (np.sign(value), reach)


def test_the_larger_and_the_smaller_of_two_have_no_more_error_than_either() -> None:
    x, y = uncertain(1.0, 0.25), uncertain(1.1, 0.5)
    for function, value in ((np.maximum, 1.1), (np.minimum, 1.0)):
        assert (function(x, y).value, function(x, y).error) == (np.longdouble(value), 0.5)
