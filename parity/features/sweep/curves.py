"""What each λ ends with: one batched reference run per seed, and beside it the ridge solutions in closed form.

A run of the reference has one value of λ for each of its runs, so all values are trained together: the same data,
initial weights and batches, one matrix product for all.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Executor
from dataclasses import dataclass, fields, replace
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt

from parity.errors import InputError, Unsupported
from parity.experiment import Experiment, Material
from parity.features.sweep.closed_form import expected, has_ridge, of_ridge
from parity.features.sweep.penalty import with_strength
from parity.formulation import realise
from refimpl.errors import RefimplError
from refimpl.training import train
from refimpl.types import Array, Params

Progress = Callable[[int, int], None]
"""Called with the number of runs done and their total."""
GROWN = 10.0
"""How much larger the second half of a run has to be than the first to be called divergence, see :func:`_diverges`."""


@dataclass(frozen=True, kw_only=True, eq=False)  # eq=False: arrays have no single truth value
class Curves:
    """At the end of training, ``(seeds, λ)`` each; None where the experiment does not define it.

    ``train_loss``, ``validation_loss``, ``expected_loss``: without penalty; the last on a new row, from the truth.
    ``norm``: ‖w‖₂. ``rose``: the run diverges, see :func:`_diverges`.
    Of the ridge solution: ``ridge_validation_loss``, ``ridge_expected_loss``, ``ridge_norm``, the
    ``degrees_of_freedom`` without the intercept, ``gcv`` and ``leave_one_out`` as mean squares, and the
    ``ridge_distance`` ‖w − w_ridge‖₂ of the trained weights.
    """

    rose: Array
    train_loss: Array
    norm: Array
    validation_loss: Array | None = None
    expected_loss: Array | None = None
    ridge_validation_loss: Array | None = None
    ridge_expected_loss: Array | None = None
    ridge_norm: Array | None = None
    ridge_distance: Array | None = None
    degrees_of_freedom: Array | None = None
    gcv: Array | None = None
    leave_one_out: Array | None = None

    def named(self) -> dict[str, Array]:
        """The curves that there are, by name."""
        return {f.name: getattr(self, f.name) for f in fields(self) if getattr(self, f.name) is not None}

    def columns(self, where: slice) -> Curves:
        """The curves at some of the values of λ."""
        return Curves(**{name: values[:, where] for name, values in self.named().items()})


def curves(
    experiment: Experiment,
    kind: str,
    strengths: Array,
    seeds: int,
    progress: Progress | None = None,
    executor: Executor | None = None,
) -> Curves:
    """All values of λ in each seed, from the experiment's own seed on; an ``executor`` has a seed at a time.

    Raises :class:`InputError`.
    """
    if executor is not None:
        experiment.draw()  # the rows of a data file go along: another machine may not have the file
    of_seed = partial(_of_seed, experiment, kind, strengths)
    numbers = range(experiment.seed, experiment.seed + seeds)
    try:
        by_seed = []
        for i, one in enumerate((map if executor is None else executor.map)(of_seed, numbers)):
            by_seed.append(one)
            if progress:
                progress(i + 1, seeds)
    except (RefimplError, Unsupported) as error:
        raise InputError(f"{experiment.name}: {error}") from error
    return Curves(**{name: np.stack([one[name] for one in by_seed]) for name in by_seed[0]})


@np.errstate(over="ignore", invalid="ignore")  # a run that diverges is shown as such
def _of_seed(experiment: Experiment, kind: str, strengths: Array, seed: int) -> dict[str, Array]:
    """The curves of one seed."""
    material = replace(experiment, seed=seed).draw()
    one, params = _trained(experiment, kind, strengths, material)
    return one | (of_ridge(experiment, strengths, material, params) if has_ridge(experiment) else {})


def _trained(
    experiment: Experiment, kind: str, strengths: Array, material: Material
) -> tuple[dict[str, Array], Params]:
    """The curves of the training run of one seed, and its final parameters."""
    form, inputs = realise(experiment, "loss"), material.inputs
    objective, in_gradient = (
        replace(problem, penalties=tuple(with_strength(penalty, kind, strengths) for penalty in problem.penalties))
        for problem in (form.objective, form.in_gradient)
    )
    groups = []
    for group in form.groups:
        optimizer: Any = group.optimizer
        if getattr(optimizer, "penalty", None) is not None:  # a proximal step has the penalty itself
            optimizer = replace(optimizer, penalty=with_strength(optimizer.penalty, kind, strengths))
        groups.append(replace(group, optimizer=optimizer))
    start = {name: np.repeat(array, len(strengths), axis=0) for name, array in material.params.items()}
    X, y = inputs["X"], inputs["y"]
    run = train(
        in_gradient,
        groups,
        start,
        X,
        y,
        material.order,
        schedule=form.schedule,
        windows=material.windows,
        clip=form.clip,
        freeze=form.freeze,
        record="losses",
    )
    params = {name: values[-1] for name, values in run.params.items()}
    last = material.order[-1][-1]
    after = in_gradient.objective(params, X[:, last], y[:, last])
    rose = _diverges(np.concatenate([run.objective, after[None]]))
    final = {"rose": rose, "train_loss": run.train_loss[-1], "norm": run.norm[-1]}
    if "X_validation" in inputs:
        final["validation_loss"] = objective.data_loss(params, inputs["X_validation"], inputs["y_validation"])
    return final | expected("expected_loss", experiment, material, params), params


def _diverges(objective: Array) -> npt.NDArray[np.bool_]:
    """``(runs,)``: whether the objectives of the batches, ``(steps + 1, runs)``, grow from step to step.

    That they end above the start says nothing: from a good start, the noise of the batches leaves any run there, but
    what it leaves does not grow further. An error that is multiplied by ρ > 1 in each step grows by ``ρ^(2K)`` in the
    K steps of half a run; one that drifts at a constant rate only doubles. So: no number at the end, or a second half
    whose largest objective is more than ``GROWN`` times the largest of the first.
    """
    half = len(objective) // 2
    first, second = objective[:half].max(axis=0), objective[half:].max(axis=0)
    return np.asarray(~np.isfinite(objective[-1]) | (second > GROWN * first))
