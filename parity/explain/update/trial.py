"""A rule along a recorded run, in plain float64: fast, to find out which rules are worth a proof.

Teacher forcing as in :mod:`parity.explain.replay`: every step starts from the run's own weights and gradient.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import islice
from typing import Any

import numpy as np

from parity.explain.motion import Motion
from parity.explain.replay import Slot, field_of, replay, steps_of, with_fields, with_numbers
from parity.explain.update.program import CannotRun
from parity.explain.update.stepped import bare
from parity.step.expected import Expected
from refimpl.types import Array, Optimizer, State

NEAR = 64.0
"""A rule is worth a proof where it misses by no more allowances of the asked one: its own may be wider."""
MOST_OFF = 0.15
"""Share of the elements that may miss by more than that: where a sign is undecided, either is right."""


@dataclass(frozen=True)
class UpdateRecord:
    """One parameter's motion beside the optimizer asked for.

    ``share`` and ``allowance`` ``(K, …)``: of the asked one; ``misses``: moved minus expected.
    """

    motion: Motion
    asked: Optimizer

    @cached_property
    def steps(self) -> int:
        return steps_of(self.motion)

    @cached_property
    def share(self) -> Array:
        share: Array = np.concatenate([piece.share for piece in self._pieces(self.steps)]).astype(float)
        return share

    @cached_property
    def allowance(self) -> Array:
        """The allowance of the weights after each step, at least half an ulp of theirs; ∞ where nothing is known."""
        return self.allowance_of(self.steps)

    def allowance_of(self, steps: int) -> Array:
        """The allowance of the weights after each of the first ``steps``."""
        pieces = self._pieces(steps)
        own = np.concatenate([np.broadcast_to(p.allowance, p.candidate.shape) for p in pieces]).astype(float)
        ulp = self.motion.format.half_ulp(self.motion.weights[1 : len(pieces) + 1]).astype(float)
        wide: Array = np.maximum(own, ulp)
        return wide

    @cached_property
    def _replayed(self) -> tuple[Iterator[Expected], list[Expected]]:
        """The replay of the asked optimizer, which costs most of a search, and the steps that were made of it."""
        return replay(self.asked, self.motion), []

    def _pieces(self, steps: int) -> list[Expected]:
        """The first ``steps`` of the replay: no more of it is made than was asked for."""
        further, made = self._replayed
        made += islice(further, max(0, steps - len(made)))
        return made[:steps]

    @cached_property
    def weights(self) -> Array:
        return np.asarray(self.motion.weights, float)

    @cached_property
    def gradients(self) -> Array:
        return np.asarray(self.motion.gradient.value, float)

    @property
    def name(self) -> str:
        return self.motion.parameter

    @cached_property
    def wrong(self) -> bool:
        """Whether the asked optimizer is refuted."""
        return self.first_wrong is not None

    @cached_property
    def first_wrong(self) -> int | None:
        """The first step in which the asked optimizer is refuted."""
        return next((k for k in range(self.steps) if (self._pieces(k + 1)[k].share > 1).any()), None)

    def predicted(self, rule: Any, steps: int | None = None) -> Array:
        """The weights after each step as the rule makes them, ``(steps, …)``."""
        weights = []
        with np.errstate(all="ignore"):
            state = rule.init(self.weights[:1])
            for k in range(min(self.steps, steps or self.steps)):
                param, state = self._at(rule, k).step(self.weights[k : k + 1], self.gradients[k : k + 1], state)
                weights.append(param)
        return np.concatenate(weights)

    def near(self, rule: Any) -> bool:
        """Whether the rule is worth a proof: it is left at the first step that it misses."""
        try:
            with np.errstate(all="ignore"):
                state = rule.init(self.weights[:1])
                for k in range(self.steps):
                    param, state = self._at(rule, k).step(self.weights[k : k + 1], self.gradients[k : k + 1], state)
                    if not self._is_near(param, k):
                        return False
        except CannotRun:
            return False
        return True

    def left(self, rule: Any) -> float:
        """The mean share of the moves that is left beside the rule's own, whatever their length, and the weights."""
        weights = self.weights[: self.steps].reshape(self.steps, -1)
        moved = self.weights[1 : self.steps + 1].reshape(self.steps, -1) - weights
        try:
            step = self.predicted(bare(rule)).reshape(self.steps, -1) - weights
        except CannotRun:
            return np.inf
        with np.errstate(all="ignore"):
            beside = weights - step * (_dot(weights, step) / _dot(step, step))
            left = moved - step * (_dot(moved, step) / _dot(step, step))
            left = left - beside * (_dot(left, beside) / _dot(beside, beside))
            share = np.sqrt(_dot(left, left) / _dot(moved, moved))
        return float(share.mean()) if np.isfinite(share).all() else np.inf

    def states(self, rule: Any) -> Iterator[State]:
        """The state of the rule before each step."""
        state = rule.init(self.weights[:1])
        for k in range(self.steps):
            yield state
            with np.errstate(all="ignore"):
                _, state = self._at(rule, k).step(self.weights[k : k + 1], self.gradients[k : k + 1], state)

    def miss(self, rule: Any, k: int, state: State) -> float:
        """How far the rule is off in one step from what it kept before, in allowances; elements in doubt left out."""
        with np.errstate(all="ignore"):
            try:
                param, _ = self._at(rule, k).step(self.weights[k : k + 1], self.gradients[k : k + 1], state)
            except CannotRun:
                return np.inf
            off = np.abs(param[0] - self.weights[k + 1]) / self.allowance[k]
        sizes = np.sort(np.nan_to_num(off, nan=np.inf), axis=None)
        return float(sizes[int((1 - MOST_OFF) * (len(sizes) - 1))])

    def _is_near(self, param: Array, k: int) -> bool:
        off = ~(np.abs(param[0] - self.weights[k + 1]) <= NEAR * self.allowance[k])
        return not (off.mean() > MOST_OFF or (off.size < 8 and off.any()))

    def _at(self, rule: Any, k: int) -> Any:
        factor = self.motion.factor[k]
        if factor == 1 or field_of(rule, "lr") is None:
            return rule
        if not hasattr(rule, "lr"):  # but what it wraps has one
            return with_fields(rule, {"lr": field_of(rule, "lr") * factor})
        return with_numbers(rule, {Slot("lr"): rule.lr * factor}, checked=False)


def first_wrong(records: Sequence[UpdateRecord]) -> int:
    """The first step in which the asked optimizer is refuted."""
    return min((r.first_wrong for r in records if r.first_wrong is not None), default=0)


def _dot(a: Array, b: Array) -> Array:
    """The dot product of each step."""
    products: Array = np.sum(a * b, axis=1, keepdims=True)
    return products
