"""MLX, on its CPU device."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from typing import Any

import numpy as np

from parity.explain.feeds import Feed
from parity.features.convert.optimizers.library import Moments
from parity.features.convert.optimizers.writing import Writing, same
from refimpl.types import Array

EXTRA = "frameworks"
SCALARS = {"float32": "float32"}
MODULE = "mlx.optimizers"
RATE = {"lr": "learning_rate"}
ADAM = {**RATE, **same("betas eps")}
CORRECTED = {"bias_correction": True}
WRITINGS = (
    Writing("SGD", "sgd", {**RATE, **same("momentum weight_decay dampening nesterov")}),
    Writing("RMSprop", "rmsprop", {**RATE, **same("alpha eps")}),
    Writing("Adagrad", "adagrad", {**RATE, **same("eps")}),
    Writing("AdaDelta", "adadelta", {**RATE, **same("rho eps")}),
    Writing("Adam", "adam", ADAM, given=CORRECTED),
    Writing("AdamW", "adamw", {**ADAM, **same("weight_decay")}, given=CORRECTED),
    Writing("Adamax", "adamax", ADAM),
    Writing("Lion", "lion", {**RATE, **same("betas weight_decay")}),
)


def maker(name: str) -> Any:
    return getattr(import_module(MODULE), name)


def run(name: str, hyper: Mapping[str, Any], feed: Feed, dtype: str) -> Moments:
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
    return moments


def _numbers(params: Mapping[str, Any]) -> dict[str, Array]:
    return {name: np.array(value, float) for name, value in params.items()}
