"""What a matrix says in short: the verdict of a cell, a share, a shape."""

from __future__ import annotations

import math
from typing import Any

import pytest

from parity.errors import InputError
from parity.features.verify.document import cells, in_words, number, read
from parity.features.verify.junit import to_junit
from tests.parity.verify.reports import few


def test_one_bad_case_among_many_good_ones_decides_what_a_cell_shows() -> None:
    document = few("agree", "unsupported", "known", "disagree", "undecidable")
    (cell,) = cells(read(document).cases, "optimizer", "dtype").values()
    assert (cell.verdict, cell.used, cell.cases) == ("disagree", math.inf, 5)


def test_a_case_that_is_not_offered_hides_no_agreement() -> None:
    ((_, cell),) = cells(read(few("unsupported", "agree")).cases, "optimizer").items()
    assert cell.verdict == "agree"


def test_a_share_that_is_not_a_number_counts_as_infinite() -> None:
    shares = [read(few("agree", used=used)).cases[0].share for used in (math.nan, "nan", "inf", math.inf, None, 0.25)]
    assert shares == [math.inf, math.inf, math.inf, math.inf, None, 0.25]


@pytest.mark.parametrize("change", [{"schema": 2}, {"cases": [{"id": "x"}]}, few() | {"counts": {"good": 1}}])
def test_a_document_of_another_schema_is_refused_in_one_line(change: dict[str, Any]) -> None:
    with pytest.raises(InputError, match="schema 1") as caught:
        to_junit(few() | change)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("used", "text"),
    [
        (None, ""),
        (0.0, "0.00"),
        (0.974, "0.97"),
        (9.996, "10"),
        (37.2, "37"),
        (999.6, "1e3"),
        (4.2e5, "4e5"),
        (math.inf, "∞"),
    ],
)
def test_a_share_takes_at_most_five_characters(used: float | None, text: str) -> None:
    assert number(used) == text
    assert all(len(number(1.7 * 10.0**e)) <= 5 for e in range(-30, 308))


def test_options_and_shapes_are_put_in_words() -> None:
    assert [in_words(x) for x in ({"lr": 0.1, "betas": (0.9, 0.99)}, [3, 5], 17, "x", None)] == [
        *("lr=0.1, betas=(0.9, 0.99)", "3×5", "17", "x", "")
    ]
