"""The same function in several processes at once, the ranks of ``torch.distributed``, as ``torchrun`` starts them.

Each has a session of its own, as a single process has, so that nothing of any rank lives on. A rank that fails ends all
of them: the others would wait for it until the time is over.
"""

from __future__ import annotations

import linecache
import os
import re
import signal
import socket
import sysconfig
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack, suppress
from pathlib import Path
from subprocess import Popen
from tempfile import TemporaryDirectory
from typing import Any

from parity.errors import InputError, Option, OptionError
from parity.features.check.worker import POSIX, TheirError, end_of, look, result_of, send, started

LOOPBACK = "127.0.0.1"
SOON = 1.0
"""Seconds in which other ranks may say that they failed, too: one that loses a rank may be heard before that one is."""
LOST = re.compile(r"gloo|nccl|c10d|TCPStore|Broken pipe|Connection (closed|reset|refused)|Timed out", re.IGNORECASE)
"""The words of a rank that has lost another one."""
FRAME = re.compile(r'^  File "(.*)", line (\d+) in (.*)$', re.MULTILINE)


def launch(function: str, *arguments: Any, count: int, limit: float) -> list[Any]:
    """``function(*arguments, rank)`` in each of ``count`` processes: what they return, by rank.

    Raises :class:`TheirError` with the traceback of the rank that failed first, and :class:`InputError` where a rank
    crashes, or has no result after ``limit`` seconds.
    """
    until = time.monotonic() + limit
    answers: dict[int, bytes] = {}
    with ExitStack() as stack:
        places = Path(stack.enter_context(TemporaryDirectory()))
        shared = address(count)
        ranks = [stack.enter_context(started({**shared, **variables(rank)})) for rank in range(count)]
        stacks = [places / str(rank) for rank in range(count)]
        queues = [
            send(process, function, (*arguments, rank), str(stacks[rank]) if POSIX else "")
            for rank, process in enumerate(ranks)
        ]
        while len(answers) < count and time.monotonic() < until:
            for rank in sorted(set(range(count)) - answers.keys()):
                if (answer := look(ranks[rank], queues[rank])) is not None:
                    answers[rank] = answer
                    if _failure(rank, answer, ranks) is not None:
                        until = min(until, time.monotonic() + SOON)
        failures = [failure for rank, answer in answers.items() if (failure := _failure(rank, answer, ranks))]
        if failures:
            raise min(failures, key=_is_lost)
        if len(answers) < count:
            where = [_where(stacks[rank], process) for rank, process in enumerate(ranks) if rank not in answers]
            raise _late(limit, count, answers, where)
    return [result_of(answers[rank], rank) for rank in range(count)]


def address(count: int) -> dict[str, str]:
    """What all ranks have in common: a free port of the loopback address, where they meet."""
    with socket.socket() as free:
        free.bind((LOOPBACK, 0))
        port = free.getsockname()[1]
    shared = {"MASTER_ADDR": LOOPBACK, "MASTER_PORT": str(port), "WORLD_SIZE": str(count)}
    shared |= {"LOCAL_WORLD_SIZE": str(count), "OMP_NUM_THREADS": os.environ.get("OMP_NUM_THREADS", "1")}
    names = [name for _, name in socket.if_nameindex()] if POSIX else []
    own = next((name for name in names if name in ("lo", "lo0")), None)
    return shared | ({} if own is None else {"GLOO_SOCKET_IFNAME": own})


def started_by_torchrun() -> tuple[int, int]:
    """The rank of this process and their number, where ``torchrun`` has started it; else 0 of 1."""
    if "TORCHELASTIC_RUN_ID" not in os.environ:
        return 0, 1
    return int(os.environ.get("RANK", 0)), int(os.environ.get("WORLD_SIZE", 1))


def variables(rank: int) -> dict[str, str]:
    """The variables of the environment that are of one rank alone."""
    return {"RANK": str(rank), "LOCAL_RANK": str(rank)}


def _failure(rank: int, answer: bytes, ranks: Sequence[Popen[bytes]]) -> Exception | None:
    """Why a rank failed, if it did."""
    if not answer:
        return InputError(f"rank {rank}: its process {end_of(ranks[rank])}")
    try:
        result_of(answer, rank)
    except InputError as error:
        return OptionError(f"rank {rank}: ", *(error.parts if isinstance(error, OptionError) else (str(error),)))
    except TheirError as error:
        return error
    return None


def _is_lost(failure: Exception) -> bool:
    """Whether a rank failed because it has lost another one."""
    message = re.split(r"^(?=[\w.]+(?:Error|Exception)\b)", str(failure), flags=re.MULTILINE)[-1]  # it may take lines
    return isinstance(failure, TheirError) and bool(LOST.search(message))


def _late(limit: float, count: int, answers: Mapping[int, bytes], where: Sequence[str]) -> InputError:
    """The error that says, in a line, where each rank is that has no result."""
    running = iter(where)
    said = [f"rank {rank} {'has ended' if rank in answers else next(running)}" for rank in range(count)]
    return OptionError(f"no result in {limit:g} s: {', '.join(said)}; give it more time with ", Option("limit"))


def _where(stack: Path, process: Popen[bytes]) -> str:
    """The line of the user's code at which a rank is."""
    if POSIX:
        with suppress(ProcessLookupError):
            process.send_signal(signal.SIGUSR1)
        until = time.monotonic() + SOON
        while time.monotonic() < until and not _main(stack):
            time.sleep(SOON / 20)
    here, library = str(Path(__file__).parent), sysconfig.get_paths()["stdlib"]
    for file, line, function in FRAME.findall(_main(stack)):
        if not file.startswith((here, library, "<")) and "site-packages" not in file:
            text = linecache.getline(file, int(line)).strip()
            return f"is at {Path(file).name}:{line} in {function}, {text}"
    return "is not yet in the code" if _main(stack) else "does not answer"


def _main(stack: Path) -> str:
    """What was written of the main thread, whose call is the outermost one of the worker; nothing until it is whole."""
    text = stack.read_text(errors="replace") if stack.exists() else ""
    threads = [thread for thread in text.split("\n\n") if "worker.py" in thread and "in <module>" in thread]
    return threads[0] if threads else ""
