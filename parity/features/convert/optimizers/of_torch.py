"""torch.optim."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from parity.explain.feeds import Feed
from parity.features.convert.optimizers import torch_like
from parity.features.convert.optimizers.writing import Writing
from refimpl.types import Array

EXTRA = ""
SCALARS = {"float64": "float64", "float32": "float64"}
ADAM = {"lr": "lr", "betas": "betas", "eps": "eps", "weight_decay": "weight_decay"}
WRITINGS = (
    Writing(
        name="SGD",
        family="sgd",
        words={n: n for n in ("lr", "momentum", "dampening", "weight_decay", "nesterov")},
    ),
    Writing(name="Adam", family="adam", words={**ADAM, "amsgrad": "amsgrad"}),
    Writing(name="AdamW", family="adamw", words={**ADAM, "amsgrad": "amsgrad"}),
    Writing(name="NAdam", family="nadam", words={**ADAM, "momentum_decay": "momentum_decay"}),
    Writing(name="RAdam", family="radam", words={**ADAM, "decoupled_weight_decay": "decoupled_weight_decay"}),
    Writing(name="Adamax", family="adamax", words=ADAM),
    Writing(
        name="Adagrad",
        family="adagrad",
        words={n: n for n in ("lr", "lr_decay", "weight_decay", "initial_accumulator_value", "eps")},
    ),
    Writing(name="Adadelta", family="adadelta", words={n: n for n in ("lr", "rho", "eps", "weight_decay")}),
    Writing(
        name="RMSprop",
        family="rmsprop",
        words={n: n for n in ("lr", "alpha", "eps", "weight_decay", "momentum", "centered")},
    ),
    Writing(name="Rprop", family="rprop", words={n: n for n in ("lr", "etas", "step_sizes")}),
    Writing(name="ASGD", family="asgd", words={n: n for n in ("lr", "lambd", "alpha", "t0", "weight_decay")}),
)


def maker(name: str) -> Any:
    return torch_like.class_of("torch.optim", name)


def run(name: str, hyper: Mapping[str, Any], feed: Feed, dtype: str) -> Mapping[str, Array]:
    return torch_like.run(maker(name), hyper, feed, dtype)
