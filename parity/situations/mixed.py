"""Mixed precision: autocast, and the gradient scaler with steps that it must skip."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping

import numpy as np
import torch
from torch import Tensor

from parity.errors import Unsupported
from parity.record.refusals import Vacuous, refusing
from parity.record.snapshot import same
from parity.situations.session import Session
from parity.step.expected import Expected, Quantity
from refimpl.types import Array

SCALE = 2.0**7


def autocast(session: Session) -> Iterator[Expected]:
    """The forward pass in bfloat16, the parameters in their own dtype: gradients arrive in the parameter's dtype."""
    if session.dtype.is_complex:
        raise Unsupported("autocast has no complex numbers")
    w = session.parameter("w")
    session.start()
    for _ in range(3):
        x = session.values((4, *w.shape))
        for parameter in session.parameters.values():
            parameter.grad = None
        with refusing(), torch.autocast(session.device.split(":")[0], torch.bfloat16):
            leaf = w if w.is_leaf else w.detach().requires_grad_()  # what a differentiable step made is no leaf
            outputs = x.reshape(4, -1) @ leaf.reshape(-1, 1)
            if outputs.dtype != torch.bfloat16 and session.dtype in (torch.float32, torch.float16):
                raise Vacuous("the forward pass did not run in bfloat16")
            loss = outputs.float().square().sum()
        loss.backward()  # type: ignore[no-untyped-call]  # torch's annotation
        gradient = w.grad = leaf.grad
        if gradient is None or gradient.dtype != w.dtype:
            raise Vacuous("the gradient has another dtype than its parameter")
        yield from session.watched(session.act, moved=["w"])


def scaler_skips_first(session: Session) -> Iterator[Expected]:
    """The first step has an infinity and is skipped: no state is made, and the step after it is the first."""
    yield from scaled(session, (True, False, False))


def scaler_skips_later(session: Session) -> Iterator[Expected]:
    """A later step is skipped: nothing moves, counts included."""
    yield from scaled(session, (False, True, False, True, True, False))


def scaled(session: Session, overflows: tuple[bool, ...]) -> Iterator[Expected]:
    """Steps of which some have an infinite gradient, through ``torch.amp.GradScaler``."""
    if session.kind == "LBFGS":
        raise Unsupported("GradScaler takes no optimizer with a closure")
    session.parameter("w")
    session.parameter("v", session.other_shape(9))
    session.start()
    device = session.device.split(":")[0]
    scaler = torch.amp.GradScaler(device, init_scale=SCALE, growth_interval=1000)
    for overflow in overflows:
        scale = scaler.scale(torch.ones((), device=session.device)).item()
        true = session.gradients()
        if overflow:
            true["v"].view(-1)[-1] = torch.inf
        hand_over(session, {name: gradient * scale for name, gradient in true.items()})
        seen = {name: gradient * scale / scale for name, gradient in true.items()}  # as the dtype holds them

        def act() -> None:
            scaler.step(session.optimizer)

        yield from session.watched(act, moved=[] if overflow else list(true), seen=seen)
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            scaler.update()
        yield same(
            Quantity("value", "scale"), session.number, one(scale / 2 if overflow else scale), one(scaler.get_scale())
        )


def hand_over(session: Session, gradients: Mapping[str, Tensor]) -> None:
    for name, gradient in gradients.items():
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            session.parameters[name].grad = gradient


def one(number: float) -> Array:
    return np.array([number])
