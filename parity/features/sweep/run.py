"""The whole sweep: the curves over λ in several seeds, and at the λ that prior and noise would choose."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from parity.backends.base import DTYPES
from parity.errors import EXPERIMENT, check_name, check_number, needs
from parity.experiment import Experiment
from parity.features.sweep.closed_form import prior_strength
from parity.features.sweep.curves import Curves, Progress, curves
from parity.features.sweep.grid import Grid, grid
from parity.features.sweep.penalty import swept_kind
from parity.loading import Asked, load
from parity.shown import Documented
from refimpl.types import Array

if TYPE_CHECKING:
    from parity.features.sweep.beside import Beside
    from parity.features.sweep.document import SweepDocument
    from parity.features.sweep.marks import Mark
    from parity.shown import Console, Figure


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)  # eq=False: arrays have no single truth value
class Sweep(Documented):
    """``curves`` over ``grid`` in ``seeds`` seeds, from the experiment's own on; ``kind``: of the penalty swept.

    ``prior``: the λ of prior and noise, run as well, and ``at_prior``: its ``(seeds, 1)``; None where it is unknown.
    ``in_torch``: the same runs in torch, where they were asked for. Printed, it is the text of ``parity sweep``.
    """

    experiment: Experiment
    kind: str
    grid: Grid
    seeds: tuple[int, ...]
    curves: Curves
    prior: float | None
    at_prior: Curves | None
    in_torch: Beside | None = None

    @property
    def diverges(self) -> npt.NDArray[np.bool_]:
        """``(k,)``: the values of λ at which the run of some seed diverges."""
        return np.asarray(self.curves.rose.any(axis=0))

    @property
    def marks(self) -> tuple[Mark, ...]:
        """The λ that each rule chooses in every seed, and what that choice costs."""
        from parity.features.sweep.marks import marks

        return marks(self)

    def _document(self) -> SweepDocument:
        from parity.features.sweep.document import document

        return document(self)

    def _print(self, console: Console) -> None:
        from parity.features.sweep.terminal import print_sweep

        print_sweep(self, self.marks, self.in_torch, console)

    def plot(self) -> Figure:
        """Losses, norm, degrees of freedom and distance to ridge against λ, and the λ that each rule chooses."""
        from parity.features.sweep.picture import picture

        return picture(self, self.marks, self.in_torch)


@needs(experiment=EXPERIMENT)
def sweep(
    experiment: Asked,
    strength: str | Sequence[float] | Grid = "log:1e-3:1e2:200",
    *,
    seeds: int = 1,
    penalty: str | None = None,
    torch: bool = False,
    dtype: str = "float64",
    executor: Executor | None = None,
    progress: Progress | None = None,
) -> Sweep:
    """Train every value of λ in every seed.

    ``experiment``: a name of ``parity list``, a file or an experiment. ``strength``: the values of λ, as
    ``log:from:to:number``, ``from:to:step`` or a list. ``seeds``: how many, from the experiment's own on. ``penalty``:
    which to sweep, where there are several. ``torch``: run all of it in torch, too, in ``dtype``, and judge every run.
    ``executor``: one of ``concurrent.futures``, which has a seed at a time, and of the runs in torch a run; the numbers
    are the same.
    Raises :class:`parity.errors.InputError`.
    """
    experiment = load(experiment)
    values = strength if isinstance(strength, Grid) else grid(strength)
    check_number("seeds", seeds, 1, MOST_SEEDS, whole=True)
    dtype = check_name("dtype", dtype, DTYPES)
    swept = _sweep(experiment, values, seeds, penalty, progress, executor)
    if not torch:
        return swept
    from parity.features.sweep.beside import beside

    return replace(swept, in_torch=beside(swept, dtype=dtype, progress=progress, executor=executor))


MOST_SEEDS = 1000


def _sweep(
    experiment: Experiment,
    grid: Grid,
    seeds: int,
    penalty: str | None,
    progress: Progress | None = None,
    executor: Executor | None = None,
) -> Sweep:
    kind = swept_kind(experiment, penalty)
    prior = prior_strength(experiment)
    values: Array = grid.values if prior is None else np.append(grid.values, prior)
    trained = curves(experiment, kind, values, seeds, progress, executor)
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
