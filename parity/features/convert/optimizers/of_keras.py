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
from parity.features.convert.optimizers.library import stacked
from parity.features.convert.optimizers.writing import Writing
from refimpl.types import Array

EXTRA = "frameworks"
SCALARS = {"float64": "float64", "float32": "float32"}
RATE = {"lr": "learning_rate"}
ADAM = {**RATE, "betas[0]": "beta_1", "betas[1]": "beta_2", "eps": "epsilon"}
DECAY = {"weight_decay": "weight_decay"}
WRITINGS = (
    Writing(name="SGD", family="sgd", words={**RATE, "momentum": "momentum", "nesterov": "nesterov"}),
    Writing(name="SGD", family="sgdw", words={**RATE, "momentum": "momentum", "nesterov": "nesterov", **DECAY}),
    Writing(name="Adam", family="adam", words={**ADAM, "amsgrad": "amsgrad"}),
    Writing(name="AdamW", family="adamw", words={**ADAM, **DECAY, "amsgrad": "amsgrad"}),
    Writing(name="Nadam", family="nadam", words=ADAM),
    Writing(name="Adamax", family="adamax", words=ADAM),
    Writing(
        name="Adagrad",
        family="adagrad",
        words={**RATE, "initial_accumulator_value": "initial_accumulator_value", "eps": "epsilon"},
    ),
    Writing(name="Adadelta", family="adadelta", words={**RATE, "rho": "rho", "eps": "epsilon"}),
    Writing(
        name="RMSprop",
        family="rmsprop",
        words={**RATE, "alpha": "rho", "momentum": "momentum", "eps": "epsilon", "centered": "centered"},
    ),
    Writing(name="Lion", family="lion", words={**RATE, "betas[0]": "beta_1", "betas[1]": "beta_2", **DECAY}),
    Writing(name="Lamb", family="lamb", words=ADAM),
)


def maker(name: str) -> Any:
    os.environ.setdefault("KERAS_BACKEND", "torch")
    return getattr(import_module("keras").optimizers, name)


def run(name: str, hyper: Mapping[str, Any], feed: Feed, dtype: str) -> Mapping[str, Array]:
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
    return stacked(moments)


def _numbers(keras: Any, variables: Mapping[str, Any]) -> dict[str, Array]:
    numbers = {name: keras.ops.convert_to_numpy(variable.value) for name, variable in variables.items()}
    return {name: np.array(value, float) for name, value in numbers.items()}
