"""The whole sweep: the curves over λ in several seeds, and at the λ that prior and noise would choose."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from parity.experiment import Experiment
from parity.features.sweep.closed_form import prior_strength
from parity.features.sweep.curves import Curves, Progress, curves
from parity.features.sweep.grid import Grid
from parity.features.sweep.penalty import swept_kind
from refimpl.types import Array


@dataclass(frozen=True, kw_only=True, eq=False)  # eq=False: arrays have no single truth value
class Sweep:
    """``curves`` over ``grid`` in ``seeds`` seeds, from the experiment's own on; ``kind``: of the penalty swept.

    ``prior``: the λ of prior and noise, run as well, and ``at_prior``: its ``(seeds, 1)``; None where it is unknown.
    """

    experiment: Experiment
    kind: str
    grid: Grid
    seeds: tuple[int, ...]
    curves: Curves
    prior: float | None
    at_prior: Curves | None

    @property
    def diverges(self) -> npt.NDArray[np.bool_]:
        """``(k,)``: the values of λ at which the run of some seed diverges."""
        return np.asarray(self.curves.rose.any(axis=0))


def sweep(
    experiment: Experiment,
    grid: Grid,
    *,
    seeds: int = 1,
    penalty: str | None = None,
    progress: Progress | None = None,
) -> Sweep:
    """Train every value of λ in every seed. Raises :class:`parity.errors.InputError`."""
    kind = swept_kind(experiment, penalty)
    prior = prior_strength(experiment)
    values: Array = grid.values if prior is None else np.append(grid.values, prior)
    trained = curves(experiment, kind, values, seeds, progress)
    k = len(grid.values)
    return Sweep(
        experiment=experiment,
        kind=kind,
        grid=grid,
        seeds=tuple(range(experiment.seed, experiment.seed + seeds)),
        curves=trained.columns(slice(k)),
        prior=prior,
        at_prior=None if prior is None else trained.columns(slice(k, None)),
    )
