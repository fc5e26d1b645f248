"""Loss and gradient written by hand in torch operations: no autograd.

Each loss gives ∂L/∂outputs, which each model carries back to its parameters.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from parity.errors import Unsupported
from refimpl.clipping import Clip
from refimpl.losses import CrossEntropy, SquaredError
from refimpl.models import MLP, Linear
from refimpl.types import Loss, Model


def squared_error(outputs: Tensor, y: Tensor, *, factor: float, mean: bool) -> tuple[Tensor, Tensor]:
    """``factor·reduce((ŷ − y)²)`` and its gradient."""
    r = outputs - y
    n = len(y) if mean else 1
    return factor * (r * r).sum() / n, (2 * factor / n) * r


def cross_entropy(outputs: Tensor, y: Tensor, *, mean: bool) -> tuple[Tensor, Tensor]:
    """``−reduce(log p_y)`` and its gradient ``(p − [j = y])/n``."""
    n = len(y) if mean else 1
    shifted = outputs - outputs.max(1, keepdim=True).values
    log_p = shifted - shifted.exp().sum(1, keepdim=True).log()
    is_class = torch.zeros_like(outputs).scatter(1, y.long(), 1)
    return -log_p.gather(1, y.long()).sum() / n, log_p.exp() / n - is_class / n


def linear(params: Mapping[str, Tensor], X: Tensor) -> Tensor:
    """``Xwᵀ + b``."""
    outputs = X @ params["weight"].T
    return outputs + params["bias"] if "bias" in params else outputs


def linear_gradient(params: Mapping[str, Tensor], X: Tensor, upstream: Tensor) -> dict[str, Tensor]:
    """``δᵀX`` and ``Σδ``."""
    gradient = {"weight": upstream.T @ X}
    return gradient | {"bias": upstream.sum(0)} if "bias" in params else gradient


def mlp(params: Mapping[str, Tensor], X: Tensor, keep: Tensor | None) -> tuple[Tensor, Tensor, Tensor]:
    """``a = XW₁ᵀ + b₁``, ``d = max(a, 0)·keep`` and the outputs ``dW₂ᵀ + b₂``."""
    a = X @ params["fc1.weight"].T + params["fc1.bias"]
    d = a.clamp(min=0) if keep is None else a.clamp(min=0) * keep
    return a, d, d @ params["fc2.weight"].T + params["fc2.bias"]


def mlp_gradient(
    params: Mapping[str, Tensor], X: Tensor, a: Tensor, d: Tensor, keep: Tensor | None, upstream: Tensor
) -> dict[str, Tensor]:
    """``δᵀd``, ``Σδ``, and the same of the first layer with ``(δW₂·keep)[a > 0]``."""
    of_d = upstream @ params["fc2.weight"]
    of_a = (of_d if keep is None else of_d * keep) * (a > 0)
    return {
        "fc1.weight": of_a.T @ X,
        "fc1.bias": of_a.sum(0),
        "fc2.weight": upstream.T @ d,
        "fc2.bias": upstream.sum(0),
    }


def loss_and_gradient(
    model: Model, loss: Loss, params: Mapping[str, Tensor], X: Tensor, y: Tensor, mask: Tensor | None
) -> tuple[Tensor, dict[str, Tensor]]:
    """The loss without penalty and its gradient by parameter."""
    if isinstance(model, Linear):
        value, upstream = loss_by_hand(loss, linear(params, X), y)
        return value, linear_gradient(params, X, upstream)
    assert isinstance(model, MLP)  # the backend has these two
    keep = None if mask is None else mask / (1 - float(model.dropout))
    a, d, outputs = mlp(params, X, keep)
    value, upstream = loss_by_hand(loss, outputs, y)
    return value, mlp_gradient(params, X, a, d, keep, upstream)


def loss_by_hand(loss: Loss, outputs: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
    """A loss and its gradient with respect to the outputs."""
    match loss:
        case SquaredError(factor=factor, reduction=reduction):
            return squared_error(outputs, y, factor=float(factor), mean=reduction == "mean")
        case CrossEntropy(reduction=reduction):
            return cross_entropy(outputs, y, mean=reduction == "mean")
    raise Unsupported(f"{type(loss).__name__} is not written by hand here")


def clipped(gradient: Mapping[str, Tensor], clip: Clip) -> dict[str, Tensor]:
    """``g·min(1, c/(‖g‖ + ε))``, with the norm of all parameters together or of each."""
    norms = {name: g.square().sum().sqrt() for name, g in gradient.items()}
    if clip.of == "all":
        norms = dict.fromkeys(norms, torch.stack(list(norms.values())).square().sum().sqrt())
    return {name: g * (float(clip.norm) / (norms[name] + float(clip.eps))).clamp(max=1) for name, g in gradient.items()}
