"""The products of matrices and vectors that torch makes while something runs, recorded below its optimizers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import numpy as np
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from parity.judge.stages import Product
from parity.record.snapshot import real_name
from refimpl.types import Array

T = TypeVar("T")

FACTORS: dict[Callable[..., Any], int] = {
    torch.ops.aten.dot.default: 0,
    torch.ops.aten.mm.default: 0,
    torch.ops.aten.addmm.default: 1,
    torch.ops.aten.bmm.default: 0,
    torch.ops.aten.baddbmm.default: 1,
    torch.ops.aten.mm.out: 0,
    torch.ops.aten.addmm.out: 1,
    torch.ops.aten.bmm.out: 0,
    torch.ops.aten.baddbmm.out: 1,
}
"""The place of the left factor among the arguments; the right one follows it."""


class Products(TorchDispatchMode):  # type: ignore[no-untyped-call]  # torch
    """A context that keeps every product made inside of it, with operands as they were, in order: ``made``."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]  # torch
        self.made: list[Product] = []
        self.pauses = False

    def unseen(self, function: Callable[[], T]) -> Callable[[], T]:
        """``function``, whose own products are not kept: a closure that an optimizer calls."""

        def paused() -> T:
            self.pauses = True
            try:
                return function()
            finally:
                self.pauses = False

        return paused

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        del types
        place = None if self.pauses else FACTORS.get(func)
        left, right = (None, None) if place is None else map(exactly, args[place : place + 2])  # before they change
        result = func(*args, **(kwargs or {}))
        if left is not None and right is not None:
            name, format = func.overloadpacket.__name__, real_name(result)
            self.made.append(Product(name=name, left=left, right=right, result=exactly(result), format=format))
        return result


def exactly(tensor: torch.Tensor) -> Array:
    """The tensor in float64, with the axis of runs."""
    numbers: Array = np.array(tensor.detach().to("cpu", torch.float64).numpy())[None]
    return numbers
