"""One training step of the reference beside one of torch eager."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

import parity
from benchmarks.common import significant
from benchmarks.timing import Timing, alternate
from parity.experiment import Experiment
from parity.formulation import realise
from refimpl.optimizers import SGD
from refimpl.training import train
from refimpl.trajectory import Trajectory
from refimpl.types import Array

S0 = "s0-concise-lam3"


def reference_on(experiment: Experiment) -> Callable[[], Trajectory]:
    """The reference's run of an experiment, its data made beforehand."""
    material, form = experiment.draw(), realise(experiment, "weight_decay")
    data = material.dataset
    assert data.X_validation is not None and data.y_validation is not None
    validation = (data.X_validation, data.y_validation)
    return partial(
        train, form.in_gradient, form.groups, material.params, data.X, data.y, material.order, validation=validation
    )


class Eager:
    """The run as one writes it in torch: ``nn.Linear``, ``MSELoss``, ``SGD`` with groups, in float64.

    Model, optimizer and batch indices are made beforehand; what is measured is the loop and its recording.
    """

    def __init__(self, experiment: Experiment) -> None:
        assert isinstance(experiment.optimizer, SGD)
        material, form = experiment.draw(), realise(experiment, "weight_decay")
        data = {name: torch.from_numpy(array[0]) for name, array in material.inputs.items()}
        self.X, self.y = data["X"], data["y"]
        self.X_validation, self.y_validation = data["X_validation"], data["y_validation"]
        self.order = [(torch.from_numpy(np.concatenate(epoch)), [len(b) for b in epoch]) for epoch in material.order]
        self.net = nn.Linear(self.X.shape[1], 1).double()
        self.start = {name: torch.from_numpy(array[0]) for name, array in material.params.items()}
        parameters = dict(self.net.named_parameters())
        groups = [
            {"params": [parameters[group.parameters[0]]], "weight_decay": getattr(group.optimizer, "weight_decay", 0.0)}
            for group in form.groups
        ]
        self.optimizer = torch.optim.SGD(groups, lr=float(experiment.optimizer.lr))
        self.loss = nn.MSELoss()

    def run(self, record: bool) -> dict[str, Tensor]:
        """One run from the initial weights; with ``record`` it keeps what the reference's trajectory has."""
        self.net.load_state_dict(self.start)
        weight, bias = self.net.weight, self.net.bias
        kept: dict[str, list[Any]] = {name: [] for name in RECORDED}

        def keep_params() -> None:
            kept["weight"].append(weight.detach().clone())
            kept["bias"].append(bias.detach().clone())
            kept["norm"].append(torch.linalg.vector_norm(weight.detach()))

        def keep_epoch() -> None:
            with torch.no_grad():
                kept["train_loss"].append(self.loss(self.net(self.X), self.y))
                kept["validation_loss"].append(self.loss(self.net(self.X_validation), self.y_validation))

        if record:
            keep_params()
            keep_epoch()
        for rows, sizes in self.order:
            X, y = self.X[rows], self.y[rows]
            for X_batch, y_batch in zip(torch.split(X, sizes), torch.split(y, sizes), strict=True):
                self.optimizer.zero_grad()
                loss = self.loss(self.net(X_batch), y_batch)
                loss.backward()
                self.optimizer.step()
                if record:
                    assert weight.grad is not None and bias.grad is not None
                    kept["loss"].append(loss.detach())
                    kept["weight gradient"].append(weight.grad.clone())
                    kept["bias gradient"].append(bias.grad.clone())
                    keep_params()
            if record:
                keep_epoch()
        return {name: torch.stack(values) for name, values in kept.items() if values}


RECORDED = (
    "loss",
    "weight",
    "bias",
    "weight gradient",
    "bias gradient",
    "norm",
    "train_loss",
    "validation_loss",
)


def largest_difference(trajectory: Trajectory, recorded: dict[str, Tensor]) -> float:
    """Over everything that both recorded, relative to the largest value of each quantity."""
    assert trajectory.validation_loss is not None
    ours: dict[str, Array] = {
        "loss": trajectory.loss,
        "weight": trajectory.params["weight"],
        "bias": trajectory.params["bias"],
        "weight gradient": trajectory.gradients["weight"],
        "bias gradient": trajectory.gradients["bias"],
        "norm": trajectory.norm,
        "train_loss": trajectory.train_loss,
        "validation_loss": trajectory.validation_loss,
    }
    assert set(ours) == set(recorded)
    return max(
        float(np.max(np.abs(array.ravel() - recorded[name].numpy().ravel())) / np.max(np.abs(array)))
        for name, array in ours.items()
    )


def training(rounds: int) -> list[Timing]:
    """The reference and torch eager on S0, per step."""
    experiment = parity.load(S0)
    reference, eager = reference_on(experiment), Eager(experiment)
    steps = reference().steps
    difference = largest_difference(reference(), eager.run(record=True))
    ours, recording, bare = alternate((reference, partial(eager.run, True), partial(eager.run, False)), rounds)
    what, same = "training step on S0, everything recorded", f"to {significant(difference)}"
    return [
        Timing(
            what,
            "torch eager, recording the same",
            ours / steps,
            recording / steps,
            recording / ours,
            "≥ 5 ×",
            recording / ours >= 5,
            same,
        ),
        Timing(what, "torch eager, recording nothing", ours / steps, bare / steps, bare / ours),
    ]
