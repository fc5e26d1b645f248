"""The linear model is torch's, and its derivatives are those that autograd finds."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from refimpl.models import MODELS, Linear
from refimpl.types import LinearModel

Array = npt.NDArray[Any]
RUNS, ROWS, FEATURES = 3, 5, 4


def material(seed: int, bias: bool, shared: bool) -> tuple[dict[str, Array], Array, Array]:
    rng = np.random.default_rng(seed)
    params = {"weight": rng.standard_normal((RUNS, 1, FEATURES))}
    if bias:
        params["bias"] = rng.standard_normal((RUNS, 1))
    return params, rng.standard_normal((1 if shared else RUNS, ROWS, FEATURES)), rng.standard_normal((RUNS, ROWS, 1))


@given(seed=st.integers(0, 2**32))
@settings(max_examples=20)
@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("shared", [True, False])
def test_forward_and_backward_are_those_of_torch(bias: bool, shared: bool, seed: int) -> None:
    params, X, upstream = material(seed, bias, shared)
    model = Linear(bias=bias)
    outputs, gradient = model.forward(params, X), model.backward(params, X, upstream)
    assert set(gradient) == set(params)
    for run in range(RUNS):
        leaves = {name: torch.tensor(param[run], requires_grad=True) for name, param in params.items()}
        peer = torch.nn.functional.linear(torch.tensor(X[0 if shared else run]), leaves["weight"], leaves.get("bias"))
        peer.backward(torch.tensor(upstream[run]))
        np.testing.assert_allclose(outputs[run], peer.detach().numpy(), rtol=1e-14, atol=1e-14)
        for name, leaf in leaves.items():
            assert leaf.grad is not None and gradient[name][run].shape == leaf.shape
            np.testing.assert_allclose(gradient[name][run], leaf.grad.numpy(), rtol=1e-14, atol=1e-14)


@pytest.mark.parametrize("bias", [True, False])
def test_the_hessian_is_the_derivative_of_the_gradient(bias: bool) -> None:
    """For a quadratic loss with curvature h the gradient is linear, so that differences are exact but for rounding."""
    params, X, _ = material(0, bias, shared=False)
    model = Linear(bias=bias)
    curvature = np.random.default_rng(1).uniform(0.5, 2, (RUNS, ROWS, 1))
    hessian = model.hessian(X, curvature)

    def flat_gradient(theta: Array) -> Array:
        at = {"weight": theta[:, None, :FEATURES], "bias": theta[:, FEATURES:]}
        found = model.backward(at, X, curvature * model.forward(at, X))
        return np.concatenate([found[name].reshape(RUNS, -1) for name in params], axis=1)

    q = FEATURES + bias
    origin = flat_gradient(np.zeros((RUNS, q)))
    for j in range(q):
        column = flat_gradient(np.tile(np.eye(q)[j], (RUNS, 1))) - origin
        np.testing.assert_allclose(hessian[:, :, j], column, rtol=1e-13, atol=1e-13)


@given(seed=st.integers(0, 2**32))
@settings(max_examples=20)
@pytest.mark.parametrize("bias", [True, False])
def test_every_gradient_is_a_combination_of_the_rows(bias: bool, seed: int) -> None:
    params, X, upstream = material(seed, bias, shared=True)
    model = Linear(bias=bias)
    assert isinstance(model, LinearModel)
    X = X[:, :2]
    gradient = model.backward(params, X, upstream[:, :2])
    flat = np.concatenate([gradient[name].reshape(RUNS, -1) for name in params], axis=1)
    weights, *_ = np.linalg.lstsq(model.rows(X)[0].T, flat.T, rcond=None)
    np.testing.assert_allclose(model.rows(X)[0].T @ weights, flat.T, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("bias", [True, False])
def test_names_and_shapes_are_those_of_torch(bias: bool) -> None:
    layer = torch.nn.Linear(FEATURES, 1, bias=bias)
    model = Linear(bias=bias)
    assert model.shapes(FEATURES) == {name: tuple(param.shape) for name, param in layer.named_parameters()}
    assert dict(model.ndim) == {name: 1 + param.ndim for name, param in layer.named_parameters()}
    assert set(model.weights) <= set(model.ndim)


def test_every_model_of_the_registry_can_be_made_without_arguments() -> None:
    for model in MODELS.values():
        assert set(model().shapes(3)) == set(model().ndim)
