"""Which reference a torch optimizer is held to: its own, that of torch's class it is derived from, or a given one."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import torch

from parity.errors import InputError
from parity.record.reference import REFERENCES, in_effect
from refimpl.optimizers import LBFGS
from refimpl.types import Optimizer

Reference = Callable[[Mapping[str, Any]], Optimizer]
"""From a parameter group to the reference with the hyper-parameters that are in effect there."""
BEYOND = {
    "SparseAdam": "its gradients are sparse; parity verify --optimizer SparseAdam checks it",
}
KNOWN = sorted(name for name in REFERENCES.keys() - BEYOND.keys() if hasattr(torch.optim, name))
KINDS: Mapping[str, Any] = {**REFERENCES, "LBFGS": LBFGS}
"""The reference by the name of torch's class, that of all parameters as one vector among them."""


def reference_for(optimizer: torch.optim.Optimizer, given: Any) -> Reference:
    """``given`` as an optimizer, as its class or as a function of the group, else the nearest of torch's classes."""
    kind = given if isinstance(given, type) else type(given)
    if hasattr(kind, "addends"):
        raise InputError(
            f"reference={kind.__name__}: shares numbers among all parameters, and parity.watch judges each by itself; "
            "`parity check CLASS --against NAME` holds a class to it"
        )
    if given is None:
        return partial(in_effect, KINDS[nearest_class(optimizer)])
    if isinstance(given, type):
        return partial(in_effect, given)
    if hasattr(given, "step"):
        return lambda _: given
    if callable(given):
        return given  # type: ignore[no-any-return]
    raise InputError(
        f"reference={given!r}: must be an optimizer of refimpl.optimizers, its class, or a function that makes one of "
        "a parameter group"
    )


def nearest_class(optimizer: torch.optim.Optimizer) -> str:
    """The name of the nearest class of ``torch.optim`` that an optimizer is an instance of."""
    mine = type(optimizer).__name__
    for cls in type(optimizer).__mro__:
        name: str = cls.__name__
        if getattr(torch.optim, name, None) is cls:
            if name in BEYOND:
                raise InputError(f"{mine}: not supported by parity.watch: {BEYOND[name]}")
            if name in KINDS:
                return name
    raise InputError(
        f"{mine}: has no reference; known are {', '.join(sorted([*KNOWN, 'LBFGS']))} and classes derived from them; "
        "for another one give reference=, such as reference=refimpl.optimizers.SGD(lr=0.1)"
    )
