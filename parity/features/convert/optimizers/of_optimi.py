"""torch-optimi."""

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
LION = {"lr": "lr", "betas": "betas", "weight_decay": "weight_decay"}
WRITINGS = (
    Writing(name="Adam", family="adam", words=ADAM),
    Writing(name="AdamW", family="adamw", words=ADAM),
    Writing(name="Adan", family="adan", words=ADAM),
    Writing(name="Lion", family="lion", words=LION),
    Writing(name="RAdam", family="radam", words=ADAM),
    Writing(
        name="SGD",
        family="sgd",
        words={"lr": "lr", "momentum": "momentum", "weight_decay": "weight_decay"},
        given={"torch_init": True},
    ),
)


def maker(name: str) -> Any:
    return torch_like.class_of("optimi", name)


def run(name: str, hyper: Mapping[str, Any], feed: Feed, dtype: str) -> Mapping[str, Array]:
    return torch_like.run(maker(name), hyper, feed, dtype)
