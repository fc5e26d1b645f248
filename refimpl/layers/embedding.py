"""An embedding, ``y_i = W[x_i]``, as ``torch.nn.Embedding``: each index becomes a row of a table.

Row v of W goes, with the slope 1, to every place i whose index is v. So with ``δ = ∂L/∂y`` its gradient is a sum over
these places, and 0 where there are none; indices are whole numbers and have no gradient::

    ∂L/∂W_v = Σ_{i: x_i = v} δ_i
    ∂L/∂W_v = Σ_{i: x_i = v} δ_i/c_v          ``scale_grad_by_freq``: c_v is how often v occurs in the batch

The row of ``padding_idx`` has the gradient 0 whatever its places have: it is never trained. A sparse gradient has the
rows of the indices that occur, and no others; added up for each index, they are those of the dense one.

Rounding: in low precision torch on CPUs rounds the dense gradient after every addition; a profile says so (``sums``).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from refimpl.arithmetic.elementary import integer
from refimpl.types import Array, Params

ALL = slice(None)


@dataclass(frozen=True, kw_only=True)
class Embedding:
    """``weight`` ``(entries, features)`` is W; inputs are integers of any shape."""

    padding_idx: int | None = None
    scale_grad_by_freq: bool = False

    def forward(self, params: Params, x: Array) -> Array:
        """y ``(*shape of x, features)``."""
        return params["weight"][x]  # W[x]

    def backward(self, params: Params, x: Array, upstream: Array) -> tuple[None, dict[str, Array]]:
        """None for the indices, and ∂L/∂W ``(entries, features)``."""
        entries = len(params["weight"])
        rows, gradients = self.sparse(entries, x, upstream)
        place = np.full(entries, len(rows))  # in the rows that occur, behind which there is one of zeros
        place[rows] = np.arange(len(rows))
        zeros = params["weight"][:1] * 0
        return None, {"weight": np.concatenate([gradients, zeros], axis=0)[place]}

    def sparse(self, entries: int, x: Array, upstream: Array) -> tuple[Array, Array]:
        """The indices that occur, in order, and the rows of ∂L/∂W that are theirs."""
        rows = np.unique(x)
        if self.padding_idx is not None:
            rows = rows[rows != self.padding_idx % entries]
        return rows, self.weight_gradient(entries, x, upstream, rows)

    def weight_gradient(
        self, entries: int, x: Array, upstream: Array, rows: Array, columns: Any = slice(None)
    ) -> Array:
        """∂L/∂W in chosen rows, and chosen columns of these."""
        x, delta = x.reshape(-1), upstream.reshape(-1, upstream.shape[-1])[:, columns]
        padding = None if self.padding_idx is None else self.padding_idx % entries
        sums = [delta[:0].sum(axis=0)[None]]  # no row yet
        for v in rows:
            terms = delta[(x == v) & (v != padding)]
            if self.scale_grad_by_freq and len(terms):
                terms = terms * (integer(1, terms[:1, :1]) / len(terms))  # δ/c
            sums.append(terms.sum(axis=0)[None])  # Σ δ over the places of v
        return np.concatenate(sums, axis=0)[1:]
