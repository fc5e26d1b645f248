"""torch-optimizer."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from parity.explain.feeds import Feed
from parity.features.convert.optimizers import torch_like
from parity.features.convert.optimizers.writing import Writing
from refimpl.types import Array

EXTRA = "zoo"
SCALARS = {"float64": "float64", "float32": "float64"}
ADAM = {"lr": "lr", "betas": "betas", "eps": "eps", "weight_decay": "weight_decay"}
MOMENTUM = {"lr": "lr", "momentum": "momentum", "weight_decay": "weight_decay"}
LION = {"lr": "lr", "betas": "betas", "weight_decay": "weight_decay"}
PLAIN = {name: name for name in ("lr", "momentum", "dampening", "nesterov")}
WRITINGS = (
    Writing(
        name="AdaBelief", family="adabelief", words={**ADAM, "rectify": "rectify", "weight_decouple": "weight_decouple"}
    ),
    Writing(
        name="LARS",
        family="lars",
        words={**MOMENTUM, "trust_coefficient": "trust_coefficient", "eps": "eps"},
        fixed={"lr_in_buffer": False},
    ),
    Writing(name="Lamb", family="lamb", words=ADAM, fixed={"bias_correction": False}, given={"clamp_value": 1e9}),
    Writing(name="RAdam", family="radam", words=ADAM, fixed={"decoupled_weight_decay": True}),
    Writing(name="SGDW", family="sgdw", words={**PLAIN, "weight_decay": "weight_decay"}),
    Writing(
        name="SGDW",
        family="sgd",
        words=PLAIN,
    ),
    Writing(name="QHAdam", family="adam", words=ADAM, given={"nus": (1.0, 1.0)}),
)


def maker(name: str) -> Any:
    return torch_like.class_of("torch_optimizer", name)


def run(name: str, hyper: Mapping[str, Any], feed: Feed, dtype: str) -> Mapping[str, Array]:
    return torch_like.run(maker(name), hyper, feed, dtype)
