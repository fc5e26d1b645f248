"""timm."""

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
    Writing(name="AdaBelief", family="adabelief", words={**ADAM, "rectify": "rectify"}),
    Writing(name="AdamWLegacy", family="adamw", words={**ADAM, "amsgrad": "amsgrad"}),
    Writing(name="Adan", family="adan", words={**ADAM, "no_prox": "no_prox"}),
    Writing(name="Lamb", family="lamb", words=ADAM, given={"max_grad_norm": None}),
    Writing(
        name="Lars",
        family="lars",
        words={**MOMENTUM, "trust_coefficient": "trust_coeff", "eps": "eps"},
        fixed={"lr_in_buffer": False},
    ),
    Writing(name="Lion", family="lion", words=LION),
    Writing(name="NAdamLegacy", family="nadam", words=ADAM),
    Writing(name="NAdamW", family="nadam", words=ADAM, fixed={"decoupled_weight_decay": True}),
    Writing(name="RAdamLegacy", family="radam", words=ADAM, fixed={"decoupled_weight_decay": True}),
    Writing(
        name="RMSpropTF",
        family="rmsprop",
        words={**MOMENTUM, "alpha": "alpha", "eps": "eps", "centered": "centered"},
    ),
    Writing(name="SGDW", family="sgdw", words={**PLAIN, "weight_decay": "weight_decay"}),
    Writing(
        name="SGDW",
        family="sgd",
        words=PLAIN,
    ),
)


def maker(name: str) -> Any:
    return torch_like.class_of("timm.optim", name)


def run(name: str, hyper: Mapping[str, Any], feed: Feed, dtype: str) -> Mapping[str, Array]:
    return torch_like.run(maker(name), hyper, feed, dtype)
