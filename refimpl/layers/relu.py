"""The rectifier, ``y = max(x, 0)``, as ``torch.nn.ReLU``.

Each y depends on its own x only, with the slope 1 above 0 and 0 below. At 0 there is a kink, where any slope from 0 to
1 is a subgradient; torch takes 0, and so does this::

    ∂L/∂x = δ ⊙ [x > 0]

Where rounding leaves the sign of x undecided, running-error arithmetic takes both branches.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from refimpl.types import Array, Params


@dataclass(frozen=True, kw_only=True)
class ReLU:
    """Inputs of any shape; no parameters."""

    def forward(self, params: Params, x: Array) -> Array:
        """y, of the shape of x."""
        del params
        return np.maximum(x, 0)  # max(x, 0)

    def backward(self, params: Params, x: Array, upstream: Array) -> tuple[Array, dict[str, Array]]:
        """∂L/∂x, of the shape of x."""
        del params
        return np.where(x > 0, upstream, 0), {}  # δ ⊙ [x > 0]
