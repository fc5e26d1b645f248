"""The pytest plugin: the functions of :mod:`parity.assertions` as fixtures.

Nothing but pytest is imported here until one of them is called: the plugin is loaded at every start of pytest.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from typing import TYPE_CHECKING

import pytest

from parity.assertions import ParityFailure, Undecidable, assert_optimizer, assert_parity, parity_trajectory

if TYPE_CHECKING:
    from refimpl.trajectory import Trajectory

__all__ = ["ParityFailure", "Undecidable", "assert_optimizer", "assert_parity", "parity_trajectory"]


@pytest.fixture(name="assert_parity", scope="session")
def _assert_parity() -> Callable[..., None]:
    """``assert_parity(train, experiment, dtype="float64", strict=False)``: every step of a training function."""
    return assert_parity


@pytest.fixture(name="assert_optimizer", scope="session")
def _assert_optimizer() -> Callable[..., None]:
    """``assert_optimizer(cls, against="adamw", lr=0.01, …)``: every step of an optimizer, and its side effects."""
    return assert_optimizer


@pytest.fixture(name="parity_trajectory", scope="session")
def _parity_trajectory() -> Callable[..., Trajectory]:
    """``parity_trajectory(train, experiment, dtype="float64")``: the weights and losses that were reported."""
    return parity_trajectory


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(call: pytest.CallInfo[None]) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Show the text alone of a :class:`ParityFailure`."""
    report = yield
    if report.failed and call.excinfo is not None and isinstance(call.excinfo.value, ParityFailure):
        report.longrepr = call.excinfo.getrepr(style="value")
    return report
