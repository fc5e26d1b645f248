"""Steps that are made with a gradient taken at other weights than those that they start from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from parity.explain.replay import share_of
from parity.features.check.feeds import Played
from parity.features.check.held import motions
from refimpl.arithmetic.bounded import Bounded
from refimpl.ranges import Finite
from refimpl.types import Array, Optimizer, State

ALIKE = 1e-6
"""Relative difference up to which two directions are printed as the same: nothing is decided by it."""


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


def shares(held: Mapping[str, Optimizer], played: Played) -> tuple[float, float]:
    """Error ÷ allowance of steps with the gradients that they were made with: from w, and from where these are."""
    back, stays = 0.0, 0.0
    for motion in motions(played, "float64"):
        name, rule = motion.parameter, held[motion.parameter]
        gradients, by = motion.gradient.value.copy(), np.zeros_like(motion.gradient.value)
        for k, moment in enumerate(played.elsewhere[name][played.late.get(name, 0) :]):
            if moment is not None:
                by[k], gradients[k] = moment
        recorded = replace(motion, gradient=Bounded.tensor(gradients, motion.profile))
        displaced: Any = Displaced(lr=getattr(rule, "lr", 0.0), rule=rule, by=tuple(by[:, None]))
        back, stays = max(back, share_of(rule, [recorded])), max(stays, share_of(displaced, [recorded]))
    return back, stays


def where(played: Played) -> str:
    """Say where the last gradient of a step was taken."""
    sizes, along = [], True
    for k in range(max(len(moments) for moments in played.elsewhere.values())):
        at = {n: moment[0] for n, moments in played.elsewhere.items() if (moment := moments[k]) is not None}
        moved = np.concatenate([away.ravel() for away in at.values()])
        gradient = np.concatenate([played.gradients[name][k].ravel() for name in at])
        sizes.append(float(np.linalg.norm(moved)))
        unit = gradient / np.linalg.norm(gradient)
        along &= bool(np.linalg.norm(moved - sizes[-1] * unit) <= ALIKE * sizes[-1])
    if along and np.ptp(sizes) <= ALIKE * max(sizes):
        return f"w + {sizes[0]:.6g}·g/‖g‖ with ‖g‖ of all parameters, as in sharpness-aware minimisation (SAM)"
    return f"{min(sizes):.4g} to {max(sizes):.4g} away"
