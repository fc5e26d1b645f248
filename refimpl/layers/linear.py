"""A linear layer, ``y = xWᵀ + b``, as ``torch.nn.Linear``: any number of leading axes, features last.

For each row x, ``yₒ = Σᵢ Wₒᵢ xᵢ + bₒ``, so that ∂yₒ/∂xᵢ = Wₒᵢ, ∂yₒ/∂Wₒᵢ = xᵢ and ∂yₒ/∂bₒ = 1. With ``δ = ∂L/∂y`` the
chain rule sums over what the variable reaches, outputs for an input and rows for a parameter::

    ∂L/∂x = δ W           ∂L/∂xᵢ  = Σₒ δₒ Wₒᵢ
    ∂L/∂W = Σ δ xᵀ        ∂L/∂Wₒᵢ = Σ δₒ xᵢ      over the rows
    ∂L/∂b = Σ δ           ∂L/∂bₒ  = Σ δₒ         over the rows

Rounding: b may be added at the end, or the sum may begin with it; running-error arithmetic admits both.

An element of ∂L/∂W needs one column of δ and one of x. So chosen rows and columns of W are found without the others.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from refimpl.arithmetic.kernels import product_with_bias
from refimpl.types import Array, Params

ALL = slice(None)


@dataclass(frozen=True, kw_only=True)
class Linear:
    """``weight`` ``(out, in)`` is W and, unless switched off, ``bias`` ``(out,)`` is b; inputs are ``(…, in)``."""

    bias: bool = True

    def forward(self, params: Params, x: Array) -> Array:
        """y ``(…, out)``."""
        W = params["weight"]
        y: Array = product_with_bias(_rows(x), W.T, params["bias"]) if self.bias else _rows(x) @ W.T  # xWᵀ + b
        return y.reshape(*x.shape[:-1], len(W))

    def backward(self, params: Params, x: Array, upstream: Array) -> tuple[Array, dict[str, Array]]:
        """∂L/∂x ``(…, in)``, and ∂L/∂W and ∂L/∂b, for δ ``(…, out)``."""
        gradients = {"weight": self.weight_gradient(x, upstream)}
        if self.bias:
            gradients["bias"] = _rows(upstream).sum(axis=0)  # Σ δ
        return self.input_gradient(params, upstream).reshape(*x.shape), gradients

    def weight_gradient(self, x: Array, upstream: Array, rows: Any = ALL, columns: Any = ALL) -> Array:
        """∂L/∂W in the chosen rows and columns of W, an index of NumPy each."""
        return _rows(upstream)[:, rows].T @ _rows(x)[:, columns]  # Σ δ xᵀ

    def input_gradient(self, params: Params, upstream: Array, rows: Any = ALL, columns: Any = ALL) -> Array:
        """∂L/∂x in the chosen rows and features of x, with all leading axes in one."""
        return _rows(upstream)[rows] @ params["weight"][:, columns]  # type: ignore[no-any-return]  # δ W


def _rows(x: Array) -> Array:
    """All leading axes in one: a row is a row wherever it stands."""
    return x.reshape(-1, x.shape[-1])
