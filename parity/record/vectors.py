"""All parameters of an optimizer as one vector, and the state that L-BFGS keeps of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from parity.judge.stages import Evaluation
from parity.record.products import exactly
from refimpl.types import Array


def evaluation(parameters: Sequence[Tensor], loss: Any) -> Evaluation:
    """What the closure of a step was asked at, and what it gave; a parameter without a gradient has zeros."""
    gradients = [torch.zeros_like(p) if p.grad is None else p.grad for p in parameters]
    return Evaluation(params=flat(parameters), loss=row(loss), gradient=flat(gradients))


def recorded(state: Mapping[str, Any]) -> dict[str, Any]:
    """torch's state, rows of numbers."""
    return {key: row(value) for key, value in state.items()}


def row(value: Any) -> Any:
    """A tensor or number as a row; a list as a tuple of them, without what is unused."""
    if isinstance(value, list):
        return tuple(row(each) for each in value if each is not None)
    tensor = value.detach() if isinstance(value, Tensor) else torch.tensor(value, dtype=torch.float64)
    tensor = tensor.to_dense() if tensor.is_sparse else tensor
    tensor = torch.view_as_real(tensor.resolve_conj()) if tensor.is_complex() else tensor
    return exactly(tensor).reshape(1, -1)


def flat(tensors: Sequence[Tensor]) -> Array:
    """All tensors as one row of numbers."""
    return np.concatenate([row(tensor) for tensor in tensors], axis=1)
