"""The Gaussian error linear unit, ``y = x·Φ(x)``, Φ being the normal distribution function, as ``torch.nn.GELU``.

With the density φ(x) = Φ′(x) the product rule gives the slope::

    Φ(x) = ½(1 + erf(x/√2))          φ(x) = exp(−x²/2)/√(2π)
    y′   = Φ(x) + xφ(x)

The form with tanh replaces Φ by ½(1 + t) with ``t = tanh v``, ``v = κ(x + ax³)``, κ = √(2/π), a = 0.044715. Because
t′ = (1 − t²)v′ and v′ = κ(1 + 3ax²)::

    y  = ½x(1 + t)
    y′ = ½(1 + t) + ½x(1 − t²)κ(1 + 3ax²)

and in either form ``∂L/∂x = δ ⊙ y′``. The two forms differ by up to 5e-4: they are different functions.

Source: Hendrycks & Gimpel, "Gaussian error linear units", 2016, §2.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from refimpl.arithmetic.elementary import erf, integer, pi
from refimpl.arithmetic.kernels import fused
from refimpl.ranges import check_fields
from refimpl.types import Array, Params


@dataclass(frozen=True, kw_only=True)
class GELU:
    """Inputs of any shape; no parameters. ``approximate``: the form with tanh in the place of Φ."""

    approximate: Literal["none", "tanh"] = "none"

    def __post_init__(self) -> None:
        check_fields(self)

    def forward(self, params: Params, x: Array) -> Array:
        """y, of the shape of x."""
        del params
        if self.approximate == "tanh":
            return fused(lambda x: x * (1 + np.tanh(_argument(x)[0])) / 2, x)  # type: ignore[no-any-return]  # ½x(1 + t)
        return fused(lambda x: x * _distribution(x), x)  # type: ignore[no-any-return]  # xΦ(x)

    def backward(self, params: Params, x: Array, upstream: Array) -> tuple[Array, dict[str, Array]]:
        """∂L/∂x, of the shape of x."""
        del params
        slope = _slope_with_tanh if self.approximate == "tanh" else _slope
        return fused(lambda x, upstream: upstream * slope(x), x, upstream), {}  # δ ⊙ y′


def _distribution(x: Any) -> Any:
    """Φ(x)."""
    return (1 + erf(x / np.sqrt(integer(2, x)))) / 2  # ½(1 + erf(x/√2))


def _slope(x: Any) -> Any:
    density = np.exp(-(x**2) / 2) / np.sqrt(2 * pi(x))  # φ(x)
    return _distribution(x) + x * density  # Φ + xφ


def _argument(x: Any) -> tuple[Any, Any]:
    """v and its slope v′."""
    kappa, a = np.sqrt(2 / pi(x)), integer(44715, x) / 1_000_000
    return kappa * (x + a * x**3), kappa * (1 + 3 * a * x**2)  # κ(x + ax³), κ(1 + 3ax²)


def _slope_with_tanh(x: Any) -> Any:
    v, slope = _argument(x)
    t = np.tanh(v)
    return (1 + t) / 2 + x * (1 - t**2) * slope / 2  # ½(1 + t) + ½x(1 − t²)v′
