"""An update rule put together from links, of which each can be replaced: what an explanation shows to have been run.

::

    g ← gradient(g), decay                       n ← momentum(g)          v ← squares(g, m)
    u ← direction( n / c₁ / divisor(v, c₂, ε) )  cₙ = 1 − βₙ^{tₙ}, or 1 where there is no count
    w ← decay(w) − η·aₖ·u − bₖ·w                 aₖ and bₖ: of each step, as measured; usually 1 and 0
    every k-th step: s ← s + α(w − s), w ← s     look-ahead, if there is one

It is an optimizer like those of :mod:`refimpl.optimizers`, so that the judge's arithmetic runs through it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Annotated, Any

import numpy as np

from parity.explain.update import decays, directions, divisors, gradients, momentum, squares
from parity.step.rounding import rounded
from refimpl.types import Array, Finite, Number, Optimizer, Range, State, off


@dataclass(frozen=True, kw_only=True)
class Rule:
    """Links by their names in the tables, numbers, and what changes from step to step.

    ``base``: the learning rate before any schedule. ``counts``: t₁ and t₂ of each step; empty where nothing is
    corrected. ``scale`` and ``shrink``: aₖ and bₖ; empty for 1 and 0. ``period``: steps between two look-aheads, 0 for
    none; ``pull``: their α. ``clip``: c of a gradient that is clipped, times min(1, c/‖g‖) by the ``norms`` of each
    step, or elementwise where there are none. ``crossed``: which of ``m`` and ``v`` are corrected with the other β.
    ``kept_m``, ``kept_v``: formats that m and v are kept in, if narrower. ``inner``: a reference that makes the
    direction in the place of the links.
    """

    lr: Finite
    base: Finite = 0.0
    beta1: Finite = 0.0
    beta2: Finite = 0.0
    eps: Finite = 0.0
    weight_decay: Finite = 0.0
    dampening: Finite = 0.0
    momentum: Finite = 0.0
    accumulated: Finite = 0.0
    pull: Finite = 0.0
    clip: Finite = 0.0
    norms: Annotated[tuple[Number, ...], Range()] = ()
    gradient: str = "as given"
    decay: str = "none"
    average: str = "none"
    square: str = "none"
    divisor: str = "outside"
    direction: str = "as it is"
    first_counts: tuple[int, ...] = ()
    second_counts: tuple[int, ...] = ()
    scale: tuple[float, ...] = ()
    shrink: tuple[float, ...] = ()
    crossed: str = ""
    kept_m: str = ""
    kept_v: str = ""
    period: int = 0
    inner: Optimizer | None = None

    def having(self, **values: Any) -> Rule:
        """This rule with other links or numbers."""
        return replace(self, **values)

    def init(self, param: Array) -> State:
        return {"step": np.zeros(len(param), int), "start": param, "slow": param}

    def step(self, param: Array, grad: Array, state: State) -> tuple[Array, State]:
        k = int(state["step"].flat[0])
        after = {**state, "step": state["step"] + 1}
        decay = decays.TABLE["none" if off(self.weight_decay) else self.decay]
        if self.inner is not None:
            u = self._of_inner(param, grad, after)
        else:
            u = self._direction(param, grad, state, after, decay)
        shrunk = decay.before(self, param, state["start"])
        if decay.masked:
            shrunk = np.where(u * param > 0, shrunk, param)
        u = decay.step(self, param, u)
        if self.direction != "as it is":
            u, kept = directions.TABLE[self.direction].of(self, u, grad, param, state)
            after |= kept
        u = u * self.scale[k] if self.scale else u
        moved = shrunk - (u if self.rated else self.lr * u)  # w − η·aₖ·u
        if self.shrink and self.shrink[k]:
            moved = moved - self.shrink[k] * param  # − bₖ·w
        moved = decay.after(self, moved, state["start"])
        if self.period and (k + 1) % self.period == 0:
            after["slow"] = state["slow"] + self.pull * (moved - state["slow"])  # s + α(w − s)
            moved = after["slow"]
        return moved, after

    @property
    def rated(self) -> bool:
        """Whether η is in the direction already."""
        of_direction = directions.TABLE[self.direction].rated
        return of_direction or (self.inner is None and momentum.TABLE[self.average].rated)

    def _direction(self, param: Array, grad: Array, state: State, after: Any, decay: Any) -> Any:
        g = gradients.TABLE[self.gradient].of(grad)
        if self.gradient == "stale":
            g, after["previous"] = state.get("previous", 0 * grad), grad
        if self.norms:
            norm = self.norms[int(state["step"].flat[0])]
            g = g * (self.clip / np.maximum(norm, self.clip))  # min(1, c/‖g‖)
        elif not off(self.clip):
            g = np.minimum(np.maximum(g, -self.clip), self.clip)
        for_m, for_v = decay.for_m(self, param, g), decay.for_v(self, param, g)
        n, m = momentum.TABLE[self.average].of(self, for_m, state)
        if m is not None:
            after[momentum.KEY] = m = rounded(m, self.kept_m) if self.kept_m else m
            n = m if self.kept_m and self.average in ("average", "buffer") else n
        n = decay.numerator(self, param, n)
        if self.first_counts:
            n = n / self._corrected(self.beta2 if "m" in self.crossed else self.beta1, self.first_counts, state, param)
        if self.square == "none":
            return n
        of = n if m is None else m
        v, kept = squares.TABLE[self.square].of(self, for_v, of, state.get(momentum.KEY, 0), state)
        if self.kept_v:
            kept = {**kept, squares.KEY: rounded(kept[squares.KEY], self.kept_v)}
            v = kept[squares.KEY] if self.square == "average" else v
        after |= kept
        beta = self.beta1 if "v" in self.crossed else self.beta2
        c2 = self._corrected(beta, self.second_counts, state, param) if self.second_counts else 1
        return n / divisors.TABLE[self.divisor].of(v, c2, self.eps)

    def _corrected(self, beta: Any, counts: tuple[int, ...], state: State, param: Array) -> Any:
        """1 − βᵗ, or 1 where t is 0"""
        t = counts[int(state["step"].flat[0])]
        return 1 - beta ** np.full((len(param), *(1,) * (param.ndim - 1)), t) if t else 1

    def _of_inner(self, param: Array, grad: Array, after: Any) -> Any:
        """(w − step(w))/η of the reference"""
        inner: Any = replace(self.inner, lr=self.lr)  # type: ignore[type-var]  # optimizers are dataclasses
        state = after.get("inner")
        moved, after["inner"] = inner.step(param, grad, inner.init(param) if state is None else state)
        return (param - moved) / self.lr
