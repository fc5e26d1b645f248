"""Reductions over ranks: correct ones agree, and what a faulty one does is named."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from typing import Any

import pytest

from parity.errors import Unsupported
from parity.features.verify.case import Case
from parity.features.verify.ranks.group import Group
from tests.parity.reduction_faults import FAULTS

pytestmark = pytest.mark.slow


def case(**changes: Any) -> Case:
    base = {
        "optimizer": "SGD",
        "options": "momentum+decay",
        "implementation": "ddp",
        "dtype": "float32",
        "device": "cpu",
        "situation": "plain",
        "size": 17,
        "ranks": 2,
    }
    return Case(**{**base, **changes})


@pytest.fixture(scope="module")
def group() -> Iterator[Group]:
    """Two ranks, kept for all tests of this file."""
    ranks = Group(2)
    yield ranks
    ranks.stop()


@pytest.mark.parametrize(("name", "dtype"), [(name, dtype) for name, fault in FAULTS.items() for dtype in fault.dtypes])
def test_a_planted_fault_is_named(group: Group, name: str, dtype: str) -> None:
    fault = FAULTS[name]
    result = group.run(case(dtype=dtype, situation=fault.situation), fault.change)
    assert result.verdict == "disagree" and fault.said in result.text, result.text


def dies(training: Any) -> None:
    if training.rank == 1:
        os.kill(os.getpid(), signal.SIGKILL)


def hangs(training: Any) -> None:
    if training.rank == 1:
        time.sleep(600)


def raises(training: Any) -> None:
    if training.rank == 1:
        raise ArithmeticError("of this rank alone")


def refuses_alone(training: Any) -> None:
    if training.rank == 1:
        raise Unsupported("not on this rank")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (dies, "rank 1: the process was killed by SIGKILL"),
        (hangs, "rank 1 gave no result in 4 s"),
        (raises, "rank 1: ArithmeticError: of this rank alone"),
        (refuses_alone, "rank 0"),
    ],
)
def test_a_rank_that_fails_is_named_none_survives_and_the_next_case_has_new_ranks(change: Any, said: str) -> None:
    group = Group(2, limit=8.0)
    try:
        assert group.run(case()).verdict == "agree"
        before = [process.pid for process in group.processes]
        result = group.run(case(), change)
        assert result.verdict == "error" and said in result.text, result.text
        assert not group.processes and not [pid for pid in before if is_alive(pid)]
        assert group.run(case()).verdict == "agree"
    finally:
        group.stop()


def is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True
