"""A state that several parameters share, because it is kept by shape, or in one place for all of them.

In every step the state is advanced once for each parameter, with that one's gradient, and each uses it as it finds it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

import numpy as np

from parity.explain.motion import Motion
from parity.explain.replay import Slot, with_numbers
from refimpl.arithmetic.bounded import Bounded
from refimpl.ranges import Finite
from refimpl.types import Array, State


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
