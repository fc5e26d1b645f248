"""Clipping of gradients by their norm: a gradient that is too long is made as long as allowed.

::

    g ← g·min(1, c/(‖g‖₂ + ε))          c: norm

The norm is that of all parameters together (``of="all"``), or of each parameter for itself (``of="each"``). It is
taken as frameworks do, the norm of the parameters' norms. ε = 10⁻⁶ is the constant of torch's ``clip_grad_norm_``; it
makes the clipped gradient shorter than c by the share ε/‖g‖.

Source: Pascanu, Mikolov and Bengio, *On the difficulty of training recurrent neural networks*, 2013, algorithm 1.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from refimpl.arithmetic.bounded import Bounded
from refimpl.ranges import NonNegative, check_fields
from refimpl.reductions import norm
from refimpl.types import Array


@dataclass(frozen=True, kw_only=True)
class Clip:
    """The longest gradient that is allowed: ``norm`` c, ``of`` all parameters together or of each, and ``eps`` ε."""

    norm: NonNegative
    of: Literal["all", "each"] = "all"
    eps: NonNegative = 1e-6

    def __post_init__(self) -> None:
        check_fields(self)

    def __call__(self, gradient: Mapping[str, Array]) -> dict[str, Array]:
        """The clipped gradient of each parameter ``(runs, …)``."""
        norms = {name: norm(g) for name, g in gradient.items()}
        if self.of == "all":
            together = norm(*(each[:, None] for each in norms.values()))
            norms = dict.fromkeys(norms, together)
        return {name: g * _beside(g, self._factor(norms[name])) for name, g in gradient.items()}

    def _factor(self, length: Any) -> Any:
        """min(1, c/(‖g‖ + ε)), ``(runs,)``."""
        factor = self.norm * (1 / (length + self.eps))  # torch divides a number by a tensor in these two roundings
        factor = np.where(factor >= 1, 1, factor)  # nan of a gradient that is not finite stays nan
        return factor.within(0, 1) if isinstance(factor, Bounded) else factor  # even where nothing is known of ‖g‖


def _beside(g: Any, numbers: Any) -> Any:
    """One number for each run, shaped to meet g."""
    return numbers.reshape(-1, *(1,) * (g.ndim - 1))
