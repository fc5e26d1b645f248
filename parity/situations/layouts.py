"""Tensors that are not a plain row of numbers: no axes, no elements, strides."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor

from parity.record.refusals import Vacuous
from parity.record.snapshot import exact, same
from parity.situations.session import Session
from parity.step.expected import Expected, Quantity


def steps(session: Session, parameter: Tensor, count: int = 3) -> Iterator[Expected]:
    session.parameter("w", parameter)
    session.start()
    for _ in range(count):
        yield from session.step()


def zero_dim(session: Session) -> Iterator[Expected]:
    """A parameter without axes."""
    yield from steps(session, session.values(()))


def empty(session: Session) -> Iterator[Expected]:
    """A parameter without elements beside one that has some."""
    session.parameter("none", session.other_shape(0))
    yield from steps(session, session.values(session.shape))


def strided(session: Session) -> Iterator[Expected]:
    """Every second element of a longer row: what lies between them must stay as it is."""
    shape = session.shape
    whole = session.values((*shape[:-1], 2 * shape[-1]))
    if session.implementation == "differentiable":  # a view of what is no leaf
        whole = whole.requires_grad_() * 1
    before = whole.detach().clone()
    parameter = session.parameter("w", whole[..., ::2])
    if parameter.numel() > 1 and parameter.is_contiguous():
        raise Vacuous("the parameter is contiguous")
    session.start()
    for _ in range(3):
        yield from session.step()
    quantity = Quantity("untouched", "between")
    yield same(quantity, session.number, exact(before[..., 1::2]), exact(whole[..., 1::2]))


def transposed(session: Session) -> Iterator[Expected]:
    """A matrix stored by columns, with a gradient stored by rows."""
    shape = session.shape if len(session.shape) == 2 and min(session.shape) > 1 else (session.size, 2)
    whole = session.values(shape[::-1])
    if session.implementation == "differentiable":  # a view of what is no leaf
        whole = whole.requires_grad_() * 1
    parameter = session.parameter("w", whole.T)
    if session.size > 1 and parameter.is_contiguous():
        raise Vacuous("the parameter is contiguous")
    session.start()
    for _ in range(3):
        yield from session.step()


def expanded(session: Session) -> Iterator[Expected]:
    """A row that was expanded and cloned, so that its elements no longer share memory."""
    row = session.values(session.shape[:1]).reshape(-1, 1)
    yield from steps(session, row.expand(-1, 3).clone(memory_format=torch.preserve_format))


def strided_gradient(session: Session) -> Iterator[Expected]:
    """A contiguous parameter with a gradient that is not."""
    session.parameter("w")
    session.start()
    for _ in range(3):
        shape = session.shape
        yield from session.step({"w": session.values((*shape[:-1], 2 * shape[-1]))[..., ::2]})
