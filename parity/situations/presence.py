"""Parameters that come and go: without gradient, frozen, added later."""

from __future__ import annotations

from collections.abc import Iterator

import torch

from parity.errors import Unsupported
from parity.situations.session import Session
from parity.step.expected import Expected


def no_gradient(session: Session) -> Iterator[Expected]:
    """One of three parameters never has a gradient: nothing may happen to it, decay and state included."""
    for name, size in (("w", None), ("idle", 9), ("v", 4)):
        session.parameter(name, None if size is None else session.other_shape(size))
    session.start()
    for _ in range(3):
        yield from session.step(session.gradients(["w", "v"]))


def zero_gradient(session: Session) -> Iterator[Expected]:
    """A gradient of zeros is a gradient: decay and momentum go on."""
    session.parameter("w")
    session.start()
    yield from session.step()
    for _ in range(2):
        yield from session.step(session.gradients(scale=0.0))
    yield from session.step()


def zero_gradient_first(session: Session) -> Iterator[Expected]:
    """The first gradient is zero everywhere: 0/0 must not happen, or be predicted."""
    session.parameter("w")
    session.start()
    yield from session.step(session.gradients(scale=0.0))
    for _ in range(2):
        yield from session.step()


def frozen_midway(session: Session) -> Iterator[Expected]:
    """A parameter is frozen after two steps: values and state stay, and go on where they were when it is thawed."""
    session.parameter("w")
    session.parameter("v", session.other_shape(9))
    session.start()
    for _ in range(2):
        yield from session.step()
    for _ in range(2):
        yield from session.step(session.gradients(["w"]))
    yield from session.step()


def unfrozen_late(session: Session) -> Iterator[Expected]:
    """A parameter gets its first gradient at the third step: its own count starts then."""
    session.parameter("w")
    session.parameter("late", session.other_shape(9))
    session.start()
    for _ in range(2):
        yield from session.step(session.gradients(["w"]))
    for _ in range(2):
        yield from session.step()


def added_later(session: Session) -> Iterator[Expected]:
    """A group is added after two steps (``add_param_group``)."""
    if session.kind == "LBFGS":
        raise Unsupported("This optimizer doesn't support per-parameter options and parameter groups")
    session.parameter("w")
    session.start()
    for _ in range(2):
        yield from session.step()
    session.optimizer.add_param_group({"params": [session.parameter("late", session.other_shape(9))]})
    for _ in range(2):
        yield from session.step()


def no_gradients_at_all(session: Session) -> Iterator[Expected]:
    """A step without any gradient does nothing, first or later."""
    session.parameter("w")
    session.start()
    yield from session.step({})
    yield from session.step()
    yield from session.step({})
    yield from session.step()


def requires_no_grad(session: Session) -> Iterator[Expected]:
    """A parameter that requires no gradient stands beside one that does."""
    session.parameter("w")
    fixed = session.values(session.other_shape(9))
    session.parameters["fixed"] = fixed
    assert isinstance(fixed, torch.Tensor) and not fixed.requires_grad
    session.start()
    for _ in range(3):
        yield from session.step(session.gradients(["w"]))
