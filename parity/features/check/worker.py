"""Other people's code in a process of its own: it may raise, print, hang, crash or start further processes, and costs
its run and nothing else.

The process leads a session; all that is still in it at the end is killed, and so it is where this process ends without
having done so: a shell that waits for that keeps guard.
"""

from __future__ import annotations

import faulthandler
import gc
import importlib
import os
import pickle
import queue
import signal
import subprocess
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from typing import Any, BinaryIO

from parity.errors import InputError, Option, OptionError

WATCHED = 0.05
"""Seconds between two looks at whether the process is still there."""
POSIX = os.name == "posix"


class TheirError(Exception):
    """An exception in the code that is checked; the text is its traceback, from their code on. ``rank``: where it was
    raised, if there are several."""

    def __init__(self, text: str, rank: int | None = None) -> None:
        super().__init__(text)
        self.rank = rank

    @property
    def said(self) -> str:
        """A line that says what happened; the traceback stands above it."""
        if self.rank is None:
            return "raised the exception above"
        return f"rank {self.rank} raised the exception above: {str(self).splitlines()[-1]}"


def run(function: str | Callable[..., Any], *arguments: Any, limit: float) -> Any:
    """``function(*arguments)``, made in another process; what it returns must be plain data.

    ``function``: ``module:name`` where this process is not to import it.

    Raises :class:`TheirError` with their traceback, and :class:`InputError` where it takes longer than ``limit``
    seconds, crashes, or gives bad input.
    """
    until = time.monotonic() + limit
    answer: bytes | None = None
    with started() as process:
        answers = send(process, function, arguments)
        while answer is None and time.monotonic() < until:
            answer = look(process, answers)
    if answer is None:
        raise OptionError(f"no result in {limit:g} s; give it more time with ", Option("limit"))
    if not answer:
        raise InputError(f"the process that ran it {end_of(process)}")
    return result_of(answer)


def end_of(process: subprocess.Popen[bytes]) -> str:
    """How a process ended that gave no answer."""
    code = process.returncode
    return f"was killed by {signal.Signals(-code).name}" if code < 0 else f"ended with exit code {code}"


def result_of(answer: bytes, rank: int | None = None) -> Any:
    """The result that is in an answer. Raises what the process raised."""
    kind, result = pickle.loads(answer)
    if kind == "theirs":
        raise TheirError(result, rank)
    if kind == "input":
        raise OptionError(*result)
    return result


@contextmanager
def started(environment: Mapping[str, str] | None = None) -> Iterator[subprocess.Popen[bytes]]:
    """The process, waiting for what to run; it and all that it started are gone afterwards, whatever happens here.

    ``environment``: variables that are set there beside those of this process.
    """
    code = f"import sys; sys.path[:] = {sys.path!r}; from parity.features.check.worker import serve; serve()"
    pipe = subprocess.PIPE
    process = subprocess.Popen(
        [sys.executable, "-c", code],
        stdin=pipe,
        stdout=pipe,
        start_new_session=True,
        env={**os.environ, **(environment or {})},
    )
    guard = None
    try:
        if POSIX:
            script = 'read -r done || kill -9 "-$0" "$0"'
            nothing = subprocess.DEVNULL
            words = ["/bin/sh", "-c", script, str(process.pid)]
            guard = subprocess.Popen(words, stdin=pipe, stdout=nothing, stderr=nothing, start_new_session=True)
        yield process
    finally:
        if POSIX:
            with suppress(ProcessLookupError, PermissionError):  # nothing is left; nothing but zombies on macOS
                os.killpg(process.pid, signal.SIGKILL)
        process.kill()
        process.wait()
        if guard is not None:
            with suppress(BrokenPipeError):
                guard.communicate(b"done\n")


def send(
    process: subprocess.Popen[bytes], function: str | Callable[..., Any], arguments: Sequence[Any], stack: str = ""
) -> queue.SimpleQueue[bytes]:
    """Send what is to be run; its answer comes in the queue.

    ``stack``: a file in which the process writes where it is when it gets SIGUSR1.
    """
    answers: queue.SimpleQueue[bytes] = queue.SimpleQueue()
    threading.Thread(target=_read, args=(process.stdout, answers), daemon=True).start()
    with suppress(BrokenPipeError):  # it is gone, which is seen when its answer is looked for
        assert process.stdin is not None
        process.stdin.write(pickle.dumps((function, tuple(arguments), stack)))
        process.stdin.close()
    return answers


def look(process: subprocess.Popen[bytes], answers: queue.SimpleQueue[bytes], seconds: float = WATCHED) -> bytes | None:
    """The answer, if it comes within so many seconds; empty where the process ended without one, else None."""
    with suppress(queue.Empty):
        return answers.get(timeout=seconds)
    if process.poll() is None:
        return None
    with suppress(queue.Empty):
        return answers.get(timeout=WATCHED)
    return b""


def _read(source: BinaryIO, answers: queue.SimpleQueue[bytes]) -> None:
    """Read the answer: its length, then as many bytes. The end of the stream is none: others may hold it."""
    with source, suppress(ValueError, OSError):
        length = int.from_bytes(source.read(8), "big")
        answer = source.read(length)
        if length and len(answer) == length:
            answers.put(answer)


def serve() -> None:
    """The other process: run what comes in, and send what it returns where nothing they print can go."""
    answer_to = os.dup(1)
    os.dup2(2, 1)
    request = sys.stdin.buffer.read()
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    if not request:
        return
    gc.disable()  # nearly all that imports make stays: searches for garbage in it cost a sixth of torch's import
    try:
        function, arguments, stack = pickle.loads(request)
        if stack:
            where = os.open(stack, os.O_WRONLY | os.O_CREAT)
            faulthandler.register(signal.SIGUSR1, file=where)
        if isinstance(function, str):
            module, _, name = function.partition(":")
            function = getattr(importlib.import_module(module), name)
        gc.freeze()  # what is there by now is not searched again
        gc.enable()
        answer: tuple[str, Any] = ("result", function(*arguments))
    except InputError as error:
        answer = ("input", error.parts if isinstance(error, OptionError) else (str(error),))
    except BaseException as error:  # SystemExit, too, is theirs
        answer = ("theirs", _from_theirs(error))
    for stream in (sys.stdout, sys.stderr):
        with suppress(Exception):  # they may have closed or replaced it
            stream.flush()
    data = pickle.dumps(answer)
    with os.fdopen(answer_to, "wb") as out:
        out.write(len(data).to_bytes(8, "big") + data)
    threading.Event().wait()  # until it is killed: their threads and exit handlers are not waited for


def _from_theirs(error: BaseException) -> str:
    """The traceback without the frames of this package."""
    here = os.path.dirname(os.path.abspath(__file__))  # noqa: PTH100, PTH120  # names of frames are strings
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if not frame.filename.startswith(here)]
    while frames and "importlib" in frames[0].filename:
        frames.pop(0)
    lines = ["Traceback (most recent call last):\n", *traceback.format_list(frames)]
    return "".join([*lines, *traceback.format_exception_only(error)]).rstrip()
