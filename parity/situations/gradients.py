"""What is done to gradients before the step: clipping, accumulation; and gradients that are sparse."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import torch

from parity.errors import Unsupported
from parity.record.refusals import Vacuous, refusing
from parity.record.snapshot import exact, real_name
from parity.situations.session import Session
from parity.step.expected import Expected, Quantity, expect
from refimpl.arithmetic.bounded import Bounded, Profile
from refimpl.arithmetic.formats import FORMATS
from refimpl.reductions import norm


def clip_by_norm(session: Session) -> Iterator[Expected]:
    """``clip_grad_norm_``: g ← g·min(1, c/(‖g‖ + 1e-6)) over all gradients together."""
    session.parameter("w")
    session.parameter("v", session.other_shape(9))
    session.start()
    for limit in (0.3, 1e6, 0.01):
        gradients = session.gradients()
        before = {name: exact(g) for name, g in gradients.items()}
        for name, g in gradients.items():
            session.parameters[name].grad = g
        with refusing():
            torch.nn.utils.clip_grad_norm_(session.parameters.values(), limit)
        clipped = {name: session.parameters[name].grad for name in gradients}
        yield from clipped_as_asked(session, before, {n: exact(g) for n, g in clipped.items() if g is not None}, limit)
        yield from session.watched(session.act, moved=gradients)


def clipped_as_asked(
    session: Session, before: dict[str, np.ndarray], after: dict[str, np.ndarray], limit: float
) -> Iterator[Expected]:
    """The clipped gradients against their formula, with the norm accumulated in the dtype at worst."""
    format = FORMATS[real_name(session.parameters["w"])]
    profile = Profile(compute=format, accumulate=format, form=2)  # norms of each, then the norm of the norms
    arrays: dict[str, Any] = {name: Bounded.tensor(g, profile) for name, g in before.items()}
    total = norm(*arrays.values())
    factor = np.minimum(limit / (total + 1e-6), 1)
    for name, g in arrays.items():
        expected = g * factor.reshape(-1, *(1,) * (g.ndim - 1))
        yield expect(Quantity("clipped", name), np.array([session.number]), after[name], expected, format)


def clip_by_value(session: Session) -> Iterator[Expected]:
    """``clip_grad_value_``: every element into ±c, exactly."""
    if session.dtype.is_complex:
        raise Unsupported("complex numbers have no order to clip by")
    session.parameter("w")
    session.start()
    for limit in (0.25, 0.5):
        gradients = session.gradients()
        before = exact(gradients["w"])
        session.parameters["w"].grad = gradients["w"]
        with refusing():
            torch.nn.utils.clip_grad_value_(session.parameters.values(), limit)
        clipped = session.parameters["w"].grad
        assert clipped is not None
        expected = Bounded.tensor(np.clip(before, -limit, limit), session.profile(real_name(clipped)))
        yield expect(
            Quantity("clipped", "w"), np.array([session.number]), exact(clipped), expected, FORMATS[real_name(clipped)]
        )
        yield from session.watched(session.act, moved=["w"])


def accumulated(session: Session) -> Iterator[Expected]:
    """Two backward passes before each step: the gradient is their sum."""
    w = session.parameter("w")
    session.start()
    for _ in range(3):
        parts = [session.values(w.shape) for _ in range(2)]
        leaf = w if w.is_leaf else w.detach().requires_grad_()  # what a differentiable step made is no leaf
        leaf.grad = None
        for part in parts:
            inner: Any = (leaf * part.conj()).sum().real if w.is_complex() else (leaf * part).sum()
            inner.backward()
        gradient = w.grad = leaf.grad
        if gradient is None:
            raise Vacuous("backward left no gradient")
        profile = session.profile(real_name(w))
        total = Bounded.tensor(exact(parts[0]), profile) + Bounded.tensor(exact(parts[1]), profile)
        quantity, stored = Quantity("accumulated", "w"), FORMATS[real_name(w)]
        yield expect(quantity, np.array([session.number]), exact(gradient), total, stored)
        yield from session.watched(session.act, moved=["w"])


def sparse(session: Session) -> Iterator[Expected]:
    """Gradients that name some rows only, as embeddings have."""
    w = session.parameter("w", (session.size, 2))
    session.start()
    for _ in range(3):
        yield from session.step({"w": session.sparse(session.values(w.shape))})
