"""Other people's code in a process of its own: it may raise, print, hang or crash, and costs its run and nothing
else."""

from __future__ import annotations

import os
import signal
import sys
import traceback
from collections.abc import Callable
from multiprocessing import get_context
from multiprocessing.connection import Connection
from typing import Any

from parity.errors import InputError


class TheirError(Exception):
    """An exception in the code that is checked; the text is its traceback, from their code on."""


def run(function: Callable[..., Any], *arguments: Any, limit: float) -> Any:
    """``function(*arguments)``, made in another process; what it returns must be plain data.

    Raises :class:`TheirError` with their traceback, and :class:`InputError` where it takes longer than ``limit``
    seconds, crashes, or gives bad input.
    """
    context = get_context("spawn")
    ours, theirs = context.Pipe()
    process: Any = context.Process(target=_work, args=(theirs, function, arguments), daemon=True)
    process.start()
    theirs.close()
    try:
        if not ours.poll(limit):
            raise InputError(f"no result in {limit:g} s; give it more time with --limit")
        try:
            kind, answer = ours.recv()
        except EOFError:
            process.join()
            code = process.exitcode
            end = f"was killed by {signal.Signals(-code).name}" if code < 0 else f"ended with exit code {code}"
            raise InputError(f"the process that ran it {end}") from None
    finally:
        process.kill()
        process.join()
        ours.close()
    if kind == "theirs":
        raise TheirError(answer)
    if kind == "input":
        raise InputError(answer)
    return answer


def _work(connection: Connection, function: Callable[..., Any], arguments: tuple[Any, ...]) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent decides
    sys.stdout.flush()
    os.dup2(2, 1)  # what their code prints is no result of ours
    try:
        connection.send(("result", function(*arguments)))
    except InputError as error:
        connection.send(("input", str(error)))
    except BaseException as error:  # SystemExit, too, is theirs
        connection.send(("theirs", _from_theirs(error)))


def _from_theirs(error: BaseException) -> str:
    """The traceback without the frames of this package."""
    here = os.path.dirname(os.path.abspath(__file__))  # noqa: PTH100, PTH120  # names of frames are strings
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if not frame.filename.startswith(here)]
    while frames and "importlib" in frames[0].filename:
        frames.pop(0)
    lines = ["Traceback (most recent call last):\n", *traceback.format_list(frames)]
    return "".join([*lines, *traceback.format_exception_only(error)]).rstrip()
