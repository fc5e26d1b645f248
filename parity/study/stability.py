"""Whether an experiment diverges, predicted from its data and hyper-parameters before it is run.

The mathematics is that of :mod:`refimpl.exact.stability`; here it is asked of an experiment, with the run beside it. A
penalty whose pull is bounded (L1 added or subtracted, the norm not squared) can neither make errors grow from epoch to
epoch nor keep them from growing, so it is left out of the prediction and named.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from parity.errors import InputError
from parity.experiment import Experiment
from refimpl.batches import Order
from refimpl.errors import RefimplError
from refimpl.exact.stability import Growth, crossing, growth, limits, reach
from refimpl.optimizers import SGD
from refimpl.penalties import L1, L2, Norm, SubtractedL1
from refimpl.problem import Problem
from refimpl.schedules import Constant
from refimpl.training import Group, train
from refimpl.types import Array

DRAWN = 200
"""Epochs over which the growth of reshuffled batches is measured."""
SHARES = (0.25, 0.5, 0.9, 0.99, 1.01, 1.1, 1.5, 2.0)
"""Of the limit of the batches in turns: the learning rates of the table, where none are given."""
BOUNDED = (L1, SubtractedL1, Norm)


@dataclass(frozen=True, kw_only=True)
class Row:
    """One learning rate: what is predicted, and what the reference's run then does."""

    lr: float
    growth: Growth
    train_loss: float


@dataclass(frozen=True, kw_only=True)
class Stability:
    """``curvature``: L, the least and largest eigenvalue λ_max(hM_BᵀM_B) of a batch; ``mean_curvature``: of all rows.

    ``batch_limit``: the smallest reach/κ_max of a batch. ``lr_limit``: of the batches in turns. ``bounded``: the
    penalties left out. ``first_loss``: the training loss before the first step.
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
    first_loss: float
    rows: tuple[Row, ...]


def stability(experiment: Experiment, rates: Sequence[float] = ()) -> Stability:
    """Predict, then run; ``rates``: the learning rates of the table. Raises :class:`InputError`."""
    asked = _Asked.of(experiment)
    bare = replace(
        asked, problem=replace(asked.problem, penalties=()), optimizer=replace(asked.optimizer, weight_decay=0.0)
    )
    everything = replace(bare, order=((np.arange(asked.X.shape[1]),),))
    curvatures = reach(asked.optimizer) / bare.limits()  # L of each batch
    batch_limit = float(asked.limits().min())
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
        first_loss=float(losses[0, 0]),
        rows=tuple(Row(lr=lr, growth=found, train_loss=loss) for lr, found, loss in rows),
    )


def stable_strengths(experiment: Experiment) -> tuple[float, float] | None:
    """From which to which λ its own η is stable: the first such interval on a grid, or None.

    Beyond λ = reach/η it diverges for certain. Raises :class:`InputError`.
    """
    asked = _Asked.of(experiment)
    high = 2 * reach(asked.optimizer) / float(asked.optimizer.lr)
    grid = [float(lam) for lam in np.geomspace(high / 1000, high, 20)]
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

    @classmethod
    def of(cls, experiment: Experiment) -> _Asked:
        optimizer = _plain(experiment)
        kept = tuple(penalty for penalty in experiment.penalties if not isinstance(penalty, BOUNDED))
        try:
            material = replace(experiment, epochs=DRAWN).draw()
            problem = Problem(model=experiment.model, loss=experiment.loss, penalties=kept)
            asked = cls(problem=problem, X=material.inputs["X"], order=material.order, optimizer=optimizer)
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
        return growth(self.problem, self.X, self.order, replace(self.optimizer, lr=lr))

    def at_strength(self, lam: float) -> Growth:
        """Of λ in the place of the L2 penalties, on the parameters that they name."""
        names = next((penalty.parameters for penalty in self.problem.penalties), ("weight",))
        penalised = replace(self.problem, penalties=(L2(strength=lam, parameters=names),))
        return growth(penalised, self.X, self.order, replace(self.optimizer, weight_decay=0.0))


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
