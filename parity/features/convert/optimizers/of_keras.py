"""Keras: its own optimizers, on the backend that ``KERAS_BACKEND`` names, or on torch.

Its ``weight_decay`` is decoupled in every class: w ← w − ηλw before the step.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from importlib import import_module
from typing import Any

import numpy as np

from parity.explain.feeds import Feed
from parity.features.convert.optimizers.library import Moments
from parity.features.convert.optimizers.writing import Writing, same
from refimpl.types import Array

EXTRA = "frameworks"
SCALARS = {"float64": "float64", "float32": "float32"}
MODULE = "keras.optimizers"
RATE = {"lr": "learning_rate"}
BETAS = {"betas[0]": "beta_1", "betas[1]": "beta_2"}
ADAM = {**RATE, **BETAS, "eps": "epsilon"}
DECAY = same("weight_decay")
SGD = {**RATE, **same("momentum nesterov")}
WRITINGS = (
    Writing("SGD", "sgd", SGD),
    Writing("SGD", "sgdw", {**SGD, **DECAY}),
    Writing("Adam", "adam", {**ADAM, **same("amsgrad")}),
    Writing("AdamW", "adamw", {**ADAM, **DECAY, **same("amsgrad")}),
    Writing("Nadam", "nadam", ADAM),
    Writing("Adamax", "adamax", ADAM),
    Writing("Adagrad", "adagrad", {**RATE, **same("initial_accumulator_value"), "eps": "epsilon"}),
    Writing("Adadelta", "adadelta", {**RATE, **same("rho"), "eps": "epsilon"}),
    Writing("RMSprop", "rmsprop", {**RATE, "alpha": "rho", "eps": "epsilon", **same("momentum centered")}),
    Writing("Lion", "lion", {**RATE, **BETAS, **DECAY}),
    Writing("Lamb", "lamb", ADAM),
)


def maker(name: str) -> Any:
    os.environ.setdefault("KERAS_BACKEND", "torch")
    return getattr(import_module(MODULE), name)


def run(name: str, hyper: Mapping[str, Any], feed: Feed, dtype: str) -> Moments:
    """A feed through ``apply``; numbers of the optimizer are kept in the dtype of the weights."""
    make = maker(name)
    keras: Any = import_module("keras")
    usual = keras.config.floatx()
    keras.config.set_floatx(dtype)
    try:
        variables = {n: keras.Variable(start, dtype=dtype, name=n) for n, start in feed.weights.items()}
        optimizer, moments = make(**dict(hyper)), [_numbers(keras, variables)]
        optimizer.build(list(variables.values()))
        rate = hyper["learning_rate"]
        for k, factor in enumerate(feed.factor):
            optimizer.learning_rate = rate * factor
            gradients = [keras.ops.convert_to_tensor(feed.gradients[n][k], dtype=dtype) for n in variables]
            optimizer.apply(gradients, list(variables.values()))
            moments.append(_numbers(keras, variables))
    finally:
        keras.config.set_floatx(usual)
    return moments


def _numbers(keras: Any, variables: Mapping[str, Any]) -> dict[str, Array]:
    numbers = {name: keras.ops.convert_to_numpy(variable.value) for name, variable in variables.items()}
    return {name: np.array(value, float) for name, value in numbers.items()}
