"""Numbers of the groups: each its own, changed by schedulers, and the sign of the gradient."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch

from parity.errors import Unsupported
from parity.record.refusals import Vacuous
from parity.situations.session import Session
from parity.step.expected import Expected

MOMENTA = ("momentum", "betas")
"""What torch's schedulers move beside the rate, by the names that optimizers have for it."""


def groups(session: Session) -> Iterator[Expected]:
    """Groups with rates and decays of their own: each parameter follows its own group."""
    session.parameter("w")
    session.parameter("half", session.other_shape(9))
    session.parameter("free", session.other_shape(5))
    half = {"lr": 0.5 * _rate(session)}
    decay: list[dict[str, Any]] = [{}, {}]
    if session.hyper("weight_decay") is not None:
        decay = [{"weight_decay": value} for value in (0.4, 0.0)]
    session.start([{"params": ["w"]}, {"params": ["half"], **half, **decay[0]}, {"params": ["free"], **decay[1]}])
    for _ in range(3):
        yield from session.step()


def groups_of_momenta(session: Session) -> Iterator[Expected]:
    """Groups with a momentum, or averages, of their own."""
    name = _momentum(session)
    session.parameter("w")
    session.parameter("v", session.other_shape(9))
    session.start([{"params": ["w"]}, {"params": ["v"], name: _smaller(session.hyper(name))}])
    for _ in range(4):
        yield from session.step()


def scheduled(session: Session) -> Iterator[Expected]:
    """A scheduler changes the rate after every second step."""
    session.parameter("w")
    session.start()
    scheduler = torch.optim.lr_scheduler.StepLR(session.optimizer, 2, gamma=0.25)
    for number in range(5):
        before = session.optimizer.param_groups[0]["lr"]
        yield from session.step()
        scheduler.step()
        if (session.optimizer.param_groups[0]["lr"] != before) != (number % 2 == 1):
            raise Vacuous("the rate did not change when it should")


def scheduled_decay(session: Session) -> Iterator[Expected]:
    """The weight decay changes between the steps."""
    if session.hyper("weight_decay") is None:
        raise Unsupported("no weight decay is in effect")
    yield from _changed(session, "weight_decay", (0.4, 0.0, 0.1))


def scheduled_momentum(session: Session) -> Iterator[Expected]:
    """The momentum, or the first average's number, changes between the steps, as ``OneCycleLR`` changes it."""
    name = _momentum(session)
    usual = session.hyper(name)
    yield from _changed(session, name, (_smaller(usual), usual, _smaller(_smaller(usual))))


def _changed(session: Session, name: str, values: tuple[Any, ...]) -> Iterator[Expected]:
    session.parameter("w")
    session.start()
    for _ in range(2):
        yield from session.step()
    for value in values:
        for group in session.optimizer.param_groups:
            if name not in group:
                raise Unsupported(f"its groups have no {name}")
            group[name] = value
        for _ in range(2):
            yield from session.step()


def maximize(session: Session) -> Iterator[Expected]:
    """``maximize``: the step of the negative gradient."""
    if session.hyper("maximize") is None:
        raise Unsupported("it has no option maximize")
    session.parameter("w")
    session.start(maximize=True)
    for _ in range(3):
        yield from session.step()


def _rate(session: Session) -> float:
    rate = session.hyper("lr")
    return float(rate) if isinstance(rate, int | float) else 0.01


def _momentum(session: Session) -> str:
    """The name of its momentum. Raises :class:`Unsupported` where it has none, or it is off."""
    name = next((name for name in MOMENTA if session.hyper(name)), None)
    if name is None:
        raise Unsupported("no momentum is in effect")
    return name


def _smaller(value: Any) -> Any:
    """Another momentum: ⅞ of it; of several numbers the first is another one."""
    return (0.875 * value[0], *value[1:]) if isinstance(value, tuple | list) else 0.875 * value
