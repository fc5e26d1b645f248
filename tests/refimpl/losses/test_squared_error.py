"""The squared error means what torch's does, with the factor and the reduction as stated."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from refimpl.errors import ParameterError
from refimpl.losses import SquaredError


@pytest.mark.parametrize(
    ("factor", "reduction", "value", "gradient"),
    [
        (1.0, "sum", 14.0, [2.0, 4.0, -6.0]),
        (0.5, "sum", 7.0, [1.0, 2.0, -3.0]),
        (1.5, "mean", 7.0, [1.0, 2.0, -3.0]),
        (0.0, "mean", 0.0, [0.0, 0.0, 0.0]),
    ],
)
def test_residuals_1_2_minus_3(factor: float, reduction: Any, value: float, gradient: list[float]) -> None:
    outputs, targets = np.array([[[2.0], [3.0], [-2.0]]]), np.ones((1, 3, 1))
    loss = SquaredError(factor=factor, reduction=reduction)
    assert loss.value(outputs, targets).tolist() == [value]
    assert loss.gradient(outputs, targets)[0, :, 0].tolist() == gradient


@given(seed=st.integers(0, 2**32), rows=st.integers(1, 33), factor=st.sampled_from([0.5, 1.0]))
@settings(max_examples=100)
@pytest.mark.parametrize("reduction", ["mean", "sum"])
def test_value_and_gradient_are_those_of_torch(reduction: Any, seed: int, rows: int, factor: float) -> None:
    outputs, targets = np.random.default_rng(seed).standard_normal((2, 1, rows, 1))
    loss = SquaredError(factor=factor, reduction=reduction)
    leaf = torch.tensor(outputs, requires_grad=True)
    peer = factor * torch.nn.functional.mse_loss(leaf, torch.tensor(targets), reduction=reduction)
    peer.backward()
    assert leaf.grad is not None
    np.testing.assert_allclose(loss.value(outputs, targets), [peer.item()], rtol=1e-14)
    np.testing.assert_allclose(loss.gradient(outputs, targets), leaf.grad.numpy(), rtol=2e-15)


def test_every_run_of_shared_targets_has_its_own_loss() -> None:
    outputs, targets = np.arange(6.0).reshape(3, 2, 1), np.zeros((1, 2, 1))
    loss = SquaredError(factor=1.0, reduction="sum")
    assert loss.value(outputs, targets).tolist() == [1.0, 13.0, 41.0]


def test_an_unknown_reduction_is_refused() -> None:
    with pytest.raises(ParameterError, match="reduction: given 'avg'; allowed: 'mean', 'sum'"):
        SquaredError(factor=1.0, reduction="avg")  # type: ignore[arg-type]


def test_one_factor_per_run_is_refused() -> None:
    with pytest.raises(
        ParameterError, match=r"^factor: given 2 values; allowed: one; make a problem for each convention$"
    ):
        SquaredError(factor=np.array([0.5, 1.0]), reduction="mean")
