"""Traces of small experiments, and their lines."""

from __future__ import annotations

from typing import Any

from parity.experiment import Experiment
from parity.features.trace.content import Line, Trace
from refimpl.batches import Batches
from refimpl.datasets import Gaussian
from refimpl.initial_weights import Values
from refimpl.losses import SquaredError
from refimpl.optimizers import OPTIMIZERS, SGD
from refimpl.penalties import L2
from refimpl.training import Group

HYPER: dict[str, dict[str, Any]] = {
    "sgd": {"lr": 0.1, "momentum": 0.9, "dampening": 0.2, "weight_decay": 0.1},
    "sgdw": {"lr": 0.1, "momentum": 0.9, "nesterov": True, "weight_decay": 0.1},
    "proximal_sgd": {"lr": 0.1},
    "adam": {"amsgrad": True},
    "radam": {"betas": (0.9, 0.5), "weight_decay": 0.1},  # rectified at the second step
    "adabelief": {"rectify": True, "betas": (0.9, 0.5), "weight_decay": 0.1},
    "rmsprop": {"centered": True, "momentum": 0.5},
    "lars": {"lr": 0.1, "weight_decay": 0.1},
    "schedule_free_sgd": {"warmup_steps": 2, "r": 1.0},
}
"""Where the defaults leave terms out, or there is none."""


def small(**changes: Any) -> Experiment:
    """Three features and five rows a batch, so that no sum is cut short."""
    defaults: dict[str, Any] = {
        "name": "small",
        "data": Gaussian(train_rows=12, features=3, noise=0.1, weight=0.7),
        "epochs": 1,
        "loss": SquaredError(factor=0.5, reduction="mean"),
        "penalties": (L2(strength=0.3),),
        "optimizer": SGD(lr=0.1),
        "init": {"weight": Values(values=(0.3, -0.7, 1.1)), "bias": Values(values=(0.2,))},
        "batches": Batches(size=5),
    }
    return Experiment(**(defaults | changes))


def with_optimizer(name: str) -> Experiment:
    optimizer: Any = OPTIMIZERS[name](**HYPER.get(name, {}))
    groups = (Group(parameters=("bias",), optimizer=SGD(lr=0.1)),) if name == "muon" else ()
    return small(optimizer=optimizer, groups=groups)


def line(found: Trace, symbol: str, step: int = 0) -> Line:
    (one,) = (each for section in found.steps[step].sections for each in section.lines if each.symbol == symbol)
    return one


def all_lines(found: Trace) -> list[Line]:
    return [each for step in found.steps for section in step.sections for each in section.lines]
