"""The state saved and loaded midway, as a checkpoint does."""

from __future__ import annotations

import io
from collections.abc import Iterator
from typing import Any

import torch

from parity.errors import Unsupported
from parity.record.refusals import refusing
from parity.record.snapshot import exact, same
from parity.situations.session import Session
from parity.step.expected import Expected, Quantity

FLAGS = {"foreach", "fused", "capturable", "differentiable"}


def saved(session: Session) -> Any:
    """The state as it comes back from a file."""
    file = io.BytesIO()
    torch.save(session.optimizer.state_dict(), file)
    file.seek(0)
    return torch.load(file, weights_only=True)


def reload(session: Session) -> Iterator[Expected]:
    """Into a new optimizer of the same kind: everything goes on as if nothing had happened."""
    yield from around(session, session.implementation)


def reload_other(session: Session) -> Iterator[Expected]:
    """Saved by another implementation: one optimizer's state is the other's."""
    yield from around(session, other_implementation(session.implementation))


def other_implementation(implementation: str) -> str:
    """The implementation that saves what this one loads."""
    return "foreach" if implementation == "for-loop" else "for-loop"


def around(session: Session, first: str) -> Iterator[Expected]:
    session.parameter("w")
    session.parameter("v", session.other_shape(9))
    groups = [{"params": ["w"]}, {"params": ["v"]}]
    session.optimizer = session.build(groups, implementation=first)
    for _ in range(2):
        yield from session.step()
    before, state = session.snapshot(), saved(session)
    session.optimizer = session.build(groups)
    flags = [{key: group[key] for key in FLAGS & group.keys()} for group in session.optimizer.param_groups]
    with refusing():
        session.optimizer.load_state_dict(state)
    for group, own in zip(session.optimizer.param_groups, flags, strict=True):
        group.update(own)  # the file holds the flags of the optimizer that wrote it
    after = session.snapshot()
    for name in session.parameters:
        for key in {**before[name].state, **after[name].state}:
            quantity = Quantity("loaded", name, key)
            yield same(quantity, session.number, before[name].state.get(key), after[name].state.get(key))
    for _ in range(2):
        yield from session.step()


def reload_wider(session: Session) -> Iterator[Expected]:
    """A state of this dtype loaded for float64 parameters: torch casts it to their dtype, exactly."""
    if session.dtype.is_complex:
        raise Unsupported("complex parameters are not widened here")
    session.parameter("w")
    session.start()
    for _ in range(2):
        yield from session.step()
    state, before = saved(session), session.snapshot()
    session.parameter("w", session.parameters["w"].detach().double())
    session.start()
    with refusing():
        session.optimizer.load_state_dict(state)
    after = session.snapshot()
    yield same(Quantity("loaded", "w"), session.number, before["w"].value, exact(session.parameters["w"]))
    for key in before["w"].state:
        quantity = Quantity("loaded", "w", key)
        yield same(quantity, session.number, before["w"].state[key], after["w"].state.get(key))
    for _ in range(2):
        yield from session.step()
