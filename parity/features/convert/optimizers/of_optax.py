"""optax, in JAX: its gradient transformations, with the rate as a schedule of the count."""

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
SCALARS = {"float64": "float64", "float32": "float32"}
ADAM = {"lr": "learning_rate", "betas[0]": "b1", "betas[1]": "b2", "eps": "eps"}
DECAY = {"weight_decay": "weight_decay"}
WRITINGS = (
    Writing(name="sgd", family="sgd", words={"lr": "learning_rate", "momentum": "momentum", "nesterov": "nesterov"}),
    Writing(name="adam", family="adam", words=ADAM),
    Writing(name="adamw", family="adamw", words={**ADAM, **DECAY}),
    Writing(name="amsgrad", family="adam", words=ADAM, fixed={"amsgrad": True}),
    Writing(name="nadam", family="nadam", words=ADAM),
    Writing(name="nadamw", family="nadam", words={**ADAM, **DECAY}, fixed={"decoupled_weight_decay": True}),
    Writing(name="radam", family="radam", words=ADAM),
    Writing(name="adamax", family="adamax", words=ADAM),
    Writing(name="adamaxw", family="adamax", words={**ADAM, **DECAY}),
    Writing(
        name="adagrad",
        family="adagrad",
        words={
            "lr": "learning_rate",
            "initial_accumulator_value": "initial_accumulator_value",
            "eps": "eps",
        },
    ),
    Writing(name="adadelta", family="adadelta", words={"lr": "learning_rate", "rho": "rho", "eps": "eps"}),
    Writing(
        name="rmsprop",
        family="rmsprop",
        words={
            "lr": "learning_rate",
            "alpha": "decay",
            "eps": "eps",
            "momentum": "momentum",
            "centered": "centered",
        },
        given={"eps_in_sqrt": False},
    ),
    Writing(
        name="lion",
        family="lion",
        words={"lr": "learning_rate", "betas[0]": "b1", "betas[1]": "b2", **DECAY},
    ),
    Writing(name="adabelief", family="adabelief", words=ADAM, given={"eps_root": 0.0}),
    Writing(name="lamb", family="lamb", words={**ADAM, **DECAY}),
    Writing(
        name="lars",
        family="lars",
        words={
            "lr": "learning_rate",
            "momentum": "momentum",
            "trust_coefficient": "trust_coefficient",
            "eps": "eps",
            **DECAY,
        },
    ),
    Writing(
        name="adan",
        family="adan",
        words={**ADAM, "betas[2]": "b3", **DECAY},
        given={"eps_root": 0.0},
    ),
)


def maker(name: str) -> Any:
    import_module("jax")
    return getattr(import_module("optax"), name)


def run(name: str, hyper: Mapping[str, Any], feed: Feed, dtype: str) -> Mapping[str, Array]:
    """A feed through the transformation; each step is compiled as one."""
    jax: Any = import_module("jax")
    optax: Any = import_module("optax")
    rate = dict(hyper).pop("learning_rate")
    with jax.enable_x64(dtype == "float64"):

        def array(value: Array) -> Any:
            return jax.numpy.asarray(value, dtype)

        rates = array(rate * np.asarray(feed.factor))
        transformation = maker(name)(**{**hyper, "learning_rate": rates.__getitem__})
        params = {name: array(start) for name, start in feed.weights.items()}
        state, moments = transformation.init(params), [_numbers(params)]

        def step(params: Any, state: Any, gradients: Any) -> Any:
            updates, state = transformation.update(gradients, state, params)
            return optax.apply_updates(params, updates), state

        compiled = jax.jit(step)
        for k in range(len(feed.factor)):
            gradients = {name: array(some[k]) for name, some in feed.gradients.items()}
            params, state = compiled(params, state, gradients)
            moments.append(_numbers(params))
    return stacked(moments)


def _numbers(params: Mapping[str, Any]) -> dict[str, Array]:
    return {name: np.asarray(value, float) for name, value in params.items()}
