"""optax, in JAX: its gradient transformations, with the rate as a schedule of the count."""

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
SCALARS = {"float64": "float64", "float32": "float32"}
MODULE = "optax"
RATE = {"lr": "learning_rate"}
BETAS = {"betas[0]": "b1", "betas[1]": "b2"}
ADAM = {**RATE, **BETAS, **same("eps")}
DECAY = same("weight_decay")
WRITINGS = (
    Writing("sgd", "sgd", {**RATE, **same("momentum nesterov")}),
    Writing("adam", "adam", ADAM),
    Writing("adamw", "adamw", {**ADAM, **DECAY}),
    Writing("amsgrad", "adam", ADAM, fixed={"amsgrad": True}),
    Writing("nadam", "nadam", ADAM),
    Writing("nadamw", "nadam", {**ADAM, **DECAY}, fixed={"decoupled_weight_decay": True}),
    Writing("radam", "radam", ADAM),
    Writing("adamax", "adamax", ADAM),
    Writing("adamaxw", "adamax", {**ADAM, **DECAY}),
    Writing("adagrad", "adagrad", {**RATE, **same("initial_accumulator_value eps")}),
    Writing("adadelta", "adadelta", {**RATE, **same("rho eps")}),
    Writing(
        "rmsprop",
        "rmsprop",
        {**RATE, "alpha": "decay", **same("eps momentum centered")},
        given={"eps_in_sqrt": False},
    ),
    Writing("lion", "lion", {**RATE, **BETAS, **DECAY}),
    Writing("adabelief", "adabelief", ADAM, given={"eps_root": 0.0}),
    Writing("lamb", "lamb", {**ADAM, **DECAY}),
    Writing("lars", "lars", {**RATE, **same("momentum trust_coefficient eps"), **DECAY}),
    Writing("adan", "adan", {**ADAM, "betas[2]": "b3", **DECAY}, given={"eps_root": 0.0}),
)


def maker(name: str) -> Any:
    import_module("jax")
    return getattr(import_module(MODULE), name)


def run(name: str, hyper: Mapping[str, Any], feed: Feed, dtype: str) -> Moments:
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
    return moments


def _numbers(params: Mapping[str, Any]) -> dict[str, Array]:
    return {name: np.asarray(value, float) for name, value in params.items()}
