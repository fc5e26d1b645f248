"""The training step written by hand in torch operations: no autograd and no ``torch.optim``.

Each function stands on its own, with torch as its only import, so that a reproduction script can contain its text.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

TensorState = dict[str, Tensor]


def sgd(
    w: Tensor,
    g: Tensor,
    state: TensorState,
    *,
    lr: float,
    momentum: float,
    dampening: float,
    weight_decay: float,
    nesterov: bool,
    maximize: bool,
) -> TensorState:
    """w ← w − η(g + λw), with momentum, in place; returns the new state."""
    if maximize:
        g = -g
    if weight_decay:
        g = g + weight_decay * w
    if not momentum:
        w -= lr * g
        return {}
    if "momentum_buffer" in state:
        buffer = momentum * state["momentum_buffer"] + (1 - dampening) * g
    else:
        buffer = g.clone()
    w -= lr * (g + momentum * buffer if nesterov else buffer)
    return {"momentum_buffer": buffer}


def sgdw(
    w: Tensor,
    g: Tensor,
    state: TensorState,
    *,
    lr: float,
    momentum: float,
    dampening: float,
    weight_decay: float,
    nesterov: bool,
) -> TensorState:
    """w ← w(1 − ηλ) − ηg, with momentum, in place; returns the new state."""
    if not momentum:
        w *= 1 - lr * weight_decay
        w -= lr * g
        return {}
    if "momentum_buffer" in state:
        buffer = momentum * state["momentum_buffer"] + (1 - dampening) * g
    else:
        buffer = g.clone()
    w *= 1 - lr * weight_decay
    w -= lr * (g + momentum * buffer if nesterov else buffer)
    return {"momentum_buffer": buffer}


def proximal_sgd(w: Tensor, g: Tensor, state: TensorState, *, lr: float, l1: float, l2: float) -> TensorState:
    """w ← soft(w − ηg, ηλ₁) / (1 + ηλ₂), in place; returns the new state."""
    del state
    v = w - lr * g
    w.copy_(torch.sign(v) * torch.clamp(v.abs() - lr * l1, min=0) / (1 + lr * l2))
    return {}


UPDATES: dict[str, Callable[..., TensorState]] = {"SGD": sgd, "SGDW": sgdw, "ProximalSGD": proximal_sgd}


def squared_error_gradient(
    X: Tensor, y: Tensor, weight: Tensor, bias: Tensor | None, *, factor: float, mean: bool
) -> tuple[Tensor, dict[str, Tensor]]:
    """Loss and gradient of ``factor·reduce((Xwᵀ + b − y)²)``."""
    outputs = X @ weight.T if bias is None else X @ weight.T + bias
    r = outputs - y
    n = len(y) if mean else 1
    loss = factor * (r * r).sum() / n
    upstream = (2 * factor / n) * r
    gradient = {"weight": upstream.T @ X}
    if bias is not None:
        gradient["bias"] = upstream.sum(0)
    return loss, gradient
