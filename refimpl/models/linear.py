"""The linear model ``ŷ = X wᵀ + b`` with torch's parameter shapes.

For upstream ``δᵢ = ∂L/∂ŷᵢ`` the chain rule gives::

    ∂L/∂w = Σᵢ δᵢ xᵢ        because ∂ŷᵢ/∂w = xᵢ
    ∂L/∂b = Σᵢ δᵢ           because ∂ŷᵢ/∂b = 1

and, with the diagonal ``h`` of ∂²L/∂ŷ², the Hessian in ``(w, b)`` is ``[X 1]ᵀ diag(h) [X 1]``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from refimpl.types import Array, Params


@dataclass(frozen=True, kw_only=True)
class Linear:
    """One output; ``weight`` ``(runs, 1, p)`` and, unless switched off, ``bias`` ``(runs, 1)``."""

    bias: bool = True

    @property
    def ndim(self) -> Mapping[str, int]:
        return {"weight": 3, "bias": 2} if self.bias else {"weight": 3}

    @property
    def weights(self) -> tuple[str, ...]:
        return ("weight",)

    @property
    def outputs(self) -> int:
        return 1

    def shapes(self, features: int) -> dict[str, tuple[int, ...]]:
        return {"weight": (1, features), "bias": (1,)} if self.bias else {"weight": (1, features)}

    def forward(self, params: Params, X: Array) -> Array:
        """Outputs ``(runs, n, 1)`` for inputs ``(runs or 1, n, p)``."""
        weight = params["weight"]
        outputs: Array
        if X.shape[0] == 1:  # inputs shared by all runs: one matrix product for all of them
            outputs = (weight[:, 0, :] @ X[0].T)[:, :, None]  # X wᵀ
        else:
            outputs = X @ weight.swapaxes(1, 2)  # X wᵀ
        return outputs + params["bias"][:, None, :] if self.bias else outputs  # + b

    def backward(self, params: Params, X: Array, upstream: Array) -> dict[str, Array]:
        """∂L/∂w ``(runs, 1, p)`` and ∂L/∂b ``(runs, 1)`` for δ = ``upstream`` ``(runs, n, 1)``."""
        del params
        if X.shape[0] == 1:
            weight = (upstream[:, :, 0] @ X[0])[:, None, :]  # Σᵢ δᵢ xᵢ
        else:
            weight = upstream.swapaxes(1, 2) @ X  # Σᵢ δᵢ xᵢ
        return {"weight": weight, "bias": upstream.sum(axis=1)} if self.bias else {"weight": weight}  # Σᵢ δᵢ

    def rows(self, X: Array) -> Array:
        """``[xᵢ, 1]``, ``(runs or 1, n, p + 1)``: every gradient in (w, b) is a combination of these rows."""
        return np.concatenate([X, np.ones_like(X[:, :, :1])], axis=2) if self.bias else X

    def hessian(self, X: Array, curvature: Array) -> Array:
        """``[X 1]ᵀ diag(h) [X 1]``, ``(runs or 1, q, q)``, from ``curvature`` h ``(runs or 1, n, 1)``."""
        rows = self.rows(X)
        hessian: Array = rows.swapaxes(1, 2) @ (curvature * rows)
        return hessian
