"""The optimizer's step written by hand in torch operations: no ``torch.optim``.

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


def adam(
    w: Tensor,
    g: Tensor,
    state: TensorState,
    *,
    lr: float,
    betas: tuple[float, float],
    eps: float,
    weight_decay: float,
    amsgrad: bool,
    maximize: bool,
    decoupled_weight_decay: bool = False,
) -> TensorState:
    """w ← w − (η/c₁)·m/(√v/√c₂ + ε), with g + λw as the gradient, in place; returns the new state."""
    if maximize:
        g = -g
    if weight_decay and decoupled_weight_decay:
        w *= 1 - lr * weight_decay
    elif weight_decay:
        g = g + weight_decay * w
    beta1, beta2 = betas
    t = int(state["step"]) + 1 if "step" in state else 1
    m = beta1 * state["exp_avg"] + (1 - beta1) * g if "exp_avg" in state else (1 - beta1) * g
    v = beta2 * state["exp_avg_sq"] + (1 - beta2) * g * g if "exp_avg_sq" in state else (1 - beta2) * g * g
    after = {"step": torch.tensor(float(t)), "exp_avg": m, "exp_avg_sq": v}
    if amsgrad:
        v = torch.maximum(state["max_exp_avg_sq"], v) if "max_exp_avg_sq" in state else v
        after["max_exp_avg_sq"] = v
    w -= lr / (1 - beta1**t) * m / (v.sqrt() / (1 - beta2**t) ** 0.5 + eps)
    return after


def adamw(
    w: Tensor,
    g: Tensor,
    state: TensorState,
    *,
    lr: float,
    betas: tuple[float, float],
    eps: float,
    weight_decay: float,
    amsgrad: bool,
    maximize: bool,
) -> TensorState:
    """w ← w(1 − ηλ) − (η/c₁)·m/(√v/√c₂ + ε), in place; returns the new state."""
    if maximize:
        g = -g
    beta1, beta2 = betas
    t = int(state["step"]) + 1 if "step" in state else 1
    m = beta1 * state["exp_avg"] + (1 - beta1) * g if "exp_avg" in state else (1 - beta1) * g
    v = beta2 * state["exp_avg_sq"] + (1 - beta2) * g * g if "exp_avg_sq" in state else (1 - beta2) * g * g
    after = {"step": torch.tensor(float(t)), "exp_avg": m, "exp_avg_sq": v}
    if amsgrad:
        v = torch.maximum(state["max_exp_avg_sq"], v) if "max_exp_avg_sq" in state else v
        after["max_exp_avg_sq"] = v
    w *= 1 - lr * weight_decay
    w -= lr / (1 - beta1**t) * m / (v.sqrt() / (1 - beta2**t) ** 0.5 + eps)
    return after


def rmsprop(
    w: Tensor,
    g: Tensor,
    state: TensorState,
    *,
    lr: float,
    alpha: float,
    eps: float,
    weight_decay: float,
    momentum: float,
    centered: bool,
    maximize: bool,
) -> TensorState:
    """w ← w − ηg/(√v + ε), v less the squared mean when centered, with momentum, in place; returns the new state."""
    if maximize:
        g = -g
    if weight_decay:
        g = g + weight_decay * w
    v = alpha * state["square_avg"] + (1 - alpha) * g * g if "square_avg" in state else (1 - alpha) * g * g
    after = {"step": state.get("step", torch.tensor(0.0)) + 1, "square_avg": v}
    if centered:
        m = state["grad_avg"] + (1 - alpha) * (g - state["grad_avg"]) if "grad_avg" in state else (1 - alpha) * g
        after["grad_avg"] = m
        v = v - m * m
    d = g / (v.sqrt() + eps)
    if momentum:
        d = momentum * state["momentum_buffer"] + d if "momentum_buffer" in state else d
        after["momentum_buffer"] = d
    w -= lr * d
    return after


UPDATES: dict[str, Callable[..., TensorState]] = {
    "SGD": sgd,
    "SGDW": sgdw,
    "ProximalSGD": proximal_sgd,
    "Adam": adam,
    "AdamW": adamw,
    "RMSprop": rmsprop,
}
