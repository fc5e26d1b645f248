"""Whether an experiment diverges, predicted from its data and hyper-parameters before it is run.

The mathematics is that of :mod:`refimpl.exact.stability`; here it is asked of an experiment, with the run beside it. A
penalty whose pull is bounded (L1 added or subtracted, the norm not squared) can neither make errors grow from epoch to
epoch nor keep them from growing, so it is left out of the prediction and named.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from numbers import Real
from typing import TYPE_CHECKING

import numpy as np

from parity.errors import EXPERIMENT, InputError, Option, OptionError, needs
from parity.experiment import Experiment, check_plain
from parity.loading import Asked, load
from parity.shown import Documented
from refimpl.batches import Order
from refimpl.errors import RefimplError
from refimpl.exact.stability import Growth, crossing, growth, limits, reach
from refimpl.models import Linear
from refimpl.optimizers import SGD
from refimpl.penalties import L1, L2, Norm, SubtractedL1
from refimpl.problem import Problem
from refimpl.schedules import Constant
from refimpl.training import Group, train
from refimpl.types import Array

if TYPE_CHECKING:
    from parity.features.stability.document import StabilityDocument
    from parity.shown import Console

DRAWN = 200
"""Epochs over which the growth of reshuffled batches is measured."""
SHARES = (0.25, 0.5, 0.9, 0.99, 1.01, 1.1, 1.5, 2.0)
"""The learning rates of the table where none are given, as shares of the limit of the batches in turns."""
BOUNDED = (L1, SubtractedL1, Norm)
MOST = 4e8
"""Steps times the square of the rows: what a prediction may cost. It takes some fifty such products: minutes."""


@dataclass(frozen=True, kw_only=True)
class StabilityRow:
    """One learning rate: what is predicted, and what the reference's run then does."""

    lr: float
    growth: Growth
    train_loss: float


@dataclass(frozen=True, kw_only=True, repr=False)
class Stability(Documented):
    """``curvature``: L, the least and largest eigenvalue λ_max(hM_BᵀM_B) of a batch; ``mean_curvature``: of all rows.

    ``batch_limit``: the smallest reach/κ_max of a batch. ``lr_limit``: of the batches in turns. ``bounded``: the
    penalties left out. ``first_loss``: the training loss before the first step. ``bottomless``: the objective has no
    minimum, since a subtracted L1 norm falls without end along a direction that costs nothing else. Printed, it is the
    text of ``parity stability``.
    """

    experiment: Experiment
    lam: float
    reach: float
    curvature: tuple[float, float]
    mean_curvature: float
    batch_limit: float
    lr_limit: float
    growth: Growth
    bounded: tuple[str, ...]
    bottomless: bool
    first_loss: float
    rows: tuple[StabilityRow, ...]

    @cached_property
    def stable_strengths(self) -> tuple[float, float] | None:
        """From which to which λ the experiment's own η is stable, computed when it is first asked for."""
        return stable_strengths(self.experiment)

    def _document(self) -> StabilityDocument:
        from parity.features.stability.document import document

        return document(self)

    def _print(self, console: Console) -> None:
        from parity.features.stability.show import print_stability

        print_stability(self, self.stable_strengths, console)


@needs(experiment=EXPERIMENT)
def stability(
    experiment: Asked, lr: float | Sequence[float] = (), progress: Callable[[], None] | None = None
) -> Stability:
    """Predict, then run. Raises :class:`InputError`.

    ``experiment``: a name of ``parity list``, a file or an experiment. ``lr``: the learning rates of the table, by
    default around the limit. ``progress`` is called before each prediction; how many it takes is not known before.
    """
    experiment, rates = load(experiment), list(lr) if isinstance(lr, Sequence) else [lr]
    for rate in rates:
        if not isinstance(rate, Real) or not 0 < rate < np.inf:
            shown = f"{rate:g}" if isinstance(rate, float) else repr(rate)
            raise OptionError(Option("lr"), f" {shown}: allowed: a finite number > 0")
    asked = _Asked.of(experiment, progress)
    bare = replace(
        asked, problem=replace(asked.problem, penalties=()), optimizer=replace(asked.optimizer, weight_decay=0.0)
    )
    everything = replace(bare, order=((np.arange(asked.X.shape[1]),),))
    curvatures = reach(asked.optimizer) / bare.limits()  # L of each batch
    batch_limit = float(asked.limits().min())
    if not np.isfinite(batch_limit):
        raise InputError(
            f"{experiment.name}: its objective has no curvature, so no learning rate makes errors grow; "
            "allowed: a loss with a factor > 0 on features that are not all 0, or an L2 penalty; change the experiment"
        )
    unstable = batch_limit
    while not asked.at_lr(unstable).diverges:
        unstable = 2 * unstable
    lr_limit = crossing(asked.at_lr, batch_limit / 4, unstable)
    rates = rates or sorted({float(asked.optimizer.lr), *(share * lr_limit for share in SHARES)})
    losses = _run(experiment, rates)
    rows = [(lr, asked.at_lr(lr), float(loss)) for lr, loss in zip(rates, losses[-1], strict=True)]
    return Stability(
        experiment=experiment,
        lam=asked.lam,
        reach=reach(asked.optimizer),
        curvature=(float(curvatures.min()), float(curvatures.max())),
        mean_curvature=float(reach(asked.optimizer) / everything.limits()[0]),
        batch_limit=batch_limit,
        lr_limit=lr_limit,
        growth=asked.at_lr(float(asked.optimizer.lr)),
        bounded=tuple(type(penalty).__name__ for penalty in experiment.penalties if isinstance(penalty, BOUNDED)),
        bottomless=_bottomless(experiment, asked),
        first_loss=float(losses[0, 0]),
        rows=tuple(StabilityRow(lr=lr, growth=found, train_loss=loss) for lr, found, loss in rows),
    )


def stable_strengths(experiment: Experiment, progress: Callable[[], None] | None = None) -> tuple[float, float] | None:
    """From which to which λ its own η is stable: the first such interval on a grid from 0 on, or None.

    Beyond λ = reach/η it diverges for certain. Raises :class:`InputError`.
    """
    asked = _Asked.of(experiment, progress)
    high = 2 * reach(asked.optimizer) / float(asked.optimizer.lr)
    grid = [0.0, *(float(lam) for lam in np.geomspace(high / 1000, high, 20))]
    stable = [not asked.at_strength(lam).diverges for lam in grid]
    if not any(stable):
        return None
    first = stable.index(True)
    after = stable.index(False, first)
    low = crossing(asked.at_strength, grid[first], grid[first - 1]) if first else 0.0
    return low, crossing(asked.at_strength, grid[after - 1], grid[after])


@dataclass(frozen=True, kw_only=True)
class _Asked:
    """The quadratic part of an experiment, its rows, and epochs drawn as the experiment draws them."""

    problem: Problem
    X: Array
    order: Order
    optimizer: SGD
    progress: Callable[[], None] | None = None

    @classmethod
    def of(cls, experiment: Experiment, progress: Callable[[], None] | None) -> _Asked:
        optimizer = _plain(experiment)
        kept = tuple(penalty for penalty in experiment.penalties if not isinstance(penalty, BOUNDED))
        anew = experiment.batches.order == "shuffled" and experiment.batches.size  # else all epochs are the same
        try:
            check_plain(experiment, "a limit in closed form")
            material = replace(experiment, epochs=DRAWN if anew else 1, resume=None).draw()
            problem = Problem(model=experiment.model, loss=experiment.loss, penalties=kept)
            _check_size(experiment, material.order)
            asked = cls(
                problem=problem, X=material.inputs["X"], order=material.order, optimizer=optimizer, progress=progress
            )
            asked.limits()  # raises where there are none
        except RefimplError as error:
            raise InputError(f"{experiment.name}: {error}") from error
        return asked

    @property
    def lam(self) -> float:
        """λ of the weight."""
        of_weight = [p for p in self.problem.penalties if isinstance(p, L2) and "weight" in p.parameters]
        return sum(float(penalty.strength) for penalty in of_weight) + float(self.optimizer.weight_decay)

    def limits(self) -> Array:
        return limits(self.problem, self.X, self.order, self.optimizer)

    def at_lr(self, lr: float) -> Growth:
        return self._growth(self.problem, replace(self.optimizer, lr=lr))

    def at_strength(self, lam: float) -> Growth:
        """The growth with λ in the place of the L2 penalties, on the parameters that they name."""
        names = next((penalty.parameters for penalty in self.problem.penalties), ("weight",))
        penalised = replace(self.problem, penalties=(L2(strength=lam, parameters=names),))
        return self._growth(penalised, replace(self.optimizer, weight_decay=0.0))

    def _growth(self, problem: Problem, optimizer: SGD) -> Growth:
        if self.progress:
            self.progress()
        return growth(problem, self.X, self.order, optimizer)


def _check_size(experiment: Experiment, order: Order) -> None:
    rows, epochs = sum(len(batch) for batch in order[0]), len(order)
    if epochs * len(order[0]) * rows**2 > MOST:
        raise InputError(
            f"{experiment.name}: {rows:,} rows in {len(order[0]):,} batches; allowed: batches × rows² up to "
            f"{MOST / epochs:,.0f}, since the product of all steps is formed; give fewer rows or larger batches"
        )


def _bottomless(experiment: Experiment, asked: _Asked) -> bool:
    """Whether an L1 norm is subtracted and some direction has no curvature at all."""
    if asked.lam or not any(isinstance(penalty, SubtractedL1) and penalty.strength for penalty in experiment.penalties):
        return False
    model = asked.problem.model
    assert isinstance(model, Linear)  # else there is no curvature to ask for
    rows = model.rows(asked.X)[0]
    return bool(np.linalg.matrix_rank(rows) < rows.shape[1])


def _plain(experiment: Experiment) -> SGD:
    """The one SGD of all parameters, its rate constant. Raises :class:`InputError`."""
    optimizers = set(experiment.optimizers.values())
    (optimizer,) = optimizers if len(optimizers) == 1 else (None,)
    if not isinstance(optimizer, SGD) or experiment.schedule != Constant() or not optimizer.lr:
        raise InputError(
            f"{experiment.name}: has no limit in closed form; allowed: one SGD with lr > 0 for all parameters and a "
            "constant schedule; choose another experiment, or run it: parity run"
        )
    return optimizer


@np.errstate(over="ignore", invalid="ignore")  # a run that diverges is shown as it is
def _run(experiment: Experiment, rates: Sequence[float]) -> Array:
    """The training loss (epochs + 1, rates) of one batched run of the reference, penalties and all."""
    material, optimizer = experiment.draw(), replace(_plain(experiment), lr=np.array(rates))
    params = {name: np.repeat(value, len(rates), axis=0) for name, value in material.params.items()}
    problem = Problem(model=experiment.model, loss=experiment.loss, penalties=experiment.penalties)
    groups = [Group(parameters=tuple(params), optimizer=optimizer)]
    X, y = material.inputs["X"], material.inputs["y"]
    return train(problem, groups, params, X, y, material.order, record="losses").train_loss
