"""What computes on the device ``npy``: the CPU's own kernels, another right way, and ways in which kernels go wrong."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch.utils._pytree import tree_iter

Kernels = Callable[[Any, tuple[Any, ...], dict[str, Any]], Any]
PRODUCTS = ("aten::mm", "aten::addmm", "aten::bmm", "aten::matmul", "aten::linear", "aten::mv", "aten::dot")
BLOCK = 16
"""Elements that a block of the device has."""


def right(operation: Any, given: tuple[Any, ...], options: dict[str, Any]) -> Any:
    """As the CPU computes."""
    return operation(*given, **options)


def reordered(operation: Any, given: tuple[Any, ...], options: dict[str, Any]) -> Any:
    """Right, too: the products of a matrix product are added in the opposite order."""
    if operation._schema.name == "aten::mm":
        a, b = given
        given = (a.flip(1), b.flip(0))
    return right(operation, given, options)


def coarse_operands(operation: Any, given: tuple[Any, ...], options: dict[str, Any]) -> Any:
    """The operands of matrix products in float32 keep 10 bits behind the point, as TF32's do."""
    if operation._schema.name in PRODUCTS:
        given = tuple(_coarse(x) if isinstance(x, torch.Tensor) and x.dtype == torch.float32 else x for x in given)
    return right(operation, given, options)


def _coarse(x: torch.Tensor) -> torch.Tensor:
    bits = x.contiguous().view(torch.int32)
    return ((bits + 0x1000) & ~0x1FFF).view(torch.float32)


def flushed(operation: Any, given: tuple[Any, ...], options: dict[str, Any]) -> Any:
    """What lies below the smallest normal number becomes 0."""
    result = right(operation, given, options)
    for tensor in _made(result, options):
        tensor[tensor.abs() < torch.finfo(tensor.dtype).smallest_normal] = 0
    return result


def last_block_skipped(operation: Any, given: tuple[Any, ...], options: dict[str, Any]) -> Any:
    """Of what is written in place, the elements behind the last whole block stay as they were."""
    before = {t.data_ptr(): t.clone() for t in tree_iter(given) if isinstance(t, torch.Tensor)}
    result = right(operation, given, options)
    for tensor in _made(result, options):
        old = before.get(tensor.data_ptr())
        if old is not None and old.shape == tensor.shape and tensor.dim() and (rest := tensor.numel() % BLOCK):
            tensor.view(-1)[-rest:] = old.reshape(-1)[-rest:]
    return result


def no_bias(operation: Any, given: tuple[Any, ...], options: dict[str, Any]) -> Any:
    """``addmm``, the product of a linear layer, forgets what it should add."""
    if operation._schema.name == "aten::addmm":
        given = (torch.zeros_like(given[0]), *given[1:])
    return right(operation, given, options)


def _made(result: Any, options: dict[str, Any]) -> Iterator[torch.Tensor]:
    """The tensors of floating-point numbers that an operation has written."""
    for value in tree_iter((result, options.get("out"))):
        if isinstance(value, torch.Tensor) and value.is_floating_point():
            yield value


KERNELS: dict[str, Kernels] = {
    "right": right,
    "reordered": reordered,
    "coarse operands": coarse_operands,
    "flushed": flushed,
    "last block skipped": last_block_skipped,
    "no bias": no_bias,
}
