"""Models that are not what was asked for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np

from parity.explain.faults.twists import beside
from parity.step.arithmetics import rounded
from refimpl.arithmetic.bounded import Bounded
from refimpl.arithmetic.formats import FORMATS
from refimpl.models import Linear
from refimpl.optimizers import SGD
from refimpl.reductions import norm, total
from refimpl.types import Array, Number, Params, State


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


@dataclass(frozen=True, kw_only=True)
class WeightNormSGD(SGD):
    """Plain SGD on the length ℓ and the direction v of ``w = ℓ·v/‖v‖``, which begins with v = w::

        v ← v − η·(ℓ/‖v‖)·(g − ŵ(ŵ·g)),    ℓ ← ℓ − η·ŵ·g,    ŵ = w/‖w‖

    Of v its length is enough to know, since it has the direction of w.
    """

    def step(self, param: Array, grad: Array, state: State) -> tuple[Array, State]:
        length = beside(param, norm(param))
        of_v = state.get("length", length)
        unit = param / length
        along = beside(param, total(unit * grad))
        v = of_v * unit - self.lr * (length / of_v) * (grad - along * unit)
        new = beside(param, norm(v))
        return (length - self.lr * along) * (v / new), {"length": new}


@dataclass(frozen=True)
class Listed:
    """η of each step as a list: after k advances it is ``rates[k]``."""

    rates: tuple[float, ...]

    @property
    def per(self) -> Literal["epoch", "step"]:
        return "step"

    def at(self, count: Any, base: Mapping[str, Number]) -> dict[str, Number]:
        """The listed rate, in the arithmetic of ``base``."""
        none: Any = 0 * base["lr"]
        return {"lr": none + np.asarray(self.rates)[np.asarray(count, int)]}
