"""The exact minimiser that conversions are held to satisfies the optimality conditions in rationals."""

from __future__ import annotations

import numpy as np
import pytest

from parity.errors import InputError
from parity.features.convert.prove.minimum import minimum
from parity.features.convert.prove.proof import PENALTIES
from parity.features.convert.prove.sample import draw
from refimpl.exact.ridge import ridge
from refimpl.objective import LOSSES
from refimpl.penalties import ElasticNet
from tests.parity.conversions import FACTS, objective


@pytest.mark.parametrize("penalty", PENALTIES)
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_the_minimum_in_rationals_satisfies_the_optimality_conditions(penalty: str, seed: int) -> None:
    sample = draw(objective(penalty), FACTS, seed=seed)
    a1, a2 = objective(penalty).sum_of_squares(FACTS)
    residuals = sample.X @ sample.weight + sample.bias - sample.y
    gradient = 2 * sample.X.T @ residuals
    away = ElasticNet(l1=a1, l2=2 * a2).distance(sample.weight, gradient)
    assert np.max(away) < 1e-12 * np.max(2 * np.abs(sample.X).T @ np.abs(sample.y))
    assert abs(residuals.sum()) < 1e-12 * np.abs(sample.y).sum()
    assert sample.seen > 0.05


def test_without_l1_the_minimum_is_the_ridge_of_the_reference() -> None:
    sample = draw(objective("‖w‖²"), FACTS)
    params = ridge(sample.X[None], sample.y[None, :, None], LOSSES["mse"], 3.0).params
    assert sample.away(params["weight"][0, 0], params["bias"][0, 0]) < 1e-14


def test_the_minimum_by_hand() -> None:
    """x = ±1, y = ±3: (1 + 1)w = 6 − a₁/2 − a₂w."""
    X, y = np.array([[1.0], [-1.0]]), np.array([3.0, -3.0])
    assert minimum(X, y, 4.0, 2.0) == (np.array([1.0]), 0.0)
    assert minimum(X, y, 12.0, 0.0) == (np.array([0.0]), 0.0)
    assert minimum(X, y + 1, 0.0, 1.0) == (np.array([2.0]), 1.0)


def test_signs_that_fit_are_not_enough() -> None:
    """The first column alone would have the sign +, and leave a slope on the second that is too large."""
    X = np.array([[2.0, 3], [1, 1], [-1, -2], [-2, -2]])  # XᵀX = [[10, 13], [13, 18]], of determinant 11
    weight, bias = minimum(X, X @ np.array([-1.0, 3.0]), 0.02, 0.0)  # Xᵀy = (29, 41), moved by ±a₁/2 = 0.01
    assert weight == pytest.approx([(18 * 29.01 - 13 * 40.99) / 11, (10 * 40.99 - 13 * 29.01) / 11], rel=1e-14)
    assert bias == 0


def test_columns_that_do_not_determine_the_weights_are_refused() -> None:
    with pytest.raises(InputError, match="do not determine the weights"):
        minimum(np.ones((3, 1)), np.arange(3.0), 0.0, 0.0)
