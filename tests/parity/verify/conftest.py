"""Two large documents of a matrix, each made once."""

from __future__ import annotations

from typing import Any

import pytest

from tests.parity.verify.reports import make


@pytest.fixture(scope="session")
def big() -> dict[str, Any]:
    return make(6_000)


@pytest.fixture(scope="session")
def many() -> dict[str, Any]:
    """A quarter of the cases, of every optimizer."""
    return make(1_500)
