"""What code does to gradients between the backward pass and the step."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from parity.step.arithmetics import rounded
from refimpl.reductions import norm

Gradients = dict[str, Any]


@dataclass(frozen=True)
class ClipValue:
    """Every element cut off at ±c, as ``clip_grad_value_``."""

    limit: float

    def __call__(self, gradient: Gradients) -> Gradients:
        return {name: np.minimum(np.maximum(g, -self.limit), self.limit) for name, g in gradient.items()}


@dataclass(frozen=True)
class Sign:
    """Only the direction of every element."""

    def __call__(self, gradient: Gradients) -> Gradients:
        return {name: np.sign(g) for name, g in gradient.items()}


@dataclass(frozen=True)
class Normalised:
    """``g/‖g‖`` with the norm of all parameters together, or of each one."""

    together: bool

    def __call__(self, gradient: Gradients) -> Gradients:
        every = gradient.values()
        return {name: g / beside(g, norm(*every) if self.together else norm(g)) for name, g in gradient.items()}


@dataclass(frozen=True)
class Rounded:
    """Rounded to a narrower format and back."""

    format: str

    def __call__(self, gradient: Gradients) -> Gradients:
        return {name: rounded(g, self.format) for name, g in gradient.items()}


@dataclass(frozen=True)
class Centralised:
    """``g − mean(g)`` of the weight."""

    def __call__(self, gradient: Gradients) -> Gradients:
        g = gradient["weight"]
        mean = g.reshape(len(g), -1).sum(axis=1) / g[0].size
        return {**gradient, "weight": g - beside(g, mean)}


@dataclass(frozen=True, eq=False)
class Masked:
    """Some elements of the weight's gradient are 0: ``mask`` ``(p,)`` is 0 there and 1 elsewhere."""

    mask: Any

    def __call__(self, gradient: Gradients) -> Gradients:
        g = gradient["weight"]
        return {**gradient, "weight": g * self.mask.reshape(g.shape[1:])}


def beside(g: Any, numbers: Any) -> Any:
    """One number for each run, shaped to meet g, in the arithmetic of the number."""
    return numbers.reshape(-1, *(1,) * (g.ndim - 1))
