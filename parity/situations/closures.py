"""A step that is handed a closure."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import Tensor

from parity.errors import Unsupported
from parity.record.snapshot import exact, same
from parity.situations.session import Session
from parity.step.expected import Expected, Quantity


def closure(session: Session) -> Iterator[Expected]:
    """``step(closure)`` calls it once, with gradients switched on, steps with what it leaves, and returns its loss."""
    if session.kind in ("LBFGS", "SparseAdam") or session.implementation == "differentiable":
        raise Unsupported("it takes gradients of its own kind from a closure")
    session.parameter("w")
    session.parameter("v", session.other_shape(9))
    session.start()
    for _ in range(3):
        yield from _step(session)


def _step(session: Session) -> Iterator[Expected]:
    gradients, losses, returned = session.gradients(), list[Tensor](), list[Any]()
    for parameter in session.parameters.values():
        parameter.grad = None

    def act() -> None:
        returned.append(session.optimizer.step(partial(_evaluate, session, gradients, losses)))

    yield from session.watched(act, moved=gradients, seen=gradients)
    yield same(Quantity("value", "calls"), session.number, np.ones((1, 1)), np.array([[float(len(losses))]]))
    loss = exact(returned[0][None]) if isinstance(returned[0], Tensor) else None
    yield same(Quantity("value", "loss"), session.number, exact(losses[-1][None]) if losses else None, loss)


def _evaluate(session: Session, gradients: dict[str, Tensor], losses: list[Tensor]) -> Tensor:
    """Σ ⟨g, w⟩, whose gradient is g wherever it is taken."""
    loss = torch.zeros((), dtype=session.dtype, device=session.device)
    for name, parameter in session.parameters.items():
        parameter.grad = None
        product: Any = parameter * gradients[name].conj()
        loss = loss + (product.real if product.is_complex() else product).sum()
    loss.backward()  # type: ignore[no-untyped-call]  # torch's annotation
    losses.append(loss.detach())
    return loss
