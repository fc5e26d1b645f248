"""Proximal SGD finds the minimiser with its exact zeros, and is SGD where there is no penalty."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from refimpl.batches import Batches
from refimpl.losses import SquaredError
from refimpl.models import Linear
from refimpl.optimizers import SGD, ProximalSGD
from refimpl.penalties import L1, L2, ElasticNet
from refimpl.problem import Problem
from refimpl.training import Group, train

Array = npt.NDArray[Any]
PROBLEM = Problem(model=Linear(), loss=SquaredError(factor=0.5, reduction="mean"))


@given(seed=st.integers(0, 2**32), lr=st.floats(0, 10))
@settings(max_examples=100)
def test_without_a_penalty_it_is_sgd_bit_for_bit(seed: int, lr: float) -> None:
    param, gradient = np.random.default_rng(seed).standard_normal((2, 2, 1, 3))
    found, state = ProximalSGD(lr=lr).step(param, gradient, {})
    assert np.array_equal(found, SGD(lr=lr).step(param, gradient, {})[0])
    assert state == {}


@given(seed=st.integers(0, 2**32), lr=st.floats(0, 10), strength=st.floats(0, 10))
@settings(max_examples=100)
def test_the_step_is_prox_of_the_descended_weight_with_the_learning_rate_as_step(
    seed: int, lr: float, strength: float
) -> None:
    param, gradient = np.random.default_rng(seed).standard_normal((2, 2, 1, 3))
    penalty = L1(strength=strength)
    found, _ = ProximalSGD(lr=lr, penalty=penalty).step(param, gradient, {})
    assert np.array_equal(found, penalty.prox(param - lr * gradient, lr))


@pytest.mark.parametrize("ratio", [1.0, 0.5])
def test_full_batches_converge_to_scikit_learns_lasso_and_elastic_net_with_its_zeros(ratio: float) -> None:
    sklearn = pytest.importorskip("sklearn.linear_model")
    rng = np.random.default_rng(0)
    X = rng.standard_normal((1, 40, 8))
    y = X[:, :, :2].sum(axis=2, keepdims=True) + 0.3 + 0.5 * rng.standard_normal((1, 40, 1))
    peer = sklearn.ElasticNet(alpha=0.2, l1_ratio=ratio, tol=1e-15, max_iter=100_000).fit(X[0], y[0, :, 0])
    penalty = L1(strength=0.2) if ratio == 1.0 else ElasticNet(l1=0.2 * ratio, l2=0.2 * (1 - ratio))
    groups = [
        Group(parameters=("weight",), optimizer=ProximalSGD(lr=0.4, penalty=penalty)),
        Group(parameters=("bias",), optimizer=ProximalSGD(lr=0.4)),
    ]
    params = {"weight": rng.standard_normal((1, 1, 8)), "bias": np.zeros((1, 1))}
    ended = train(PROBLEM, groups, params, X, y, Batches().draw(40, 400, rng), record="losses").params
    np.testing.assert_allclose(ended["weight"][-1, 0, 0], peer.coef_, rtol=0, atol=1e-13)
    np.testing.assert_allclose(ended["bias"][-1, 0], peer.intercept_, rtol=0, atol=1e-13)
    assert 0 < np.sum(peer.coef_ == 0) < 8
    assert np.array_equal(ended["weight"][-1, 0, 0] == 0, peer.coef_ == 0)


def test_l2_by_its_prox_converges_to_the_same_minimiser_as_l2_in_the_gradient() -> None:
    rng = np.random.default_rng(0)
    X, y = rng.standard_normal((1, 20, 3)), rng.standard_normal((1, 20, 1))
    params = {"weight": np.zeros((1, 1, 3)), "bias": np.zeros((1, 1))}
    order = Batches().draw(20, 300, rng)
    free = Group(parameters=("bias",), optimizer=SGD(lr=0.4))
    by_prox = Group(parameters=("weight",), optimizer=ProximalSGD(lr=0.4, penalty=L2(strength=0.5)))
    by_gradient = Group(parameters=("weight",), optimizer=SGD(lr=0.4, weight_decay=0.5))
    first, second = (train(PROBLEM, [group, free], params, X, y, order) for group in (by_prox, by_gradient))
    np.testing.assert_allclose(first.params["weight"][-1], second.params["weight"][-1], rtol=1e-12)
    assert not np.allclose(first.params["weight"][3], second.params["weight"][3], rtol=1e-3)  # by another way


def test_a_strength_per_run_meets_the_weight_it_penalises() -> None:
    rng = np.random.default_rng(0)
    X, y = rng.standard_normal((1, 10, 3)), rng.standard_normal((1, 10, 1))
    strengths, order = np.array([0.0, 0.1, 1e3]), Batches().draw(10, 20, rng)
    optimizer = ProximalSGD(lr=0.1, penalty=L1(strength=strengths))
    bias = Group(parameters=("bias",), optimizer=ProximalSGD(lr=0.1))
    start = {"weight": np.ones((3, 1, 3)), "bias": np.zeros((3, 1))}
    together = train(PROBLEM, [Group(parameters=("weight",), optimizer=optimizer), bias], start, X, y, order)
    assert np.all(together.params["weight"][-1, 2] == 0)
    for run, strength in enumerate(strengths):
        alone = replace(optimizer, penalty=L1(strength=float(strength)))
        single = {name: values[run : run + 1] for name, values in start.items()}
        found = train(PROBLEM, [Group(parameters=("weight",), optimizer=alone), bias], single, X, y, order)
        np.testing.assert_allclose(together.params["weight"][-1, run], found.params["weight"][-1, 0], rtol=1e-13)
