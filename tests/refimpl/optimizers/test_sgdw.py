"""SGDW decays the weights beside the step: the decay never enters the momentum buffer."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from refimpl.errors import ParameterError
from refimpl.optimizers import SGD, SGDW

Array = npt.NDArray[Any]
MOMENTUM: list[dict[str, Any]] = [
    {},
    {"momentum": 0.9},
    {"momentum": 0.9, "dampening": 0.4},
    {"momentum": 0.9, "nesterov": True},
]


def run(optimizer: Any, gradients: Array) -> tuple[Array, Any]:
    param, state = np.ones(gradients.shape[1:]), {}
    for gradient in gradients:
        param, state = optimizer.step(param, gradient, state)
    return param, state


@pytest.mark.every_case
@given(seed=st.integers(0, 2**32))
@settings(max_examples=10)
@pytest.mark.parametrize("options", MOMENTUM, ids=str)
def test_it_is_torchs_sgd_after_the_shrinkage_that_torchs_adamw_makes(options: dict[str, Any], seed: int) -> None:
    gradients = np.random.default_rng(seed).standard_normal((20, 1, 3))
    param = torch.nn.Parameter(torch.ones(1, 3, dtype=torch.float64))
    peer = torch.optim.SGD([param], lr=0.1, foreach=False, **options)
    for gradient in gradients:
        with torch.no_grad():
            param.mul_(1 - 0.1 * 0.3)
        param.grad = torch.tensor(gradient)
        peer.step()
    found, _ = run(SGDW(lr=0.1, weight_decay=0.3, **options), gradients)
    np.testing.assert_allclose(found, param.detach().numpy(), rtol=0, atol=2e-14)


@pytest.mark.every_case
@given(seed=st.integers(0, 2**32))
@settings(max_examples=100)
@pytest.mark.parametrize("options", MOMENTUM, ids=str)
def test_it_is_coupled_decay_just_where_there_is_no_momentum(options: dict[str, Any], seed: int) -> None:
    gradients = np.random.default_rng(seed).standard_normal((10, 1, 3))
    decoupled, _ = run(SGDW(lr=0.1, weight_decay=0.3, **options), gradients)
    coupled, _ = run(SGD(lr=0.1, weight_decay=0.3, **options), gradients)
    if options:
        assert np.all(np.abs(decoupled - coupled) > 1e-3)
    else:
        np.testing.assert_allclose(decoupled, coupled, rtol=0, atol=1e-14)


@pytest.mark.every_case
@given(seed=st.integers(0, 2**32))
@settings(max_examples=100)
@pytest.mark.parametrize("options", MOMENTUM[1:], ids=str)
def test_the_buffer_never_sees_the_decay(options: dict[str, Any], seed: int) -> None:
    gradients = np.random.default_rng(seed).standard_normal((10, 1, 3))
    _, decayed = run(SGDW(lr=0.1, weight_decay=0.3, **options), gradients)
    _, plain = run(SGD(lr=0.1, **options), gradients)
    assert np.array_equal(decayed["momentum_buffer"], plain["momentum_buffer"])


@pytest.mark.parametrize("options", MOMENTUM, ids=str)
def test_without_gradient_the_weights_shrink_by_1_minus_lr_times_decay_each_step(options: dict[str, Any]) -> None:
    found, _ = run(SGDW(lr=0.5, weight_decay=0.5, **options), np.zeros((5, 1, 2)))
    assert np.all(found == 0.75**5)


@given(seed=st.integers(0, 2**32))
@settings(max_examples=100)
@pytest.mark.parametrize("options", MOMENTUM, ids=str)
def test_without_decay_it_is_sgd_bit_for_bit(options: dict[str, Any], seed: int) -> None:
    gradients = np.random.default_rng(seed).standard_normal((10, 1, 3))
    assert np.array_equal(run(SGDW(lr=0.1, **options), gradients)[0], run(SGD(lr=0.1, **options), gradients)[0])


def test_without_momentum_there_is_no_buffer_and_the_dampening_has_no_effect() -> None:
    gradients = np.random.default_rng(0).standard_normal((3, 1, 2))
    dampened, state = run(SGDW(lr=0.1, dampening=0.4), gradients)
    assert state == {} and np.array_equal(dampened, run(SGDW(lr=0.1), gradients)[0])


def test_a_dampened_batch_needs_momentum_in_every_run() -> None:
    message = (
        r"^momentum: given a batch of runs of which some have momentum 0, with dampening; "
        r"allowed: momentum > 0 in every run of a dampened batch; "
        r"run them apart: without momentum the dampening is ignored$"
    )
    with pytest.raises(ParameterError, match=message):
        SGDW(lr=0.1, momentum=np.array([0.0, 0.9]), dampening=0.5)
    SGDW(lr=0.1, momentum=np.array([0.0, 0.9]))


def test_nesterov_without_momentum_is_refused() -> None:
    message = r"^nesterov: given nesterov without momentum; allowed: momentum > 0; set momentum above 0$"
    with pytest.raises(ParameterError, match=message):
        SGDW(lr=0.1, nesterov=True)
