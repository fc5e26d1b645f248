"""MLX, on its CPU device."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from typing import Any

import numpy as np

from parity.explain.feeds import Feed
from parity.features.convert.optimizers.library import stacked
from parity.features.convert.optimizers.writing import Writing
from refimpl.types import Array

EXTRA = "frameworks"
SCALARS = {"float32": "float32"}
RATE = {"lr": "learning_rate"}
ADAM = {**RATE, "betas": "betas", "eps": "eps"}
CORRECTED = {"bias_correction": True}
WRITINGS = (
    Writing(
        name="SGD",
        family="sgd",
        words={**RATE, **{n: n for n in ("momentum", "weight_decay", "dampening", "nesterov")}},
    ),
    Writing(name="RMSprop", family="rmsprop", words={**RATE, "alpha": "alpha", "eps": "eps"}),
    Writing(name="Adagrad", family="adagrad", words={**RATE, "eps": "eps"}),
    Writing(name="AdaDelta", family="adadelta", words={**RATE, "rho": "rho", "eps": "eps"}),
    Writing(name="Adam", family="adam", words=ADAM, given=CORRECTED),
    Writing(name="AdamW", family="adamw", words={**ADAM, "weight_decay": "weight_decay"}, given=CORRECTED),
    Writing(name="Adamax", family="adamax", words=ADAM),
    Writing(name="Lion", family="lion", words={**RATE, "betas": "betas", "weight_decay": "weight_decay"}),
)


def maker(name: str) -> Any:
    return getattr(import_module("mlx.optimizers"), name)


def run(name: str, hyper: Mapping[str, Any], feed: Feed, dtype: str) -> Mapping[str, Array]:
    """A feed through ``apply_gradients``."""
    make, mx = maker(name), import_module("mlx.core")
    mx.set_default_device(mx.cpu)

    def array(value: Array) -> Any:
        return mx.array(value.astype(dtype))

    optimizer = make(**{n: list(value) if isinstance(value, tuple) else value for n, value in hyper.items()})
    params = {n: array(start) for n, start in feed.weights.items()}
    moments = [_numbers(params)]
    for k, factor in enumerate(feed.factor):
        optimizer.learning_rate = hyper["learning_rate"] * factor
        params = optimizer.apply_gradients({n: array(some[k]) for n, some in feed.gradients.items()}, params)
        mx.eval(params, optimizer.state)
        moments.append(_numbers(params))
    return stacked(moments)


def _numbers(params: Mapping[str, Any]) -> dict[str, Array]:
    return {name: np.array(value, float) for name, value in params.items()}
