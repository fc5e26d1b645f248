"""Adagrad, Adadelta, RMSprop, Rprop and momentum take the steps of optax and ONNX."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from refimpl.optimizers import SGD, Adadelta, Adagrad, RMSprop, Rprop
from refimpl.types import Optimizer
from tests.refimpl.optimizers.accumulators import run


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        (
            Adagrad(lr=0.1, initial_accumulator_value=0.3, eps=0),
            ("adagrad", 0.1, {"initial_accumulator_value": 0.3, "eps": 0}),
        ),  # their ε is in the root
        (
            Adadelta(lr=0.3, rho=0.7, eps=0.01, weight_decay=0.3),
            ("adadelta", 0.3, {"rho": 0.7, "eps": 0.01, "weight_decay": 0.3}),
        ),
        (
            RMSprop(lr=0.1, alpha=0.7, eps=0.01, momentum=0.6),
            ("rmsprop", 0.1, {"decay": 0.7, "eps": 0.01, "momentum": 0.6, "eps_in_sqrt": False}),
        ),
        (
            RMSprop(lr=0.1, alpha=0.7, eps=0.01, centered=True),
            ("rmsprop", 0.1, {"decay": 0.7, "eps": 0.01, "centered": True, "eps_in_sqrt": False}),
        ),
    ],
    ids=["adagrad", "adadelta", "rmsprop", "rmsprop-centered"],
)
def test_optax_takes_the_same_steps(ours: Optimizer, theirs: tuple[str, float, dict[str, Any]]) -> None:
    import jax
    import optax

    name, rate, options = theirs
    peer = getattr(optax, name)(rate, **options)
    rng = np.random.default_rng(1)
    start, gradients = rng.standard_normal(9), rng.standard_normal((20, 9))
    gradients[3, 4] = 0
    with jax.enable_x64(True):
        param = jax.numpy.asarray(start)
        state = peer.init(param)
        for gradient, (expected, _) in zip(gradients, run(ours, start, gradients), strict=True):
            change, state = peer.update(jax.numpy.asarray(gradient), state, param)
            param = optax.apply_updates(param, change)
            np.testing.assert_allclose(param, expected, rtol=1e-12, atol=1e-12)


def test_optax_makes_the_same_rprop_steps_and_takes_each_one_later() -> None:
    """optax 0.2.8 returns what it stored at the step before (google-deepmind/optax#1725); it stores this step's."""
    import jax
    import optax

    ours = Rprop(lr=0.1, etas=(0.3, 1.7), step_sizes=(0.05, 0.3))
    theirs = optax.rprop(0.1, eta_minus=0.3, eta_plus=1.7, min_step_size=0.05, max_step_size=0.3)
    rng = np.random.default_rng(1)
    param, gradients = np.zeros(9), rng.standard_normal((20, 9))
    gradients[3, 4] = 0
    with jax.enable_x64(True):
        memory = theirs.init(jax.numpy.zeros(9))
        for gradient, (after, state) in zip(gradients, run(ours, param, gradients), strict=True):
            _, memory = theirs.update(jax.numpy.asarray(gradient), memory)
            np.testing.assert_allclose(memory[0].step_sizes, state["step_size"][0], rtol=1e-13)
            np.testing.assert_allclose(memory[0].prev_updates, param - after, rtol=1e-12, atol=1e-14)
            param = after


def onnx_operator(name: str, attributes: dict[str, Any]) -> Any:
    """One training operator as a model: (rate, count, X, G, state) to (X, state), in float64."""
    import onnx.reference
    from onnx import TensorProto, helper

    domain = "ai.onnx.preview.training"
    node = helper.make_node(name, ["R", "T", "X", "G", "S"], ["X1", "S1"], domain=domain, **attributes)
    kinds = {"R": TensorProto.DOUBLE, "T": TensorProto.INT64} | dict.fromkeys(["X", "G", "S"], TensorProto.DOUBLE)
    inputs = [helper.make_tensor_value_info(key, kind, None) for key, kind in kinds.items()]
    outputs = [helper.make_tensor_value_info(key, TensorProto.DOUBLE, None) for key in ("X1", "S1")]
    graph = helper.make_graph([node], name, inputs, outputs)
    versions = [helper.make_opsetid("", 21), helper.make_opsetid(domain, 1)]
    return onnx.reference.ReferenceEvaluator(helper.make_model(graph, opset_imports=versions))


@pytest.mark.parametrize(
    ("ours", "theirs", "kept"),
    [
        (
            Adagrad(lr=0.1, lr_decay=0.25, weight_decay=0.375, eps=0.015625),
            ("Adagrad", {"decay_factor": 0.25, "norm_coefficient": 0.375, "epsilon": 0.015625}),
            "sum",
        ),
        (
            SGD(lr=0.1, momentum=0.875, dampening=0.25, weight_decay=0.375),
            ("Momentum", {"alpha": 0.875, "beta": 0.75, "norm_coefficient": 0.375, "mode": "standard"}),
            "momentum_buffer",
        ),
        (
            SGD(lr=0.1, momentum=0.875, weight_decay=0.375, nesterov=True),
            ("Momentum", {"alpha": 0.875, "beta": 1.0, "norm_coefficient": 0.375, "mode": "nesterov"}),
            "momentum_buffer",
        ),
    ],
    ids=["adagrad", "momentum", "nesterov"],
)
def test_onnx_takes_the_same_steps(ours: Optimizer, theirs: tuple[str, dict[str, Any]], kept: str) -> None:
    """Its attributes are float32, so all of them are numbers that float32 holds."""
    rng, operator = np.random.default_rng(2), onnx_operator(*theirs)
    start, gradients = rng.standard_normal(9), rng.standard_normal((8, 9))
    param, state = start, np.zeros(9)
    for number, (expected, expected_state) in enumerate(run(ours, start, gradients)):
        given = {"R": np.array(0.1), "T": np.array(number), "X": param, "G": gradients[number], "S": state}
        param, state = operator.run(None, given)
        np.testing.assert_allclose(param, expected, rtol=1e-13, atol=1e-14)
        np.testing.assert_allclose(state, expected_state[kept][0], rtol=1e-13)
