"""Ordinary training: several steps, several parameters."""

from __future__ import annotations

from collections.abc import Iterator

import torch

from parity.errors import Unsupported
from parity.record.refusals import Vacuous
from parity.record.snapshot import exact, same
from parity.situations.session import Session
from parity.step.expected import Expected, Quantity

STEPS = 7
"""RAdam rectifies from the sixth step on, at the earliest."""


def plain(session: Session) -> Iterator[Expected]:
    """Steps with a gradient each time."""
    session.parameter("w")
    session.start()
    for _ in range(STEPS):
        yield from session.step()


def several(session: Session) -> Iterator[Expected]:
    """Parameters of different sizes in one group, which a kernel over lists takes together."""
    session.parameter("w")
    for size in (1, 5, 16, 67):
        session.parameter(f"w{size}", session.other_shape(size))
    session.start()
    for _ in range(3):
        yield from session.step()


def twins(session: Session) -> Iterator[Expected]:
    """Two parameters of one shape, and two of one element: each has a state of its own."""
    for name in ("w", "twin"):
        session.parameter(name)
    for name in ("one", "other"):
        session.parameter(name, session.other_shape(1))
    session.start()
    for _ in range(4):
        yield from session.step()


def thousand(session: Session) -> Iterator[Expected]:
    """A thousand steps and some more: counters go on, and corrections come to their end."""
    if session.kind == "LBFGS":
        raise Unsupported("its history has an end, and no counter")
    session.parameter("w", session.other_shape(3))
    session.start()
    session.advance(1000)
    for _ in range(3):
        yield from session.step()


def dtypes(session: Session) -> Iterator[Expected]:
    """Parameters of different dtypes in one group, which a kernel over lists must take apart."""
    session.parameter("w")
    for dtype in (torch.float64, torch.float32, torch.bfloat16):
        if dtype != session.dtype:
            session.parameter(str(dtype).partition(".")[2], session.values(session.shape, dtype=dtype))
    session.start()
    for _ in range(3):
        yield from session.step()


def tensor_rate(session: Session) -> Iterator[Expected]:
    """The learning rate is a tensor, and stays as it is."""
    session.scalar = "float32"
    session.parameter("w")
    rate = torch.tensor(session.hyper("lr"), device=session.device)
    before = rate.clone()
    session.start(lr=rate)
    for _ in range(3):
        yield from session.step()
        yield same(Quantity("untouched", "lr"), session.number, exact(before[None]), exact(rate[None]))
        if session.optimizer.param_groups[0]["lr"] is not rate:
            raise Vacuous("the learning rate is no longer the tensor that was given")


def poisoned(session: Session) -> Iterator[Expected]:
    """torch fills all memory that it hands out with nan before it is written: none of it may be read."""
    before = torch.are_deterministic_algorithms_enabled(), torch.is_deterministic_algorithms_warn_only_enabled()
    torch.use_deterministic_algorithms(True, warn_only=True)
    try:
        if not bool(torch.isnan(torch.empty(64)).all()):
            raise Vacuous("new memory was not filled with nan")
        session.parameter("w")
        session.parameter("v", session.other_shape(33))
        session.start()
        for _ in range(3):
            yield from session.step()
    finally:
        torch.use_deterministic_algorithms(before[0], warn_only=before[1])


def tiny(session: Session) -> Iterator[Expected]:
    """Gradients whose squares underflow in the dtype, and large ones."""
    session.parameter("w")
    session.start()
    smallest = torch.finfo(session.dtype).tiny
    for scale in (1.0, smallest**0.5, 4 * smallest, 100.0):
        yield from session.step(session.gradients(scale=scale))
