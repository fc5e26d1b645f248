"""The framework's side of a page: its own numbers, read out of runs of its own.

A recorded run has the loss, the whole gradient, the weights and the optimizer's state. What a step adds up on the way
is asked for in runs of one step that leave out the rest, started from the framework's own weights:

====================  =============================================================================================
data gradient         the gradient without penalties
penalty gradient      the gradient where x = 0 and y = b, so that every residual is exactly 0
residual of a row     the bias's gradient of ½r², which is r exactly; the row is alone in its batch
====================  =============================================================================================
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from parity.backends import backend
from parity.backends.base import Backend, Setting
from parity.errors import Unsupported
from parity.experiment import Experiment
from refimpl.batches import Batches
from refimpl.datasets.dataset import Dataset
from refimpl.errors import RefimplError
from refimpl.initial_weights import Values
from refimpl.losses import SquaredError
from refimpl.models import Linear
from refimpl.optimizers import SGD
from refimpl.trajectory import Trajectory
from refimpl.types import Array, Loss, Penalty

HALF = SquaredError(factor=0.5, reduction="sum")


@dataclass(frozen=True)
class FixedRows:
    """Rows as they are."""

    X: Array
    y: Array

    def make(self, rng: np.random.Generator) -> Dataset:
        del rng
        return Dataset(X=self.X, y=self.y)


@dataclass(frozen=True)
class Framework:
    """A run of a framework, and what it computes within a step."""

    runner: Backend
    experiment: Experiment
    setting: Setting
    trajectory: Trajectory

    def params(self, step: int) -> dict[str, Array]:
        """The parameters before the step."""
        return {name: values[step] for name, values in self.trajectory.params.items()}

    def data_gradient(self, step: int, X: Array, y: Array) -> Mapping[str, Array] | None:
        """The gradient of the loss without penalties."""
        return self._gradients(self.experiment.loss, (), self.params(step), X, y)

    def penalty_gradient(self, step: int, penalty: Penalty, features: int) -> Mapping[str, Array] | None:
        """The gradient of one penalty."""
        params = self.params(step)
        bias = params.get("bias", np.zeros((1, 1)))
        return self._gradients(HALF, (penalty,), params, np.zeros((1, 1, features)), bias[:, None])

    def residual(self, step: int, x: Array, y: Array) -> float | None:
        """Of one row, ``x`` ``(1, 1, p)`` and ``y`` ``(1, 1, 1)``; ŷ where y is 0."""
        params = {"bias": np.zeros((1, 1))} | self.params(step)
        gradients = self._gradients(HALF, (), params, x, y)
        return None if gradients is None else float(gradients["bias"][0, 0])

    def _gradients(
        self, loss: Loss, penalties: tuple[Penalty, ...], params: Mapping[str, Array], X: Array, y: Array
    ) -> Mapping[str, Array] | None:
        """Of one step from ``params``; None where they are no finite numbers."""
        try:
            one = Experiment(
                name="part",
                data=FixedRows(X, y),
                epochs=1,
                loss=loss,
                penalties=penalties,
                optimizer=SGD(lr=0),
                init={name: Values(values=tuple(map(float, param.ravel()))) for name, param in params.items()},
                batches=Batches(order="fixed"),
                model=Linear(bias="bias" in params),
            )
            recorded = self.runner.run(one, self.setting)
        except (RefimplError, Unsupported):
            return None
        return {name: values[0] for name, values in recorded.gradients.items()}


def run_framework(name: str, experiment: Experiment, setting: Setting) -> Framework | str:
    """The run, or why there is none, in the framework's words."""
    runner = backend(name)
    try:
        return Framework(runner, experiment, setting, runner.run(experiment, setting))
    except Unsupported as refusal:
        return str(refusal)


def element(values: Any, place: int) -> float | None:
    """One number of an array, if there is one."""
    return None if values is None or np.size(values) <= place else float(np.ravel(values)[place])
