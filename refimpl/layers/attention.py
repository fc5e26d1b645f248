"""Attention by scaled inner products, ``O = softmax(s·QKᵀ)V``, as ``torch.nn.functional.scaled_dot_product_attention``.

For each query, a row of Q, with the keys and values of the rows of K and V::

    S = s·QKᵀ + M                scores, M being a mask that is added
    P = softmax(S)               each row adds up to 1
    D = P ⊙ m/(1 − p)            dropout of weights, D = P without it
    O = DV

Backwards, for δ = ∂L/∂O, from the last line to the first; the third is the derivative of a softmax, pᵢ(gᵢ − Σⱼ gⱼpⱼ)::

    ∂L/∂V = Dᵀδ                  ∂L/∂D = δVᵀ
    G     = ∂L/∂P = ∂L/∂D ⊙ m/(1 − p)
    ∂L/∂S = P ⊙ (G − Σⱼ GⱼPⱼ)
    ∂L/∂Q = s·∂L/∂S K            ∂L/∂K = s·(∂L/∂S)ᵀQ

A mask of truth values has False where a key is not seen, an added one −∞: P is 0 there. A query that sees no key has
P = 0 everywhere, as in torch, and gradients of 0. ``causal``: query i sees keys 0 to i only. s is 1/√e unless it is
given, e being the length of a query: inner products of e independent numbers have the standard deviation √e.

Rounding: s may multiply S or, as √s, both Q and K; P may be exp(S − max)/Σ or exp(S − log Σ exp S); the sum Σⱼ GⱼPⱼ is
also Σₑ δₑOₑ. Running-error arithmetic admits all of these. In low precision scores and their softmax are not rounded to
the format of tensors, O, D and ∂L/∂S are.

Source: Vaswani et al., "Attention is all you need", 2017, eq. 1; Dao et al., "FlashAttention", 2022, appendix B.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated, Any

import numpy as np

from refimpl.arithmetic.elementary import integer
from refimpl.arithmetic.kernels import either, fused
from refimpl.ranges import Range, Rate, check_fields
from refimpl.types import Array, Number, Params

Inputs = tuple[Array, Array, Array]


@dataclass(frozen=True, kw_only=True)
class Attention:
    """The input is ``(Q, K, V)``, of shapes ``(…, queries, e)``, ``(…, keys, e)`` and ``(…, keys, values)``.

    ``mask``: of truth values, or numbers that are added; it broadcasts to ``(…, queries, keys)``. ``dropout``: p;
    ``kept``: the mask m of dropout, zeros and ones of the same shape.
    """

    scale: Annotated[Number | None, Range(low=0, optional=True)] = None
    causal: bool = False
    mask: Array | None = field(default=None, repr=False, compare=False)
    dropout: Rate = 0.0
    kept: Array | None = field(default=None, repr=False, compare=False)

    def __post_init__(self) -> None:
        check_fields(self)

    def forward(self, params: Params, x: Inputs) -> Array:
        """O ``(…, queries, values)``."""
        del params
        P = fused(self._weights, *x[:2], self.scale)
        return self._dropped(P, self.dropout) @ x[2]  # DV

    def backward(self, params: Params, x: Inputs, upstream: Array) -> tuple[Inputs, dict[str, Array]]:
        """∂L/∂Q, ∂L/∂K and ∂L/∂V, each of the shape of what it is of."""
        Q, K, V = x

        def of_scores(
            Q: Array, K: Array, V: Array, output: Array, delta: Array, scale: Any, p: Any
        ) -> tuple[Array, Array]:
            P = self._weights(Q, K, scale)
            G = self._dropped(delta @ V.swapaxes(-1, -2), p)  # δVᵀ ⊙ m/(1 − p)
            inner = either((G * P).sum(axis=-1), (delta * output).sum(axis=-1))[..., None]  # Σ GP = Σ δO
            return P * (G - inner), self._dropped(P, p)  # P ⊙ (G − Σ GP), D

        of_S, D = fused(of_scores, Q, K, V, self.forward(params, x), upstream, self.scale, self.dropout)
        of_Q = fused(_scaled_product, of_S, K, self.scale)  # s·∂L/∂S K
        of_K = fused(_scaled_product, of_S.swapaxes(-1, -2), Q, self.scale)  # s·(∂L/∂S)ᵀQ
        return (of_Q, of_K, D.swapaxes(-1, -2) @ upstream), {}  # Dᵀδ

    def _weights(self, Q: Array, K: Array, scale: Any) -> Array:
        """P ``(…, queries, keys)``."""
        root = np.sqrt(_or_default(scale, Q))
        S = either(Q @ K.swapaxes(-1, -2) * _or_default(scale, Q), (Q * root) @ (K * root).swapaxes(-1, -2))  # s·QKᵀ
        seen = np.ones(S.shape, bool)
        if self.causal:
            seen = np.tril(seen)
        if self.mask is not None and self.mask.dtype == bool:
            seen = seen & self.mask
        elif self.mask is not None:
            added = np.asarray(self.mask, np.float64)
            seen = seen & (added > -np.inf)
            S = S + np.where(added > -np.inf, added, 0)  # + M
        least = -np.abs(S).max(axis=-1)[..., None]  # no more than any score
        top = np.where(seen, S, least).max(axis=-1)[..., None]  # the largest score that is seen
        e = np.where(seen, np.exp(np.where(seen, S, top) - top), 0)
        total = e.sum(axis=-1)
        total = np.where(seen.any(axis=-1), total, integer(1, top[..., 0]))[..., None]  # no key seen: 0/1
        normalised = np.where(seen, np.exp(np.where(seen, S, top) - (top + np.log(total))), 0)
        return either(e / total, normalised)  # type: ignore[no-any-return]  # exp(S − max)/Σ

    def _dropped(self, P: Array, p: Any) -> Array:
        """P ⊙ m/(1 − p)."""
        return P if self.kept is None else P * (integer(self.kept, P) / (1 - p))


def _or_default(scale: Any, Q: Array) -> Any:
    """s."""
    return 1 / np.sqrt(integer(Q.shape[-1], Q[..., :1, :1])) if scale is None else scale


def _scaled_product(A: Array, B: Array, scale: Any) -> Array:
    """s·AB."""
    s = _or_default(scale, B)
    return either(A @ B * s, A @ (B * np.sqrt(s)) * np.sqrt(s))  # type: ignore[no-any-return]
