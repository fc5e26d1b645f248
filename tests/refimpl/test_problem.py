"""The objective's gradient is its derivative, whatever the loss and the penalties."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from refimpl.arithmetic.bounded import Bounded, Profile
from refimpl.arithmetic.formats import FORMATS
from refimpl.arithmetic.lift import lift
from refimpl.errors import ParameterError
from refimpl.losses import SquaredError
from refimpl.models import Linear
from refimpl.penalties import L1, L2, ElasticNet
from refimpl.problem import Problem

Array = npt.NDArray[Any]
PENALTIES: tuple[Any, ...] = (
    L2(strength=0.7, parameters=("weight", "bias")),
    L1(strength=0.2),
    ElasticNet(l1=0.3, l2=0.1, parameters=("bias",)),
)


def material(seed: int, runs: int = 2) -> tuple[dict[str, Array], Array, Array]:
    rng = np.random.default_rng(seed)
    params = {"weight": rng.standard_normal((runs, 1, 3)), "bias": rng.standard_normal((runs, 1))}
    return params, rng.standard_normal((1, 4, 3)), rng.standard_normal((1, 4, 1))


@given(seed=st.integers(0, 2**32))
@settings(max_examples=10)
def test_the_gradient_is_the_derivative_of_the_objective(any_loss: Any, high_precision: Any, seed: int) -> None:
    params, X, y = material(seed)
    gradient = Problem(model=Linear(), loss=any_loss, penalties=PENALTIES).gradient(params, X, y)
    truth = Problem(
        model=Linear(),
        loss=high_precision.hyper(any_loss),
        penalties=tuple(map(high_precision.hyper, PENALTIES)),
    )
    data = high_precision.array(X), high_precision.array(y)
    h = high_precision.number("1e-20")
    for name, values in params.items():
        assert gradient[name].shape == values.shape
        for index in np.ndindex(*values.shape):
            sides = []
            for sign in (1, -1):
                moved = {key: high_precision.array(param) for key, param in params.items()}
                moved[name][index] += sign * h
                sides.append(truth.objective(moved, *data)[index[0]])
            assert abs(gradient[name][index] - (sides[0] - sides[1]) / (2 * h)) <= 1e-14


@given(seed=st.integers(0, 2**32))
@settings(max_examples=10)
def test_objective_and_gradient_are_those_of_torch(seed: int) -> None:
    params, X, y = material(seed, runs=1)
    params["weight"][0, 0, 0] = 0.0  # at the kink too
    leaves = {name: torch.tensor(param[0], requires_grad=True) for name, param in params.items()}
    outputs = torch.nn.functional.linear(torch.tensor(X[0]), leaves["weight"], leaves["bias"])
    w, b = leaves["weight"], leaves["bias"]
    data_loss = torch.nn.functional.mse_loss(outputs, torch.tensor(y[0])) / 2
    objective = data_loss + 0.35 * ((w**2).sum() + (b**2).sum()) + 0.2 * w.abs().sum()
    objective = objective + 0.3 * b.abs().sum() + 0.05 * (b**2).sum()
    objective.backward()
    problem = Problem(model=Linear(), loss=SquaredError(factor=0.5, reduction="mean"), penalties=PENALTIES)
    np.testing.assert_allclose(problem.data_loss(params, X, y), [data_loss.item()], rtol=1e-14)
    np.testing.assert_allclose(problem.objective(params, X, y), [objective.item()], rtol=1e-14)
    for name, found in problem.gradient(params, X, y).items():
        peer = leaves[name].grad
        assert peer is not None
        np.testing.assert_allclose(found[0], peer.numpy(), rtol=1e-13, atol=1e-14)


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("shared", [True, False])
def test_the_bound_on_the_gradient_holds_and_is_close(high_precision: Any, dtype: str, shared: bool) -> None:
    params, X, y = material(0)
    if not shared:
        X, y = np.concatenate([X, 2 * X]), np.concatenate([y, -y])
    problem = Problem(model=Linear(), loss=SquaredError(factor=0.5, reduction="mean"), penalties=PENALTIES)
    profile = Profile(compute=FORMATS[dtype], accumulate=FORMATS[dtype])
    lifted = {
        arithmetic: Problem(
            model=Linear(), loss=hyper(problem.loss), penalties=tuple(hyper(penalty) for penalty in PENALTIES)
        )
        for arithmetic, hyper in {
            "bounded": lambda obj: lift(obj, lambda number: Bounded.hyper(number, profile)),
            "exact": high_precision.hyper,
        }.items()
    }
    arrays = [array.astype(dtype) for array in (params["weight"], params["bias"], X, y)]

    def at(number: Any) -> tuple[Any, ...]:
        w, b, *data = (number(array) for array in arrays)
        return {"weight": w, "bias": b}, *data

    bounded = at(lambda array: Bounded.tensor(array, profile))
    computed, truth = at(lambda array: array), at(high_precision.array)
    checked = {"objective": (problem.objective(*computed), lifted["exact"].objective(*truth))}
    bounds: dict[str, Any] = {"objective": lifted["bounded"].objective(*bounded)}
    for name in ("weight", "bias"):
        checked[name] = problem.gradient(*computed)[name], lifted["exact"].gradient(*truth)[name]
        bounds[name] = lifted["bounded"].gradient(*bounded)[name]
    for name, (values, true) in checked.items():
        assert values.dtype == dtype
        assert np.all(np.abs(high_precision.array(values) - true) <= high_precision.array(bounds[name].error))
        assert np.all(bounds[name].error <= 200 * FORMATS[dtype].u)


def test_the_rows_of_a_batch_are_all_that_a_gradient_sees() -> None:
    params, X, y = material(0)
    problem = Problem(model=Linear(), loss=SquaredError(factor=1.0, reduction="sum"))
    whole = problem.gradient(params, X, y)
    halves = [problem.gradient(params, X[:, rows], y[:, rows]) for rows in (slice(0, 2), slice(2, 4))]
    for name, values in whole.items():
        np.testing.assert_allclose(values, halves[0][name] + halves[1][name], rtol=1e-13, atol=1e-14)


def test_a_penalty_on_an_unknown_parameter_is_refused() -> None:
    loss = SquaredError(factor=1.0, reduction="sum")
    with pytest.raises(ParameterError, match=r"^parameters: given 'bais'; allowed: weight, bias; name the model's par"):
        Problem(model=Linear(), loss=loss, penalties=(L2(strength=1.0, parameters=("bais",)),))
    with pytest.raises(ParameterError, match=r"^parameters: given 'bias'; allowed: weight; "):
        Problem(model=Linear(bias=False), loss=loss, penalties=(L2(strength=1.0, parameters=("bias",)),))


def test_a_penalty_on_nothing_is_refused() -> None:
    with pytest.raises(ParameterError, match=r"^parameters: given no parameters, so that the penalty has no effect; "):
        Problem(
            model=Linear(), loss=SquaredError(factor=1.0, reduction="sum"), penalties=(L2(strength=1.0, parameters=()),)
        )


def test_without_penalties_the_objective_is_the_loss() -> None:
    params, X, y = material(0)
    problem = Problem(model=Linear(), loss=SquaredError(factor=1.0, reduction="sum"))
    assert np.array_equal(problem.objective(params, X, y), problem.data_loss(params, X, y))
