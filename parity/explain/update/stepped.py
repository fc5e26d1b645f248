"""An update around another one: what is done to its gradient, its length and its weights from step to step.

::

    g ← g·min(1, c/‖g‖), or each element in [−c, c]        clipped
    w ← w − aₖ·η·u − bₖ·w                                   aₖ and bₖ: of each step, as measured; usually 1 and 0
    every k-th step: s ← s + α(w − s), w ← s                look-ahead
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, cast

import numpy as np

from parity.explain.motion import Motion
from parity.explain.replay import Slot, with_numbers
from refimpl.arithmetic.bounded import Bounded
from refimpl.ranges import Finite, Range
from refimpl.stepping import is_zero
from refimpl.types import Array, Decay, Number, Optimizer, State


@dataclass(frozen=True, kw_only=True)
class Stepped:
    """``inner``: makes the step with the rate ``lr``. ``scale`` and ``shrink``: aₖ and bₖ; empty for 1 and 0. ``clip``:
    c, by the ``norms`` of each step, or elementwise where there are none. ``period``: steps between two look-aheads, 0
    for none; ``pull``: their α."""

    lr: Finite
    inner: Optimizer
    clip: Finite = 0.0
    pull: Finite = 0.0
    norms: Annotated[tuple[Number, ...], Range()] = ()
    scale: tuple[float, ...] = ()
    shrink: tuple[float, ...] = ()
    period: int = 0

    @property
    def decay(self) -> Decay:
        return getattr(self.inner, "decay", "coupled")

    def init(self, param: Array) -> State:
        return {"inner": self.inner.init(param), "steps made": np.zeros(len(param), int), "slow": param}  # type: ignore[dict-item]

    def step(self, param: Array, grad: Array, state: State) -> tuple[Array, State]:
        k = int(state["steps made"].flat[0])
        g: Any = grad
        if self.norms:
            g = g * (self.clip / np.maximum(self.norms[k], self.clip))  # min(1, c/‖g‖)
        elif not is_zero(self.clip):
            g = np.minimum(np.maximum(g, -self.clip), self.clip)
        rate = self.lr * self.scale[k] if self.scale else self.lr
        inner: Any = with_numbers(self.inner, {Slot("lr"): rate}, checked=False)
        moved, kept = inner.step(param, g, state["inner"])
        if self.shrink and self.shrink[k]:
            moved = moved - self.shrink[k] * param  # − bₖ·w
        slow = state["slow"]
        if self.period and (k + 1) % self.period == 0:
            slow = moved = slow + self.pull * (moved - slow)  # s + α(w − s)
        return moved, {"inner": kept, "steps made": state["steps made"] + 1, "slow": slow}


def decoupled(optimizer: Any) -> bool:
    """Whether the weights shrink beside the step."""
    decays = not is_zero(getattr(optimizer, "weight_decay", 0))
    return decays and getattr(optimizer, "decay", "") == "decoupled"


def bare(optimizer: Any) -> Any:
    """The optimizer without a decoupled decay."""
    return with_numbers(optimizer, {Slot("weight_decay"): 0.0}, checked=False) if decoupled(optimizer) else optimizer


def rate_of(optimizer: Any) -> float:
    """η, where there is one."""
    return float(getattr(optimizer, "lr", 1.0) or 0.0)


@dataclass(frozen=True, kw_only=True)
class Partly:
    """``inner`` steps the elements of ``mask``, and ``asked`` the others."""

    lr: Finite
    inner: Any
    asked: Any
    mask: tuple[Any, ...]

    @property
    def decay(self) -> Decay:
        return getattr(self.asked, "decay", "coupled")

    def init(self, param: Array) -> State:
        return {"inner": self.inner.init(param), "asked": self.asked.init(param)}

    def step(self, param: Array, grad: Array, state: State) -> tuple[Array, State]:
        kept: dict[str, Any] = {}
        moved: list[Any] = []
        for name, rule in (("inner", self.inner), ("asked", self.asked)):
            at_rate: Any = with_numbers(rule, {Slot("lr"): self.lr}, checked=False)
            made, kept[name] = at_rate.step(param, grad, state[name])
            moved.append(made)
        mixed: Any = np.where(np.reshape(self.mask, param.shape[1:]), *moved)
        return mixed, kept


@dataclass(frozen=True, kw_only=True)
class Shared:
    """``rule`` with a state that others advance: ``before``: for each step the weights and gradients ``(1, …)`` by
    which it was advanced since the parameter's last step."""

    lr: Finite
    rule: Any
    before: tuple[tuple[tuple[Array, Bounded], ...], ...]

    def init(self, param: Array) -> State:
        return {**self.rule.init(param), "turn": np.zeros(len(param), int)}

    def step(self, param: Array, grad: Array, state: State) -> tuple[Array, State]:
        rule, like = with_numbers(self.rule, {Slot("lr"): self.lr}, checked=False), cast(Any, param)
        turn = state["turn"]
        for weights, gradient in self.before[int(turn.flat[0])]:
            bounded = isinstance(param, Bounded)
            other: Any = Bounded.tensor(weights, like.profile) if bounded else np.asarray(weights, float)
            fed: Any = gradient.under(like.profile) if bounded else np.asarray(gradient.value, float)
            _, state = rule.step(other, fed, state)
        moved, after = rule.step(param, grad, state)
        return moved, {**after, "turn": turn + 1}


def share_by_shape(rules: Mapping[str, Any], motions: Sequence[Motion]) -> dict[str, Any]:
    """Every parameter's rule with the state shared by those of its shape; those alone in theirs keep their own."""
    shared: dict[str, Any] = dict(rules)
    shapes = {motion.weights.shape for motion in motions}
    for shape in shapes:
        group = [motion for motion in motions if motion.weights.shape == shape]
        if len(group) < 2:
            continue
        for i, motion in enumerate(group):
            rule = rules[motion.parameter]
            before = tuple(
                tuple([_at(other, k - 1) for other in group[i + 1 :] if k > 0] + [_at(other, k) for other in group[:i]])
                for k in range(len(motion.weights) - 1)
            )
            shared[motion.parameter] = Shared(lr=rule.lr, rule=rule, before=before)
    return shared


def _at(motion: Motion, k: int) -> tuple[Array, Bounded]:
    return motion.weights[k : k + 1], motion.gradient[k : k + 1]
