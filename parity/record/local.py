"""The elements of a tensor that lie on this rank, and tensors whose elements cannot be read."""

from __future__ import annotations

import sys
from typing import Any

import torch
from torch import Tensor
from torch.nn.parameter import is_lazy

from refimpl.arithmetic.formats import FORMATS


def dtensor() -> Any:
    """The class ``DTensor``, or nothing where no program has imported it, so that there are none."""
    module = sys.modules.get("torch.distributed.tensor")
    return () if module is None else module.DTensor


def local(tensor: Tensor) -> Tensor:
    """The part of a ``DTensor`` on this rank, which shares its memory; any other tensor as it is."""
    return tensor._local_tensor if isinstance(tensor, dtensor()) else tensor


def is_spread(tensor: Tensor) -> bool:
    """Whether other ranks have elements that this one has not."""
    return isinstance(tensor, dtensor()) and not all(place.is_replicate() for place in tensor.placements)


def lies_otherwise(tensor: Tensor, gradient: Tensor) -> bool:
    """Whether a gradient is divided over the ranks in another way than its parameter."""
    return getattr(tensor, "placements", None) != getattr(gradient, "placements", None)


def unreadable(tensor: Tensor) -> str:
    """Why the elements of a tensor cannot be read as numbers, or nothing."""
    if is_lazy(tensor):
        return "parameters without a shape, which a first batch gives them"
    part = local(tensor)
    cls = type(part)
    if cls.__torch_dispatch__ is not Tensor.__torch_dispatch__:
        return f"tensors of class {cls.__module__}.{cls.__qualname__}, which keep their elements in a way of their own"
    real = part.dtype.to_real() if part.dtype.is_complex else part.dtype
    if str(real).removeprefix("torch.") not in FORMATS:
        return f"parameters of {part.dtype}"
    if part.layout != torch.strided:
        return "sparse parameters"
    return ""
