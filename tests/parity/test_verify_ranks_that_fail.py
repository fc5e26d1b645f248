"""Ranks that die, hang, raise, refuse or do not meet are named, and none survives."""

from __future__ import annotations

import os
import signal
import time
from typing import Any

import pytest

from parity.errors import InputError, Unsupported
from parity.features.verify.ranks.group import Group, run_all
from parity.features.verify.ranks.rank import serve
from tests.parity.reduction_faults import case


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


@pytest.mark.slow
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


def refuses_at_the_end(training: Any) -> None:
    """The last rank refuses when nothing is left that the others wait for."""
    run = training.run

    def and_refuse() -> Any:
        record = run()
        if training.rank == 1:
            raise Unsupported("not on this rank")
        return record

    training.run = and_refuse


@pytest.mark.slow
def test_a_refusal_by_one_rank_is_an_error_that_names_it() -> None:
    group = Group(2, limit=8.0)
    try:
        result = group.run(case(), refuses_at_the_end)
        assert (result.verdict, result.text) == ("error", "rank 1 refused what others did: not on this rank")
        assert not group.processes
    finally:
        group.stop()


def cannot_meet(connection: Any, rank: int, count: int, store: str, _: float) -> None:
    serve(connection, rank + count, count, store, 1.0)  # of ranks that the group does not have


@pytest.mark.slow
@pytest.mark.parametrize("jobs", [2, 4])
def test_ranks_that_cannot_meet_end_the_run_after_the_first_case(monkeypatch: pytest.MonkeyPatch, jobs: int) -> None:
    begun: list[int] = []
    start = Group.start
    monkeypatch.setattr("parity.features.verify.ranks.group.serve", cannot_meet)
    monkeypatch.setattr(Group, "start", lambda group: (begun.append(1), start(group))[1])
    some = [case(size=size) for size in (7, 8, 15, 16, 17, 31)]
    with pytest.raises(InputError, match=r"^ranks 2: the ranks cannot meet \(.*rank 0: \w+Error: "):
        list(run_all(some, jobs))
    assert len(begun) <= jobs // 2  # each group once


def is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True
