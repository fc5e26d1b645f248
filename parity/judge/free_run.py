"""Two free runs side by side: shown, and never deciding, because errors of single steps pile up in them.

By induction the checks of the steps decide. How far correct implementations may drift apart is simulated: the reference
trains a batch of copies of itself, each pushed at every step by a random amount within what one correct step may be
off.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from parity.judge.steps import Checks
from refimpl.reductions import norm
from refimpl.training import train
from refimpl.trajectory import Trajectory
from refimpl.types import Array

COPIES = 32


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
    pushes: dict[str, list[Array]] = {name: [] for name in checks.form.optimizers}
    order = np.concatenate(list(checks.chunks()))
    for steps in checks.chunks():
        for name, allowance in checks.whole_step_allowance(steps).items():
            pushes[name].append(np.where(np.isfinite(allowance), allowance, np.nan).astype(float))
    in_order = {name: np.concatenate(parts)[np.argsort(order)] for name, parts in pushes.items()}
    rng = np.random.default_rng(0)

    def disturb(step: int, params: dict[str, Array]) -> dict[str, Array]:
        """Run 0 is the reference itself, the others are the copies."""
        disturbed = {}
        for name, param in params.items():
            push = rng.uniform(-1, 1, param.shape) * in_order[name][step]
            push[0] = 0
            disturbed[name] = param + push
        return disturbed

    start = {name: np.repeat(values[0], COPIES + 1, axis=0) for name, values in trajectory.params.items()}
    with np.errstate(all="ignore"):  # a run that diverges overflows here, too
        runs = train(
            checks.form.in_gradient,
            checks.form.groups,
            start,
            trajectory.inputs["X"],
            trajectory.inputs["y"],
            checks.material.order,
            schedule=checks.form.schedule,
            disturb=disturb,
        )
        reference = {name: values[:, :1] for name, values in runs.params.items()}
        size = norm(*(values[:, 0] for values in reference.values()))
        difference = norm(*(trajectory.params[name][:, 0] - values[:, 0] for name, values in reference.items()))
        drift = [values[:, 1:] - reference[name] for name, values in runs.params.items()]
        flat = np.concatenate([d.reshape(*d.shape[:2], -1) for d in drift], axis=2)
        band = np.sqrt((flat * flat).sum(axis=2)).max(axis=1)
        return FreeRun(*(np.where(x == 0, 0, x / size) for x in (difference, band)))  # both 0: weights that start at 0
