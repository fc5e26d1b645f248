"""Steps that are made with a gradient taken at other weights than those that they start from."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from parity.check.feeds import Played
from parity.explain.motion import Motion
from refimpl.arithmetic.bounded import Bounded
from refimpl.types import Array, Finite, Optimizer, State


@dataclass(frozen=True, kw_only=True)
class Displaced:
    """``rule`` from weights that were moved ``by`` ``(1, …)`` in each step."""

    lr: Finite
    rule: Optimizer
    by: tuple[Array, ...]

    def init(self, param: Array) -> State:
        return {"inner": self.rule.init(param), "turn": np.zeros(len(param), int)}  # type: ignore[dict-item]

    def step(self, param: Array, grad: Array, state: State) -> tuple[Array, State]:
        by: Any = self.by[int(state["turn"].flat[0])]
        rule: Any = replace(self.rule, lr=self.lr) if hasattr(self.rule, "lr") else self.rule  # type: ignore[type-var]
        moved, inner = rule.step(param + by, grad, state["inner"])
        return moved, {"inner": inner, "turn": state["turn"] + 1}


def displacements(name: str, played: Played) -> tuple[Array, ...]:
    """How far from w the last gradient of each step was taken, from the first gradient of the parameter on."""
    moments = played.elsewhere[name][played.late.get(name, 0) :]
    zero = np.zeros_like(played.weights[name][:1])
    return tuple(zero if moment is None else moment[0][None] for moment in moments)


def with_gradients(motion: Motion, played: Played) -> Motion:
    """The motion with the gradients that its steps were made with."""
    moments = played.elsewhere[motion.parameter][played.late.get(motion.parameter, 0) :]
    value = motion.gradient.value.copy()
    for k, moment in enumerate(moments):
        if moment is not None:
            value[k] = moment[1]
    return replace(motion, gradient=Bounded.tensor(value, motion.gradient.profile))
