"""One rank: a process that is kept from case to case, and that says what came of each."""

from __future__ import annotations

import importlib
import os
import signal
import socket
import warnings
from collections.abc import Callable
from datetime import timedelta
from multiprocessing.connection import Connection
from typing import Any, Literal, NamedTuple, TypeAlias

import torch
import torch.distributed as dist

from parity.errors import Unsupported
from parity.features.verify.case import Case
from parity.features.verify.ranks.reductions import REDUCTIONS
from parity.features.verify.ranks.training import Training
from parity.record.refusals import Broken, Vacuous

Change: TypeAlias = Callable[[Training], None]
"""What is done to a training before its first step: a fault that is planted."""


class Answer(NamedTuple):
    """What a rank says of a case: its ``record``, or the words of what happened."""

    kind: Literal["record", "unsupported", "broken", "vacuous", "error"]
    said: Any


def serve(connection: Connection, rank: int, count: int, store: str, limit: float) -> None:
    """Take cases and answer them, until none comes any more."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent decides
    torch.set_num_threads(1)
    names = [name for _, name in socket.if_nameindex()] if hasattr(socket, "if_nameindex") else []
    if own := next((name for name in names if name in ("lo", "lo0")), None):
        os.environ["GLOO_SOCKET_IFNAME"] = own
    silence()
    try:
        try:
            timeout = timedelta(seconds=limit)
            dist.init_process_group("gloo", init_method=f"file://{store}", rank=rank, world_size=count, timeout=timeout)
            importlib.import_module("torch._dynamo")  # it takes seconds, which the first case would pay
        except Exception as error:
            connection.send(Answer("error", in_a_line(error)))
            return
        connection.send(Answer("record", None))
        while True:
            case, change = connection.recv()
            connection.send(answer(case, change, rank))
    except (EOFError, BrokenPipeError):
        pass  # the parent is gone


def silence() -> None:
    """What the framework's libraries write goes nowhere: the parent prints."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    for stream in (1, 2):
        os.dup2(nowhere, stream)


def answer(case: Case, change: Change | None, rank: int) -> Answer:
    """Run a case on this rank. Ranks that have run it, or have refused it, meet once more: none is a step ahead."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # torch's own, of beta features
            said = attempt(case, change, rank)
        if said.kind in ("record", "unsupported"):
            dist.barrier()
        return said
    except Exception as error:
        return Answer("error", in_a_line(error))


def attempt(case: Case, change: Change | None, rank: int) -> Answer:
    """Run a case on this rank."""
    reduction = REDUCTIONS[case.implementation][case.situation]
    try:
        training = reduction.training(case, reduction.asked, rank, reduction.options)
        if change is not None:
            change(training)
        return Answer("record", training.run())
    except Unsupported as refusal:
        return Answer("unsupported", str(refusal))
    except Broken as failure:
        return Answer("broken", str(failure))
    except Vacuous as reason:
        return Answer("vacuous", str(reason))


def in_a_line(error: Exception) -> str:
    """The class of an error and the first line of what it says."""
    line = str(error).splitlines()[0] if str(error) else ""
    return f"{type(error).__name__}: {line}"
