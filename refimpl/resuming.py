"""Resuming: a training that is saved, ends, and goes on in new objects.

A step is a function of the weights θ, the optimizer's state s, the moving average e, the number k of steps taken and
the batch that is due::

    (θ, s, e)_{k+1} = F((θ, s, e)_k, k, batch k)

and of nothing else. A training that restores all of these goes on as one that never stopped, so the reference has
nothing to compute here: a resumed run is held to the same numbers, step by step.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from refimpl.errors import ParameterError


@dataclass(frozen=True, kw_only=True)
class Resume:
    """The training is saved before each of the steps ``at``, counted from 0, and loaded into new objects there."""

    at: tuple[int, ...]

    def __post_init__(self) -> None:
        steps = list(self.at) if isinstance(self.at, Sequence) else []
        whole = all(isinstance(step, int) and not isinstance(step, bool) for step in steps)
        object.__setattr__(self, "at", tuple(steps) or self.at)
        if not steps or not whole or steps[0] < 1 or steps != sorted(set(steps)):
            raise ParameterError(
                "at", given=self.at, allowed="steps ≥ 1, each larger than the one before", remedy="change them"
            )

    def check(self, steps: int) -> None:
        """Raise :class:`ParameterError` where the run has no such step."""
        if self.at[-1] >= steps:
            raise ParameterError(
                "resume.at",
                given=self.at[-1],
                allowed=f"1 to {steps - 1}: the run has {steps} steps",
                remedy="change it, or the epochs",
            )
