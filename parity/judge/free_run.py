"""Two free runs side by side: shown, and never deciding, because errors of single steps pile up in them.

By induction the checks of the steps decide. How far correct implementations may drift apart is simulated: the reference
trains a batch of copies of itself, each pushed at every step by a random amount within what one correct step may be
off.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from parity.judge.steps import Checks
from refimpl.reductions import norm
from refimpl.training import train
from refimpl.trajectory import Trajectory
from refimpl.types import Array

COPIES = 32
ELEMENTS = 400_000
"""Of all copies together; of a larger model there are fewer copies."""


@dataclass(frozen=True)
class FreeRun:
    """``difference``: ‖θ_k − θ_k^ref‖/‖θ_k^ref‖, all parameters together, before each step and at the end.

    ``band``: the largest such difference among simulated correct implementations; nan where a step has no bound.
    """

    difference: Array
    band: Array

    @property
    def digits(self) -> float:
        """−log₁₀ of the largest difference; ∞ for equal runs."""
        worst = float(np.max(self.difference))
        return math.inf if worst == 0 else -math.log10(worst)


def free_run(checks: Checks, trajectory: Trajectory) -> FreeRun:
    """The reference from the candidate's own data and initial weights, and its disturbed copies, in one batched run."""
    parameters = sum(values[0].size for values in trajectory.params.values())
    first = checks.whole_step_allowance(np.array([0]))
    known = all(np.isfinite(allowance).all() for allowance in first.values())  # else nothing is after the first step
    copies = max(2, min(COPIES, ELEMENTS // parameters)) if known else 0
    pushes = _pushes(checks) if copies else {}
    rng = np.random.default_rng(0)
    size, difference, band = [], [], []

    def note(step: int, params: Mapping[str, Array]) -> None:
        """How far the candidate and the copies are from the reference, all parameters together."""
        size.append(norm(*(param[:1] for param in params.values())))
        difference.append(norm(*(trajectory.params[name][step] - param[:1] for name, param in params.items())))
        if copies:
            band.append(norm(*(param[1:] - param[:1] for param in params.values())).max(keepdims=True))
        else:
            band.append(np.full(1, np.nan if step else 0.0))

    def disturb(step: int, params: dict[str, Array]) -> dict[str, Array]:
        """Run 0 is the reference itself, the others are the copies."""
        disturbed = dict(params)
        for name in pushes:
            push = rng.uniform(-1, 1, params[name].shape) * pushes[name][step]
            push[0] = 0
            disturbed[name] = params[name] + push
        note(step + 1, disturbed)
        return disturbed

    start = {name: np.repeat(values[0], copies + 1, axis=0) for name, values in trajectory.params.items()}
    with np.errstate(all="ignore"):  # a run that diverges overflows here, too
        note(0, start)
        train(
            checks.form.in_gradient,
            checks.form.groups,
            start,
            trajectory.inputs["X"],
            trajectory.inputs["y"],
            checks.material.order,
            schedule=checks.form.schedule,
            masks=checks.material.masks,
            record="losses",
            disturb=disturb,
        )
        sizes = np.concatenate(size)
        differences, bands = (np.concatenate(x) for x in (difference, band))
        return FreeRun(*(np.where(x == 0, 0, x / sizes) for x in (differences, bands)))  # weights may start at 0


def _pushes(checks: Checks) -> dict[str, Array]:
    """How far one correct step may be off, by parameter ``(K, …)``; nan where it has no bound."""
    parts: dict[str, list[Array]] = {name: [] for name in checks.form.optimizers}
    order = np.concatenate(list(checks.chunks()))
    for steps in checks.chunks():
        for name, allowance in checks.whole_step_allowance(steps).items():
            parts[name].append(np.where(np.isfinite(allowance), allowance, np.nan).astype(float))
    return {name: np.concatenate(some)[np.argsort(order)] for name, some in parts.items()}
