"""The optimizer inside of a wrapper: accelerate's, Lightning's, ``ZeroRedundancyOptimizer`` and the like."""

from __future__ import annotations

from typing import Any

import torch

from parity.errors import InputError

INSIDE = ("optimizer", "optim", "_optimizer")
"""The attributes under which wrappers keep what they wrap."""


def unwrapped(optimizer: Any) -> torch.optim.Optimizer:
    """The optimizer that makes the steps. A class that is derived from one of torch's own is no wrapper."""
    inner, seen = optimizer, set[int]()
    while not is_torchs(inner) and id(inner) not in seen:
        seen.add(id(inner))
        inside = [getattr(inner, name, None) for name in INSIDE]
        inner = next((each for each in inside if isinstance(each, torch.optim.Optimizer) or holds_one(each)), inner)
    if not isinstance(inner, torch.optim.Optimizer):
        raise InputError(
            f"{type(optimizer).__name__}: is no torch.optim.Optimizer, and holds none as "
            f"{', '.join(f'.{name}' for name in INSIDE)}"
        )
    return inner


def is_torchs(optimizer: Any) -> bool:
    """Whether it is an instance of one of the classes of ``torch.optim``, the base class of all of them apart."""
    classes = type(optimizer).__mro__
    return any(cls is not torch.optim.Optimizer and getattr(torch.optim, cls.__name__, None) is cls for cls in classes)


def holds_one(wrapper: Any) -> bool:
    return any(isinstance(getattr(wrapper, name, None), torch.optim.Optimizer) for name in INSIDE)
