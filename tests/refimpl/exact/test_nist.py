"""Digits of NIST's certified regressions, and the page that shows them."""

import json
from pathlib import Path

import numpy as np
import pytest

from refimpl.datasets.nist import NAMES, certified
from refimpl.exact.least_squares import least_squares
from refimpl.exact.ridge import ridge
from refimpl.losses.squared_error import SquaredError

SUM = SquaredError(factor=1.0, reduction="sum")
ROOT = Path(__file__).parents[3]
AT_MOST_IN_FLOAT64 = {"norris": 14.0, "longley": 14.5, "filip": 7.6, "wampler2": 13.1}
"""Digits of the exact solution for columns rounded to float64, a little less: what rounding the data leaves."""


@pytest.mark.parametrize("name", NAMES)
def test_columns_of_twice_the_precision_give_the_certified_digits(name):
    data = certified(name)
    assert data.digits(least_squares(data.matrix, data.targets).theta.high) >= 14.2


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("strength", [0.0, 1e-30])
def test_refined_ridge_loses_what_rounding_the_data_costs_and_no_more(name, strength):
    data = certified(name)
    params = ridge(data.X, data.y, SUM, strength, refine=True).params
    assert data.digits(np.append(params["bias"], params["weight"])) >= AT_MOST_IN_FLOAT64.get(name, 15.0)


def test_the_page_shows_the_table_that_was_measured():
    measured = (ROOT / "benchmarks" / "results" / "accuracy.md").read_text(encoding="utf-8")
    page = (ROOT / "docs" / "accuracy.md").read_text(encoding="utf-8")
    rows = [line for line in measured.splitlines() if line.startswith(("| data set", *(f"| {name}" for name in NAMES)))]
    assert len(rows) == len(NAMES) + 1
    assert all(row in page for row in rows)


def test_peers_are_compared_with_the_solver_that_gets_their_input():
    results = ROOT / "benchmarks" / "results"
    measured = json.loads((results / "accuracy.json").read_text(encoding="utf-8"))["digits"]
    assert set(measured) == set(NAMES)
    table = (results / "accuracy.md").read_text(encoding="utf-8")
    assert "| least_squares ≥ 12 | ridge, refined: above every peer |" in table
    for name, found in measured.items():
        best = max(
            value for solver, value in found.items() if solver not in ("least_squares", "ridge, refined", "ridge")
        )
        judged = "yes" if found["ridge, refined"] > best else "no"
        (row,) = (line for line in table.splitlines() if line.startswith(f"| {name} |"))
        assert row.endswith(f"| yes | {judged} |")
