"""Gaussian data have the stated distribution, and their draws do not depend on what only scales them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from refimpl.datasets import Gaussian
from refimpl.errors import DataError, ParameterError


def make(seed: int = 0, **options: Any) -> Any:
    return Gaussian(**{"train_rows": 20, "validation_rows": 100, "features": 200, **options}).make(
        np.random.default_rng(seed)
    )


def test_the_defaults_are_those_of_the_textbook_with_shapes_as_documented() -> None:
    data = make()
    assert data.X.shape == (1, 20, 200) and data.y.shape == (1, 20, 1)
    assert data.X_validation.shape == (1, 100, 200) and data.y_validation.shape == (1, 100, 1)
    assert np.array_equal(data.truth["weight"], np.full((1, 1, 200), 0.01))
    assert np.array_equal(data.truth["bias"], [[0.05]])
    source = Gaussian(train_rows=1, features=1)
    assert (source.weight, source.bias, source.noise, source.scale) == (0.01, 0.05, 0.01, 1.0)


def test_without_validation_rows_there_is_no_validation() -> None:
    data = make(validation_rows=0)
    assert data.X_validation is None and data.y_validation is None


def test_the_documented_order_of_draws_reproduces_the_data() -> None:
    options = {"train_rows": 3, "validation_rows": 2, "features": 4}
    data = make(seed=5, weight=2.0, bias=-1.0, noise=0.5, scale=3.0, **options)
    rng = np.random.default_rng(5)
    X = 3.0 * rng.standard_normal(5 * 4).reshape(5, 4)
    epsilon = 0.5 * rng.standard_normal(5)
    np.testing.assert_array_equal(np.concatenate([data.X[0], data.X_validation[0]]), X)
    y = np.concatenate([data.y[0, :, 0], data.y_validation[0, :, 0]])
    np.testing.assert_allclose(y, X @ np.full(4, 2.0) - 1.0 + epsilon, rtol=1e-14, atol=1e-14)


def test_features_and_residuals_have_the_stated_moments() -> None:
    data = make(train_rows=20_000, validation_rows=20_000, features=10, weight=0.3, bias=0.7, noise=0.2, scale=2.5)
    X = np.concatenate([data.X[0], data.X_validation[0]])
    y = np.concatenate([data.y[0], data.y_validation[0]])
    assert abs(X.mean()) < 5 * 2.5 / np.sqrt(X.size)
    assert X.std() == pytest.approx(2.5, rel=0.01)
    residual = y - X @ np.full((10, 1), 0.3) - 0.7
    assert abs(residual.mean()) < 5 * 0.2 / np.sqrt(residual.size)
    assert residual.std() == pytest.approx(0.2, rel=0.02)
    assert np.abs(np.corrcoef(X.T) - np.eye(10)).max() < 0.03
    assert np.abs(X.T @ residual / len(X)).max() < 5 * 2.5 * 0.2 / np.sqrt(len(X))


def test_training_and_validation_rows_are_not_the_same_rows() -> None:
    data = make(train_rows=5, validation_rows=5)
    assert not np.array_equal(data.X, data.X_validation)


def test_without_noise_the_truth_fits_exactly_up_to_rounding() -> None:
    data = make(noise=0)
    fitted = data.X @ data.truth["weight"].transpose(0, 2, 1) + data.truth["bias"]
    np.testing.assert_allclose(fitted, data.y, rtol=1e-12, atol=1e-14)


def test_scale_noise_weight_and_bias_do_not_change_what_is_drawn() -> None:
    plain, changed = make(), make(scale=2.0, noise=0.0, weight=1.0, bias=3.0)
    assert np.array_equal(2.0 * plain.X, changed.X)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *[("train_rows", v) for v in (0, -1, 2.0, True, "3", None)],
        *[("validation_rows", v) for v in (-1, 1.5, False)],
        *[("features", v) for v in (0, 1.0)],
        *[(name, v) for name in ("weight", "bias", "noise", "scale") for v in (np.nan, np.inf, "1", None, True)],
        *[(name, np.array([1.0, 2.0])) for name in ("weight", "bias", "noise", "scale")],
        *[(name, [1.0, 2.0]) for name in ("weight", "bias", "noise", "scale")],
        ("noise", -0.1),
        ("scale", -0.1),
    ],
)
def test_an_option_outside_its_range_is_named(name: str, value: Any) -> None:
    with pytest.raises(ParameterError, match=f"^{name}: given "):
        make(**{name: value})


def test_numbers_that_overflow_are_reported_as_data_without_a_warning() -> None:
    with pytest.raises(DataError, match=r"^X\[0, \d+, \d+\]: given -?inf"):
        make(scale=1.7e308)
    with pytest.raises(DataError, match=r"^y\[0, \d+, 0\]: given (-?inf|nan)"):
        make(weight=1.7e308)
