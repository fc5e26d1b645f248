"""Initial weights are what they are called, and are drawn from the seed alone."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from refimpl.errors import ParameterError, ShapeError
from refimpl.initial_weights import Constant, Integers, Normal, TorchDefault, Truth, Values, draw_all

SHAPES = {"weight": (1, 4), "bias": (1,)}
TRUTH = {"weight": np.arange(4.0)[None], "bias": np.array([7.0])}
MANY = (1, 20_000)


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def test_every_init_draws_the_shape_in_float64_and_the_same_again(any_init: Any) -> None:
    first, second = (any_init.draw((1, 4), 4, TRUTH["weight"], rng()) for _ in range(2))
    assert first.shape == (1, 4) and first.dtype == np.float64
    assert np.array_equal(first, second)


def test_every_init_leaves_the_truth_alone(any_init: Any) -> None:
    truth = np.arange(4.0)[None]
    any_init.draw((1, 4), 4, truth, rng())
    assert truth.tolist() == [[0.0, 1.0, 2.0, 3.0]]


def test_normal_is_normal_with_that_mean_and_standard_deviation() -> None:
    from scipy import stats  # takes a second

    drawn = Normal(std=0.5, mean=-1.0).draw(MANY, 4, None, rng())
    assert stats.kstest(drawn.ravel(), stats.norm(-1.0, 0.5).cdf).pvalue > 0.01
    assert stats.kstest(drawn.ravel(), stats.norm(-1.0, 0.52).cdf).pvalue < 0.01  # the test would see it


@pytest.mark.parametrize("features", [1, 16, 200])
def test_torch_default_is_distributed_as_torch_initialises_a_linear_layer(features: int) -> None:
    from scipy import stats

    drawn = TorchDefault().draw(MANY, features, None, rng()).ravel()
    torch.manual_seed(0)
    layers = [torch.nn.Linear(features, MANY[1] // features + 1) for _ in range(2)]
    peers = [layers[0].weight.detach().double().numpy().ravel()[: MANY[1]], layers[1].bias.detach().double().numpy()]
    for peer in peers:
        assert np.abs(peer).max() <= 1 / np.sqrt(features) * (1 + 1e-6)  # rounded to float32
        assert stats.ks_2samp(drawn, peer).pvalue > 0.01
    assert 0.999 / np.sqrt(features) < np.abs(drawn).max() <= 1 / np.sqrt(features)


def test_integers_are_integers_from_low_to_high_both_included() -> None:
    drawn = Integers(low=-2, high=3).draw(MANY, 4, None, rng())
    assert drawn.dtype == np.float64
    assert np.unique(drawn).tolist() == [-2.0, -1.0, 0.0, 1.0, 2.0, 3.0]
    with pytest.raises(ParameterError, match=r"^low: given 3; allowed: at most high = 2; swap them$"):
        Integers(low=3, high=2)


def test_constant_is_that_value_and_0_unless_told() -> None:
    assert Constant(value=0.25).draw((1, 2), 2, None, rng()).tolist() == [[0.25, 0.25]]
    assert Constant().draw((1,), 2, None, rng()).tolist() == [0.0]


def test_values_are_taken_in_row_major_order() -> None:
    assert Values(values=(1.0, 2.0, 3.0, 4.0)).draw((2, 2), 2, None, rng()).tolist() == [[1.0, 2.0], [3.0, 4.0]]
    with pytest.raises(ShapeError, match=r"^values: given 2 numbers; allowed: shape \(1, 3\); give one per element$"):
        Values(values=(1.0, 2.0)).draw((1, 3), 3, None, rng())


def test_truth_is_the_truth_and_needs_one() -> None:
    assert Truth().draw((1, 4), 4, TRUTH["weight"][None], rng()).tolist() == TRUTH["weight"].tolist()
    with pytest.raises(ParameterError, match=r"^init: given truth; allowed: truth for generated data; use another"):
        Truth().draw((1, 4), 4, None, rng())


def test_all_parameters_get_an_axis_of_runs_and_start_at_0_unless_named() -> None:
    drawn = draw_all({"weight": Truth()}, SHAPES, 4, TRUTH, rng())
    assert {name: values.shape for name, values in drawn.items()} == {"weight": (1, 1, 4), "bias": (1, 1)}
    assert drawn["weight"].tolist() == [TRUTH["weight"].tolist()]
    assert drawn["bias"].tolist() == [[0.0]]


def test_the_order_in_which_inits_are_written_does_not_matter() -> None:
    inits = {"weight": Normal(std=1.0), "bias": Normal(std=1.0)}
    first = draw_all(inits, SHAPES, 4, None, rng())
    second = draw_all(dict(reversed(inits.items())), SHAPES, 4, None, rng())
    assert all(np.array_equal(first[name], second[name]) for name in SHAPES)


def test_the_bias_has_numbers_of_its_own() -> None:
    drawn = draw_all({"weight": Normal(std=1.0), "bias": Normal(std=1.0)}, SHAPES, 4, None, rng())
    assert drawn["bias"].item() not in drawn["weight"]


def test_an_init_for_an_unknown_parameter_is_refused() -> None:
    with pytest.raises(ParameterError, match=r"^init: given 'wieght'; allowed: weight, bias; name the model's par"):
        draw_all({"wieght": Constant()}, SHAPES, 4, None, rng())


@pytest.mark.parametrize("bad", [{"std": -1.0}, {"std": np.nan}, {"std": 1.0, "mean": np.inf}])
def test_a_distribution_with_impossible_numbers_is_refused(bad: dict[str, float]) -> None:
    with pytest.raises(ParameterError):
        Normal(**bad)
