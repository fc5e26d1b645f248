"""Which cases the fast tier runs of a test that has many.

A fact that is proven over a table of cases is proven in the fast tier for ``CASES`` of them, drawn by the checksum of
their names: always the same ones, from all over the table. The others are marked ``slow``; ``make test-all`` runs them,
too. ``@pytest.mark.every_case`` is for a test whose cases are facts of their own. Where the slow tier is run, each test
that draws its examples, :data:`EXAMPLES` of them where it does not say, draws :data:`MORE` times as many.
"""

from __future__ import annotations

import gc
import os
from typing import Any
from zlib import crc32

import pytest
from hypothesis import is_hypothesis_test, settings

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
"""Every core has a worker already; further threads would spin and wait. OpenBLAS reads it when NumPy is imported."""

pytest.register_assert_rewrite("tests.parity", "tests.refimpl")  # asserts of what tests share say what they compared

CASES = 2
EXAMPLES = 50
MORE = 4

settings.register_profile("deterministic", max_examples=EXAMPLES, derandomize=True, deadline=None, database=None)
settings.load_profile("deterministic")


def runs_slow_tier(config: pytest.Config) -> bool:
    """Whether slow tests are among those that ``-m`` asks for."""
    return "slow" in str(config.option.markexpr).replace("not slow", "")


def pytest_collection() -> None:
    """Nothing that collection makes is garbage: imports and cases stay. To look for some takes a third of its time."""
    gc.disable()


def pytest_collection_finish() -> None:
    """What is there is left alone from here on, too: what a test makes is looked through as ever."""
    gc.freeze()
    gc.enable()


@pytest.hookimpl(tryfirst=True)  # before the slow ones are left out
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Mark the cases beyond those as slow; draw more examples in the slow tier."""
    tests: dict[str, list[pytest.Item]] = {}
    for item in items:
        if item.get_closest_marker("every_case") is None:
            tests.setdefault(item.nodeid.partition("[")[0], []).append(item)
    for cases in tests.values():
        for case in sorted(cases, key=lambda one: crc32(one.name.encode()))[CASES:]:
            case.add_marker("slow")
    if runs_slow_tier(config):
        for function in {item.function for item in items if isinstance(item, pytest.Function)}:
            if is_hypothesis_test(function):
                _draw_more(function)


def _draw_more(function: Any) -> None:
    """``@settings`` of a test go before the profile; hypothesis has no other way to change them afterwards."""
    asked = function._hypothesis_internal_use_settings
    if asked.max_examples <= 2 * EXAMPLES:  # a test that asks for thousands is of the slow tier alone
        function._hypothesis_internal_use_settings = settings(asked, max_examples=MORE * asked.max_examples)


@pytest.fixture(scope="session")
def slow_tier(request: pytest.FixtureRequest) -> bool:
    """Whether slow tests are run."""
    return runs_slow_tier(request.config)


@pytest.fixture(scope="session")
def linear_model() -> Any:
    """scikit-learn's linear models, imported by the first test that wants them: it takes two seconds."""
    from sklearn import linear_model

    return linear_model
