"""Two free runs side by side: shown, and never deciding, because errors of single steps pile up in them.

By induction the checks of the steps decide. How far correct implementations may drift apart is simulated: the reference
trains a batch of copies of itself, each pushed at every step by a random amount within what one correct step may be
off.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import chain

import numpy as np

from parity.judge.steps import Checks
from parity.step.free import random_push, trained
from refimpl.reductions import norm
from refimpl.trajectory import Trajectory
from refimpl.types import Array

COPIES = 32
ELEMENTS = 400_000
"""The most elements of all copies together; of a larger model, or of larger batches, there are fewer copies."""


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


@np.errstate(all="ignore")  # a run that diverges overflows here, too
def free_run(checks: Checks, trajectory: Trajectory) -> FreeRun:
    """The reference from the candidate's own data and initial weights, and its disturbed copies, in one batched run."""
    parameters = sum(values[0].size for values in trajectory.params.values())
    first = checks.whole_step_allowance(np.array([0]))
    known = all(np.isfinite(allowance).all() for allowance in first.values())  # else nothing is after the first step
    rows = max(map(len, checks.design.rows))
    copies = max(2, min(COPIES, ELEMENTS // max(parameters, rows))) if known else 0
    push = random_push(_allowances(checks)) if copies else None
    start = {name: np.repeat(values[0], copies + 1, axis=0) for name, values in trajectory.params.items()}
    after = (params for params, _, _ in trained(checks.design, start, trajectory.inputs, push))
    sizes, differences, bands = [], [], []
    for step, params in enumerate(chain([start], after)):  # the first run is the reference itself
        size = norm(*(param[:1] for param in params.values()))[0]
        apart = norm(*(trajectory.params[name][step] - param[:1] for name, param in params.items()))[0]
        sizes.append(size)
        differences.append(apart)
        drift = norm(*(param[1:] - param[:1] for param in params.values())).max() if copies else np.nan
        bands.append(drift if copies or step else 0.0)
    return FreeRun(*(np.where(np.equal(x, 0), 0, np.divide(x, sizes)) for x in (differences, bands)))  # 0 of 0 is 0


def _allowances(checks: Checks) -> dict[str, Array]:
    """How far one correct step may be off, by parameter ``(K, …)``; nan where it has no bound."""
    parts: dict[str, list[Array]] = {name: [] for name in checks.form.optimizers}
    order = np.concatenate(list(checks.chunks()))
    for steps in checks.chunks():
        for name, allowance in checks.whole_step_allowance(steps).items():
            parts[name].append(np.where(np.isfinite(allowance), allowance, np.nan).astype(float))
    return {name: np.concatenate(some)[np.argsort(order)] for name, some in parts.items()}
