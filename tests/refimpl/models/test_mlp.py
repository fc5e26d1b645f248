"""The two-layer network: torch's parameters and outputs, a gradient checked by complex steps, masks, and its bounds."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import torch

from refimpl.arithmetic.bounded import Bounded, Profile
from refimpl.arithmetic.formats import FORMATS
from refimpl.arithmetic.lift import lift
from refimpl.errors import ParameterError
from refimpl.losses import CrossEntropy
from refimpl.models import MLP
from refimpl.problem import Problem
from refimpl.types import Dropping, LinearModel

Array = npt.NDArray[Any]
FEATURES, HIDDEN, OUTPUTS, ROWS = 7, 5, 3, 6
LOSS = CrossEntropy(reduction="mean")


def drawn(runs: int = 1, seed: int = 0, rows: int = ROWS) -> tuple[MLP, dict[str, Array], Array, Array]:
    """A model, its parameters, inputs ``(1, n, p)`` and classes."""
    rng = np.random.default_rng(seed)
    model = MLP(hidden=HIDDEN, outputs=OUTPUTS)
    params = {name: rng.standard_normal((runs, *shape)) for name, shape in model.shapes(FEATURES).items()}
    return (
        model,
        params,
        rng.standard_normal((1, rows, FEATURES)),
        rng.integers(OUTPUTS, size=(1, rows, 1)).astype(float),
    )


def in_torch(params: dict[str, Array], X: Array, dtype: torch.dtype = torch.float64) -> tuple[Any, Any]:
    """A torch module with the parameters of the first run, and its outputs."""
    net = torch.nn.Sequential()
    net.add_module("fc1", torch.nn.Linear(X.shape[2], params["fc1.bias"].shape[1], dtype=dtype))
    net.add_module("relu", torch.nn.ReLU())
    net.add_module("fc2", torch.nn.Linear(params["fc1.bias"].shape[1], params["fc2.bias"].shape[1], dtype=dtype))
    net.load_state_dict({name: torch.tensor(value[0], dtype=dtype) for name, value in params.items()})
    return net, net(torch.tensor(X[0], dtype=dtype))


def test_names_shapes_and_outputs_are_those_of_torch() -> None:
    model, params, X, _ = drawn()
    net, outputs = in_torch(params, X)
    assert model.shapes(FEATURES) == {name: tuple(param.shape) for name, param in net.named_parameters()}
    assert dict(model.ndim) == {name: 1 + param.ndim for name, param in net.named_parameters()}
    assert set(model.weights) == {"fc1.weight", "fc2.weight"}
    np.testing.assert_allclose(model.forward(params, X)[0], outputs.detach().numpy(), rtol=1e-13)
    assert isinstance(model, Dropping) and not isinstance(model, LinearModel)


def complex_step_gradient(problem: Problem, params: dict[str, Array], X: Array, y: Array) -> dict[str, Array]:
    """∂J/∂θ = Im J(θ + ih)/h in extended precision; one run for each coordinate that is stepped in."""
    flat = np.concatenate([values.ravel() for values in params.values()])
    stepped, step, start = flat + 1j * 1e-100 * np.eye(len(flat), dtype=np.clongdouble), 1e-100, 0
    batched = {}
    for name, values in params.items():
        batched[name] = stepped[:, start : start + values.size].reshape(-1, *values.shape[1:])
        start += values.size
    slopes = problem.data_loss(batched, X.astype(np.clongdouble), y).imag / step
    parts = np.split(slopes.astype(float), np.cumsum([values.size for values in params.values()])[:-1])
    return {name: part.reshape(params[name].shape) for name, part in zip(params, parts, strict=True)}


@pytest.mark.parametrize("dropout", [0.0, 0.4])
def test_the_gradient_agrees_with_complex_steps_to_15_digits(dropout: float) -> None:
    model, params, X, y = drawn()
    model = MLP(hidden=HIDDEN, outputs=OUTPUTS, dropout=dropout)
    if dropout:
        model = model.dropping(model.draw_mask(ROWS, np.random.default_rng(1)))
    problem = Problem(model=model, loss=LOSS)
    by_hand, by_steps = problem.gradient(params, X, y), complex_step_gradient(problem, params, X, y)
    for name, values in by_hand.items():
        assert values.shape == params[name].shape
        assert np.linalg.norm(values - by_steps[name]) <= 1e-15 * np.linalg.norm(by_steps[name])


def test_runs_do_not_see_each_other_and_the_inputs_stay_as_they_are() -> None:
    model, params, X, y = drawn(runs=3)
    before = {name: values.copy() for name, values in params.items()}
    problem = Problem(model=model, loss=LOSS)
    together = problem.gradient(params, X, y)
    for run in range(3):
        alone = problem.gradient({name: values[run : run + 1] for name, values in params.items()}, X, y)
        for name, values in alone.items():
            np.testing.assert_allclose(together[name][run], values[0], rtol=1e-13, atol=1e-17)
    assert all(np.array_equal(params[name], values) for name, values in before.items())


def test_the_derivative_of_the_relu_at_zero_is_zero_as_in_torch() -> None:
    model, params, X, y = drawn()
    params["fc1.weight"][:], params["fc1.bias"][:] = 0, 0
    net, outputs = in_torch(params, X)
    torch.nn.functional.cross_entropy(outputs, torch.tensor(y[0, :, 0]).long()).backward()
    gradient = Problem(model=model, loss=LOSS).gradient(params, X, y)
    for name, parameter in net.named_parameters():
        np.testing.assert_allclose(gradient[name][0], parameter.grad.numpy(), rtol=1e-13, atol=1e-17)
    assert np.all(gradient["fc1.weight"] == 0) and np.any(gradient["fc2.bias"] != 0)


def test_where_rounding_leaves_the_sign_undecided_both_branches_are_within_the_bound() -> None:
    profile = Profile(compute=FORMATS["float32"], accumulate=FORMATS["float32"])
    model = MLP(hidden=2, outputs=1)
    third = float(np.float32(1 / 3))
    params = {  # the first unit's a is 3·fl(⅓) − 1, which is 0 or 3e-8 after rounding; the second's is far from 0
        "fc1.weight": np.array([[[third] * 3, [1.0] * 3]]),
        "fc1.bias": np.array([[-1.0, 1.0]]),
        "fc2.weight": np.array([[[2.0, 2.0]]]),
        "fc2.bias": np.zeros((1, 1)),
    }
    lifted: Any = {name: Bounded.tensor(values, profile) for name, values in params.items()}
    X: Any = Bounded.tensor(np.ones((1, 1, 3)), profile)
    gradient: Any = model.backward(lifted, X, Bounded.tensor(np.ones((1, 1, 1)), profile))["fc1.bias"]
    for branch in (0.0, 2.0):
        assert abs(branch - gradient.value[0, 0]) <= gradient.error[0, 0]
    assert gradient.value[0, 1] == 2 and gradient.error[0, 1] < 1e-6


# -- masks -----------------------------------------------------------------------------------------------------------


def test_a_mask_leaves_out_so_many_units_and_is_the_same_for_the_same_seed() -> None:
    model = MLP(hidden=1000, outputs=2, dropout=0.3)
    first, again = (model.draw_mask(20, np.random.default_rng(3)) for _ in range(2))
    assert np.array_equal(first, again) and first.shape == (1, 20, 1000)
    assert set(np.unique(first)) == {0.0, 1.0}
    assert abs(first.mean() - 0.7) < 4 * np.sqrt(0.3 * 0.7 / first.size)


def test_units_left_out_have_no_gradient_and_the_others_are_divided_by_what_stays() -> None:
    _, params, X, _ = drawn()
    model = MLP(hidden=HIDDEN, outputs=OUTPUTS, dropout=0.75)
    keep = np.array([1.0, 0, 1, 0, 1])
    step = model.dropping(np.broadcast_to(keep, (1, ROWS, HIDDEN)))
    gradient = step.backward(params, X, np.ones((1, ROWS, OUTPUTS)))
    assert np.all(gradient["fc1.weight"][0, keep == 0] == 0) and np.all(gradient["fc2.weight"][0][:, keep == 0] == 0)
    scaled = {**params, "fc2.weight": params["fc2.weight"] * keep * 4}  # 1/(1 − ¾)
    np.testing.assert_allclose(step.forward(params, X), model.forward(scaled, X), rtol=1e-13)
    assert np.array_equal(model.forward(params, X), MLP(hidden=HIDDEN, outputs=OUTPUTS).forward(params, X))


@pytest.mark.parametrize("dropout", [-0.1, 1.0, np.nan])
def test_a_probability_outside_its_range_is_refused(dropout: float) -> None:
    with pytest.raises(ParameterError, match=r"dropout: given .* a number from 0 to 1"):
        MLP(dropout=dropout)


@pytest.mark.parametrize("size", ["hidden", "outputs"])
def test_a_size_that_is_no_number_of_units_is_refused(size: str) -> None:
    for value in (0, -1, 1.5):
        with pytest.raises(ParameterError, match=f"{size}: given .*an integer ≥ 1"):
            MLP(**{size: value})


# -- bounds ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("carrier", [np.longdouble, np.float64])
@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_torchs_loss_and_gradient_are_within_the_bounds_of_random_networks(dtype: str, carrier: Any) -> None:
    profile = Profile(compute=FORMATS[dtype], accumulate=FORMATS[dtype], carrier=carrier)
    worst = 0.0
    for seed in range(12):
        rng = np.random.default_rng(seed)
        model = MLP(hidden=int(rng.integers(1, 20)), outputs=int(rng.integers(2, 8)))
        features, rows = int(rng.integers(1, 60)), int(rng.integers(1, 20))
        rounded = FORMATS[dtype].round
        params = {
            name: rounded(rng.standard_normal((1, *shape))).astype(float)
            for name, shape in model.shapes(features).items()
        }
        X = rounded(rng.standard_normal((1, rows, features)) * (rng.random((1, rows, features)) < 0.6)).astype(float)
        y = rng.integers(model.outputs, size=(1, rows, 1)).astype(float)
        net, outputs = in_torch(params, X, getattr(torch, dtype))
        torch.nn.functional.cross_entropy(outputs, torch.tensor(y[0, :, 0]).long()).backward()
        found: Any = Problem(model=lift(model, lambda p: Bounded.hyper(p, profile)), loss=LOSS).gradient(
            {name: Bounded.tensor(values, profile) for name, values in params.items()},
            Bounded.tensor(X, profile),  # type: ignore[arg-type]
            y,
        )
        for name, parameter in net.named_parameters():
            away = np.abs(parameter.grad.double().numpy() - found[name].value[0])
            assert np.all(away <= found[name].error[0]), (seed, name)
            worst = max(worst, float(np.max(away[away > 0] / found[name].error[0][away > 0], initial=0)))
    assert worst > 0.05
