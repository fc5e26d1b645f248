"""Models that are not what was asked for."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from parity.step.rounding import rounded
from refimpl.arithmetic.bounded import Bounded
from refimpl.arithmetic.formats import FORMATS
from refimpl.models import Linear
from refimpl.types import Array, Params


@dataclass(frozen=True, kw_only=True)
class WithoutBias(Linear):
    """A linear model whose bias is there and has no effect."""

    def forward(self, params: Params, X: Array) -> Array:
        return Linear(bias=False).forward({"weight": params["weight"]}, X)

    def backward(self, params: Params, X: Array, upstream: Array) -> dict[str, Array]:
        gradient = Linear(bias=False).backward({"weight": params["weight"]}, X, upstream)
        return gradient | {"bias": 0 * upstream.sum(axis=1)}


@dataclass(frozen=True, kw_only=True)
class Narrow(Linear):
    """Products of operands that are rounded to a narrower format, added up in float32.

    ``results``: what comes out is rounded, too, and the bias before it is added, as under autocast; TF32 rounds the
    operands of products only.
    """

    format: str
    results: bool = True

    def forward(self, params: Params, X: Array) -> Array:
        inside = {name: self._in(values, keep=name == "bias" and not self.results) for name, values in params.items()}
        outputs: Array = self._out(self._plain().forward(inside, self._in(X)), X)
        return outputs

    def backward(self, params: Params, X: Array, upstream: Array) -> dict[str, Array]:
        gradient = self._plain().backward(params, self._in(X), self._in(upstream))
        widened = {name: self._out(values, X) for name, values in gradient.items()}
        if self.bias and not self.results:
            widened["bias"] = upstream.sum(axis=1)  # a sum and no product
        return widened

    def _plain(self) -> Linear:
        return Linear(bias=self.bias)

    def _in(self, x: Any, *, keep: bool = False) -> Any:
        narrow = x if keep else rounded(x, self.format)
        if not isinstance(narrow, Bounded):
            return narrow
        sums = FORMATS["float32"]
        return narrow.under(replace(narrow.profile, compute=sums, accumulate=sums))

    def _out(self, x: Any, given: Any) -> Any:
        out = rounded(x, self.format) if self.results else x
        return out.under(given.profile) if isinstance(out, Bounded) else out
