"""The reference of a torch optimizer with what torch has in effect, and the arithmetic that its kernels compute in."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from typing import Any

from torch import Tensor

from refimpl.arithmetic.bounded import Profile
from refimpl.arithmetic.formats import FORMATS
from refimpl.optimizers import OPTIMIZERS
from refimpl.types import Optimizer

REFERENCES: Mapping[str, Any] = {cls.__name__: cls for cls in OPTIMIZERS.values()}
"""The reference by the name of torch's class."""
WITH_SUMS = ("Adafactor", "Muon", "LBFGS")
"""Optimizers that add up over a whole tensor."""


def in_effect(kind: Any, group: Mapping[str, Any]) -> Optimizer:
    """A reference with the hyper-parameters that torch has in effect for a group."""
    reference: Optimizer = kind(**{f.name: python_value(group[f.name]) for f in fields(kind) if f.name in group})
    return reference


def python_value(value: Any) -> Any:
    """A hyper-parameter as Python has it; a tensor is the number in it."""
    if isinstance(value, tuple | list):
        return tuple(map(python_value, value))
    return value.item() if isinstance(value, Tensor) else value


def profile_of(dtype: str, device: str, *, fused: bool, scalar: str, sums: str | None = None) -> Profile:
    """Elementwise kernels round every operation to the dtype, or compute better and round at the end.

    ``scalar``: what expressions of hyper-parameters are computed in. ``sums``: what sums are added up in.
    """
    fused_low = fused and not device.startswith("cpu")
    compute = "float32" if fused_low and FORMATS[dtype].digits < 24 else dtype
    return Profile(compute=FORMATS[compute], accumulate=FORMATS[sums or compute], scalar=FORMATS[scalar])
