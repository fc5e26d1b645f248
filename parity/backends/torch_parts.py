"""The reference's models and losses in torch's words: as modules, as functions, and as one writes them from scratch."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from parity.errors import Unsupported
from refimpl.losses import CrossEntropy, SquaredError
from refimpl.models import MLP, Linear
from refimpl.types import Loss, Model


class TwoLayers(nn.Module):
    """``fc2(relu(fc1(X)))``; in training the hidden units of ``mask``'s zeros are left out, the others divided by
    1 − p.
    """

    def __init__(self, fc1: nn.Linear, fc2: nn.Linear, dropout: float) -> None:
        super().__init__()
        self.fc1, self.fc2, self.dropout = fc1, fc2, dropout

    def forward(self, X: Tensor, mask: Tensor | None = None) -> Tensor:
        hidden = torch.relu(self.fc1(X))
        if mask is not None:
            hidden = hidden * (mask / (1 - self.dropout))
        outputs: Tensor = self.fc2(hidden)
        return outputs


def module(model: Model, features: int, device: str, dtype: torch.dtype) -> nn.Module:
    """The model as a module whose weights are not drawn, so that torch's generator is left alone."""
    empty: Any = nn.utils.skip_init
    match model:
        case Linear(bias=bias):
            linear: nn.Module = empty(nn.Linear, features, 1, bias=bias, device=device, dtype=dtype)
            return linear
        case MLP(hidden=hidden, outputs=outputs, dropout=dropout):
            fc1 = empty(nn.Linear, features, hidden, device=device, dtype=dtype)
            fc2 = empty(nn.Linear, hidden, outputs, device=device, dtype=dtype)
            return TwoLayers(fc1, fc2, float(dropout))
    raise Unsupported(f"the torch backend has no {type(model).__name__} model")


def evaluated(model: Model, params: Mapping[str, Tensor], X: Tensor) -> Tensor:
    """The model's outputs outside of training."""
    if isinstance(model, Linear):
        return nn.functional.linear(X, params["weight"], params.get("bias"))
    hidden = torch.relu(nn.functional.linear(X, params["fc1.weight"], params["fc1.bias"]))
    return nn.functional.linear(hidden, params["fc2.weight"], params["fc2.bias"])


def ready_made(loss: Loss, outputs: Tensor, y: Tensor) -> Tensor:
    """The loss by torch's own function."""
    match loss:
        case SquaredError(factor=factor, reduction=reduction):
            mse: Tensor = nn.functional.mse_loss(outputs, y, reduction=reduction)
            return mse if factor == 1 else float(factor) * mse
        case CrossEntropy(reduction=reduction):
            return nn.functional.cross_entropy(outputs, y[:, 0].long(), reduction=reduction)
    raise Unsupported(f"the torch backend has no {type(loss).__name__} loss")


def from_scratch(loss: Loss, outputs: Tensor, y: Tensor) -> Tensor:
    """The loss from its formula."""
    match loss:
        case SquaredError(factor=factor, reduction=reduction):
            r = outputs - y
            return float(factor) * (r * r).mean() if reduction == "mean" else float(factor) * (r * r).sum()
        case CrossEntropy(reduction=reduction):
            of_row = torch.logsumexp(outputs, 1) - outputs.gather(1, y.long())[:, 0]  # log Σ exp z − z_y
            return of_row.mean() if reduction == "mean" else of_row.sum()
    raise Unsupported(f"the torch backend has no {type(loss).__name__} loss")
