"""The path of the lasso: lines between corners, from zero to least squares."""

from itertools import pairwise

import numpy as np
import pytest

from refimpl.exact.certificate import certify
from refimpl.exact.lasso import lasso
from refimpl.exact.lasso_path import lasso_path
from refimpl.exact.ridge import ridge
from tests.refimpl.exact.lasso_problems import HALF_MEAN, HALF_SUM, NASTY, drawn


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("l2", [0.0, 0.5])
def test_between_corners_the_minimiser_is_on_the_line_between_them(seed, l2):
    X, y, loss, intercept = drawn(seed)
    path = lasso_path(X, y, loss, l2=l2, intercept=intercept)
    weight, size = path.params["weight"], np.max(np.abs(path.params["weight"]))
    assert np.all(np.diff(path.strengths) < 0)
    assert not np.any(weight[0])
    middle = (path.strengths[1:] + path.strengths[:-1]) / 2
    found = lasso(X, y, loss, middle, l2=l2, intercept=intercept).params
    for name, corners in path.params.items():
        np.testing.assert_allclose(found[name], (corners[1:] + corners[:-1]) / 2, atol=1e-12 * size)
    support = [np.flatnonzero(w).tolist() for w in found["weight"][:, 0]]
    assert all(one != other for one, other in pairwise(support))  # each corner is one


@pytest.mark.parametrize("seed", [0, 4, 5])
def test_the_path_ends_in_least_squares(seed):
    X, y, loss, intercept = drawn(seed)
    path = lasso_path(X, y, loss, intercept=intercept)
    assert path.strengths[-1] == 0
    expected = ridge(X, y, loss, 0.0, intercept=intercept).params["weight"][0]
    np.testing.assert_allclose(path.params["weight"][-1], expected, atol=1e-12)


def test_the_corners_are_those_of_least_angle_regression(linear_model):
    X, y, _, _ = drawn(10)
    path = lasso_path(X, y, HALF_MEAN)
    strengths, _, weight = linear_model.lars_path(X[0] - X[0].mean(axis=0), y[0, :, 0] - y.mean(), method="lasso")
    np.testing.assert_allclose(path.strengths, strengths, atol=1e-12)
    np.testing.assert_allclose(path.params["weight"][:, 0], weight.T, atol=1e-12)


@pytest.mark.parametrize("name", [name for name in NASTY if name != "every correlation tied"])
def test_the_path_of_nasty_problems_is_that_of_their_solutions(name):
    X, y = NASTY[name][0][None], NASTY[name][1][None, :, None]
    path = lasso_path(X, y, HALF_SUM)
    if len(path.strengths) == 1:
        assert (path.strengths[0], np.any(path.params["weight"])) == (0, False)
        return
    middle = (path.strengths[1:] + path.strengths[:-1]) / 2
    solution = lasso(X, y, HALF_SUM, middle)
    between = (path.params["weight"][1:] + path.params["weight"][:-1]) / 2
    for run, strength in enumerate(middle):
        b = float(solution.params["bias"][run, 0])
        found = certify(X[0], y[0, :, 0], between[run, 0], b, solution.dual[run, :, 0], strength, 0.0)
        assert found.gap <= 1e-12 * found.objective
