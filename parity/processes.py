"""Cases in processes of their own: a kernel that crashes costs its case and nothing else."""

from __future__ import annotations

import logging
import signal
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import BrokenExecutor, CancelledError, Executor, Future, as_completed
from functools import partial
from multiprocessing import get_context
from multiprocessing.connection import Connection, wait
from typing import Any, Generic, TypeVar

import torch

from parity.errors import InputError

LIMIT = 600.0
"""Seconds after which a case is given up."""

C = TypeVar("C")
R = TypeVar("R")
Broken = Callable[[C, str, float], R]
"""The result of a case that came to nothing: why, and after how many seconds."""


def _work(connection: Connection, run: Callable[[C], R]) -> None:
    """A worker: a case comes in, a result goes out, until nothing comes any more."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent decides
    try:
        while True:
            connection.send(_alone(run, connection.recv()))
    except (EOFError, BrokenPipeError):
        pass  # the parent is gone


def _alone(run: Callable[[C], R], case: C) -> R:
    """The result of a case in a process that has others beside it."""
    torch.set_num_threads(1)
    logging.getLogger("torch").setLevel(logging.ERROR)  # of what the compiler thinks of a step
    return run(case)


class _Worker(Generic[C, R]):
    """One process with the case that it has in hand."""

    def __init__(self, run: Callable[[C], R], broken: Broken[C, R]) -> None:
        self.broken = broken
        context = get_context("spawn")
        self.connection, theirs = context.Pipe()
        self.process: Any = context.Process(target=_work, args=(theirs, run), daemon=True)
        self.process.start()
        theirs.close()
        self.case: C | None = None
        self.since = 0.0

    def give(self, case: C) -> None:
        self.case, self.since = case, time.perf_counter()
        self.connection.send(case)

    def result(self) -> R:
        """The result that came back, or the failure of the process."""
        case = self.case
        assert case is not None
        self.case = None
        try:
            received: R = self.connection.recv()
            return received
        except EOFError:
            self.process.join()
            code = self.process.exitcode
            end = f"was killed by {signal.Signals(-code).name}" if code < 0 else f"ended with exit code {code}"
            return self.broken(case, f"the process {end}", time.perf_counter() - self.since)

    def stop(self) -> None:
        self.process.kill()
        self.process.join()
        self.connection.close()


def work_all(
    cases: Sequence[C], jobs: int, run: Callable[[C], R], broken: Broken[C, R], executor: Executor | None = None
) -> Iterator[R]:
    """The results as they come, from ``jobs`` processes of this machine, or from where an executor runs them."""
    if executor is not None:
        yield from _submitted(cases, executor, run, broken)
        return
    waiting = iter(cases)
    workers = [_Worker(run, broken) for _ in range(max(1, min(jobs, len(cases))))]
    try:
        for worker in workers:
            _next(worker, waiting)
        while busy := [worker for worker in workers if worker.case is not None]:
            ready = set(wait([worker.connection for worker in busy], timeout=1.0))
            for worker in busy:
                if worker.connection in ready:
                    yield worker.result()
                elif time.perf_counter() - worker.since > LIMIT:
                    assert worker.case is not None
                    yield broken(worker.case, f"gave no result in {LIMIT:.0f} s", LIMIT)
                    worker.stop()
                    worker.case = None
                else:
                    continue
                if not worker.process.is_alive():
                    worker.stop()
                    workers[workers.index(worker)] = worker = _Worker(run, broken)
                _next(worker, waiting)
    finally:
        for worker in workers:
            worker.stop()


def _next(worker: _Worker[C, R], waiting: Iterator[C]) -> None:
    case = next(waiting, None)
    if case is not None:
        worker.give(case)


def _submitted(cases: Sequence[C], executor: Executor, run: Callable[[C], R], broken: Broken[C, R]) -> Iterator[R]:
    """The results from an executor. A case that raises there, or whose workers are lost again and again, is broken."""
    futures: dict[Future[R], C] = {executor.submit(partial(_alone, run), case): case for case in cases}
    try:
        for future in as_completed(tuple(futures)):
            case = futures.pop(future)
            try:
                result = future.result()
            except InputError:
                raise
            except (BrokenExecutor, CancelledError) as error:
                why = f"the executor has ended ({type(error).__name__})"
                raise InputError(f"{why}; what came before is kept: resume when it runs again") from error
            except Exception as error:
                result = broken(case, str(error).splitlines()[0] if str(error) else type(error).__name__, 0.0)
            yield result
    finally:
        for future in futures:
            future.cancel()
