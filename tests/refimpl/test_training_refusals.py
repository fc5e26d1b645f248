"""Shapes, parameters and groups that do not fit are refused before anything runs."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from refimpl.errors import ParameterError, ShapeError
from refimpl.models import Linear
from refimpl.optimizers import SGD
from refimpl.problem import Problem
from refimpl.training import Group, train
from tests.refimpl.trainings import HALF_MEAN, material, together

GOOD = {"weight": (2, 1, 3), "bias": (2, 1)}


@pytest.mark.parametrize(
    ("shapes", "X", "y", "name"),
    [
        (GOOD, (4, 3), (1, 4, 1), "X, y"),
        (GOOD, (1, 4, 3), (1, 4), "X, y"),
        (GOOD, (1, 4, 3), (1, 4, 2), "X, y"),
        (GOOD, (1, 4, 3), (1, 5, 1), "X, y"),
        (GOOD, (1, 0, 3), (1, 0, 1), "X, y"),
        (GOOD, (1, 4, 2), (1, 4, 1), "weight"),
        (GOOD, (3, 4, 3), (1, 4, 1), "weight"),
        (GOOD, (1, 4, 3), (3, 4, 1), "weight"),
        (GOOD | {"weight": (1, 3)}, (1, 4, 3), (1, 4, 1), "weight"),
        (GOOD | {"bias": (3, 1)}, (1, 4, 3), (1, 4, 1), "weight"),
        (GOOD | {"bias": (2,)}, (1, 4, 3), (1, 4, 1), "bias"),
    ],
    ids=str,
)
def test_shapes_that_do_not_fit_are_refused_before_anything_runs(shapes: Any, X: Any, y: Any, name: str) -> None:
    params = {key: np.zeros(shape) for key, shape in shapes.items()}
    problem = Problem(model=Linear(), loss=HALF_MEAN)
    with pytest.raises(ShapeError) as caught:
        train(problem, together(SGD(lr=0.1)), params, np.zeros(X), np.zeros(y), ((np.arange(2),),))
    assert caught.value.what == name
    if name == "X, y":  # the validation rows are held to the same
        good = {key: np.zeros(shape) for key, shape in GOOD.items()}
        data, validation = (np.zeros((1, 4, 3)), np.zeros((1, 4, 1))), (np.zeros(X), np.zeros(y))
        with pytest.raises(ShapeError):
            train(problem, together(SGD(lr=0.1)), good, *data, ((np.arange(2),),), validation=validation)


def test_parameters_that_the_model_does_not_have_or_that_are_missing_are_refused() -> None:
    _, X, y = material()
    problem = Problem(model=Linear(), loss=HALF_MEAN)
    for names in (("weight",), ("weight", "bias", "scale")):
        params = {name: np.zeros((1, 1, 3)) for name in names}
        with pytest.raises(ParameterError, match=r"^params: given .*; allowed: \['bias', 'weight'\]; give each"):
            train(problem, together(SGD(lr=0.1)), params, X, y, ())


@pytest.mark.parametrize(
    ("names", "problem"),
    [
        ([("weight",)], "no group for bias"),
        ([("weight", "bias"), ("bias",)], "'bias', which is in two groups"),
        ([("weight", "bias", "scale")], "'scale', which is no parameter of the model"),
    ],
)
def test_every_parameter_belongs_to_one_group(names: list[tuple[str, ...]], problem: str) -> None:
    params, X, y = material()
    groups = [Group(parameters=parameters, optimizer=SGD(lr=0.1)) for parameters in names]
    with pytest.raises(ParameterError, match=rf"^groups: given {problem}; allowed: "):
        train(Problem(model=Linear(), loss=HALF_MEAN), groups, params, X, y, ())
