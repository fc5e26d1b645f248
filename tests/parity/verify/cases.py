"""A case, and what an optimizer can do wrong after its step."""

from __future__ import annotations

from typing import Any

import torch

from parity.features.verify.case import Case


def case(**changes: Any) -> Case:
    base = {
        "optimizer": "Adam",
        "options": "decay",
        "implementation": "for-loop",
        "dtype": "float32",
        "device": "cpu",
        "situation": "plain",
        "size": 17,
    }
    return Case(**{**base, **changes})


def broken(change: Any) -> Any:
    """An Adam whose every step is followed by ``change(optimizer)``."""

    class BrokenAdam(torch.optim.Adam):
        def step(self, closure: Any = None) -> None:  # type: ignore[override]
            super().step(closure)
            with torch.no_grad():
                change(self)

    return BrokenAdam


def parameters(optimizer: torch.optim.Optimizer) -> Any:
    return (p for group in optimizer.param_groups for p in group["params"])


def nudge_gradient(optimizer: Any) -> None:
    for p in parameters(optimizer):
        if p.grad is not None:
            p.grad.view(-1)[-1] *= 2


def decay_the_idle(optimizer: Any) -> None:
    for p in parameters(optimizer):
        if p.grad is None:
            p.mul_(0.999)


def count_twice(optimizer: Any) -> None:
    for state in optimizer.state.values():
        state["step"] += 1


def move_storage(optimizer: Any) -> None:
    for p in parameters(optimizer):
        p.data = p.data.clone()


def last_element(optimizer: Any) -> None:
    for p in parameters(optimizer):
        if p.grad is not None:
            p.view(-1)[-1] += 1e-4
