"""The processes of all ranks, kept between cases; a group of which a rank fails is ended, and a new one begins."""

from __future__ import annotations

import queue
import re
import signal
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from multiprocessing import get_context
from multiprocessing.connection import Connection, wait
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from parity.errors import Option, OptionError
from parity.features.verify.case import Case, Result
from parity.features.verify.ranks.judge import judge
from parity.features.verify.ranks.rank import Answer, Change, serve
from parity.features.verify.ranks.reductions import REDUCTIONS
from parity.record.refusals import Vacuous

LIMIT = 60.0
"""Seconds that a case has."""
START = 300.0
"""Seconds that the processes have to begin."""
PATIENCE = 0.5
"""The part of them after which a rank gives up on another one that does not answer."""
SOON = 2.0
"""Seconds that the other ranks have once one has failed, or has lost another."""
LOST = re.compile(r"gloo|c10d|Connection (closed|reset|refused)|[Tt]imed out", re.ASCII)
"""The words of a rank that has lost another one."""


class Group:
    """``count`` ranks that run cases together, each within ``limit`` seconds."""

    def __init__(self, count: int, limit: float = LIMIT) -> None:
        self.count, self.limit = count, limit
        self.processes: list[Any] = []
        self.connections: list[Connection] = []
        self.folder: TemporaryDirectory[str] | None = None
        self.unready: str | None = None

    def start(self) -> None:
        """New processes, which meet at a file."""
        context = get_context("spawn")
        self.folder = TemporaryDirectory(ignore_cleanup_errors=True)
        store = (Path(self.folder.name) / "store").as_posix()
        for rank in range(self.count):
            ours, theirs = context.Pipe()
            arguments = (theirs, rank, self.count, store, self.limit * PATIENCE)
            process = context.Process(target=serve, args=arguments, daemon=True)
            process.start()
            theirs.close()
            self.processes.append(process)
            self.connections.append(ours)
        self.unready = self._failure(*self._wait(START), START)

    def stop(self) -> None:
        """End every rank."""
        for process in self.processes:
            process.kill()
        for process, connection in zip(self.processes, self.connections, strict=True):
            process.join()
            connection.close()
        self.processes, self.connections = [], []
        if self.folder is not None:
            self.folder.cleanup()
            self.folder = None

    def give(self, case: Case, change: Change | None = None) -> None:
        """Let all ranks begin a case."""
        if not self.processes:
            self.start()
        for connection in self.connections:
            with suppress(BrokenPipeError):  # what has ended is seen when answers are taken
                connection.send((case, change))

    def take(self) -> list[Answer] | str:
        """What each rank says of the case; or why not all of them have an answer, and which has none.

        Where anything is said but a record by all, or a refusal by all, the group is ended. Raises :class:`InputError`
        where the processes cannot meet, as they could not in any other case.
        """
        if self.unready:
            self.stop()
            raise OptionError(
                Option("ranks"),
                f" {self.count}: the ranks cannot meet ({self.unready}); what was judged is kept: see that processes "
                "of this machine reach each other, and go on with ",
                Option("resume"),
            )
        answers, ended = self._wait(self.limit)
        said = self._failure(answers, ended, self.limit)
        if said is None:
            return [answers[rank] for rank in range(self.count)]
        self.stop()
        return said

    def run(self, case: Case, change: Change | None = None) -> Result:
        """Run one case and judge it; ``change``: what is done to each rank's training before."""
        begin = time.perf_counter()
        self.give(case, change)
        return result_of_ranks(case, self.take(), begin)

    def _wait(self, limit: float) -> tuple[dict[int, Answer], dict[int, str]]:
        """The answers by rank, and how the processes ended that did."""
        until = time.monotonic() + limit
        answers: dict[int, Answer] = {}
        ended: dict[int, str] = {}
        while len(answers) + len(ended) < self.count and (left := until - time.monotonic()) > 0:
            open_ones = {self.connections[r]: r for r in range(self.count) if r not in answers and r not in ended}
            for connection in wait(list(open_ones), timeout=left):
                rank = open_ones[connection]  # type: ignore[index]
                try:
                    answers[rank] = self.connections[rank].recv()
                except (EOFError, OSError):
                    ended[rank] = end_of(self.processes[rank])
                if rank in ended or answers[rank].kind not in ("record", "unsupported"):
                    until = min(until, time.monotonic() + SOON)
        return answers, ended

    def _failure(self, answers: Mapping[int, Answer], ended: Mapping[int, str], limit: float) -> str | None:
        """Why the ranks cannot go on, by the one whose fault it is, or None."""
        if ended:
            return "; ".join(f"rank {rank}: the process {how}" for rank, how in sorted(ended.items()))
        failed = {rank: answer for rank, answer in answers.items() if answer.kind not in ("record", "unsupported")}
        own = {rank: answer for rank, answer in failed.items() if not LOST.search(answer.said)}
        silent = [rank for rank in range(self.count) if rank not in answers]
        if own:
            rank = min(own)
            return f"rank {rank}: {own[rank].said}"
        if silent:
            names = " and ".join(f"rank {rank}" for rank in silent)
            return f"{names} gave no result in {limit * PATIENCE if failed else limit:.0f} s"
        if failed:
            return f"the ranks wait for each other: rank {min(failed)}: {failed[min(failed)].said}"
        refused = {rank: answer for rank, answer in answers.items() if answer.kind == "unsupported"}
        if 0 < len(refused) < self.count:
            rank = min(refused)
            return f"rank {rank} refused what others did: {refused[rank].said}"
        return None


def end_of(process: Any) -> str:
    """How a process ended, in words."""
    process.join()
    code = process.exitcode
    return f"was killed by {signal.Signals(-code).name}" if code < 0 else f"ended with exit code {code}"


def run_all(cases: Sequence[Case], jobs: int) -> Iterator[Result]:
    """The results of cases as they come, from as many groups of ranks as ``jobs`` processes make."""
    if not cases:
        return
    groups = max(1, min(jobs // cases[0].ranks, len(cases)))
    if groups == 1:
        yield from run_cases(cases)
        return
    results: queue.SimpleQueue[Result | None] = queue.SimpleQueue()
    stops = threading.Event()

    def work(own: Sequence[Case]) -> None:
        try:
            for result in run_cases(own):
                results.put(result)
                if stops.is_set():
                    break
        except BaseException:
            stops.set()  # the other groups end, too
            raise
        finally:
            results.put(None)

    with ThreadPoolExecutor(groups) as threads:
        try:
            futures = [threads.submit(work, cases[i::groups]) for i in range(groups)]
            running = groups
            while running:
                if (result := results.get()) is None:
                    running -= 1
                else:
                    yield result
            for future in futures:
                future.result()
        finally:
            stops.set()


def run_cases(cases: Sequence[Case], limit: float = LIMIT) -> Iterator[Result]:
    """The results of cases of one number of ranks, in their order; a case is judged while the ranks run the next."""
    if not cases:
        return
    group = Group(cases[0].ranks, limit)
    waiting: tuple[Case, list[Answer] | str, float] | None = None
    try:
        for case in cases:
            begin = time.perf_counter()
            group.give(case)
            if waiting is not None:
                yield result_of_ranks(*waiting)
            waiting = case, group.take(), begin
        assert waiting is not None
        yield result_of_ranks(*waiting)
    finally:
        group.stop()


def result_of_ranks(case: Case, answers: list[Answer] | str, begin: float) -> Result:
    """The verdict on what the ranks say."""
    seconds = time.perf_counter() - begin
    if isinstance(answers, str):
        return Result(case=case, verdict="error", text=answers, seconds=seconds)
    refused = {answer.said: rank for rank, answer in enumerate(answers) if answer.kind == "unsupported"}
    if refused:
        return Result(case=case, verdict="unsupported", text=next(iter(refused)), seconds=seconds)
    asked = REDUCTIONS[case.implementation][case.situation].asked
    try:
        result = judge(case, asked, [answer.said for answer in answers])
    except Vacuous as reason:
        result = Result(case=case, verdict="error", text=f"proves nothing: {reason}")
    return Result(**{**vars(result), "seconds": seconds})
