"""Chosen elements of a gradient are those of the whole, and need no more than their rows and columns."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from refimpl.arithmetic.bounded import Bounded, Profile
from refimpl.arithmetic.formats import FORMATS
from refimpl.layers import Convolution, Embedding, Linear
from tests.refimpl.layers.case import changed
from tests.refimpl.layers.cases import CASES, draw
from tests.refimpl.layers.test_layers import upstream_of

ROWS, COLUMNS = np.array([0, 2]), np.array([1, 3])


def unused(x: Any, axis: int, used: Any) -> Any:
    """x with nan wherever its index along an axis is not among those that are used."""
    alone = np.full(x.shape, np.nan)
    index = [slice(None)] * x.ndim
    index[axis] = used
    alone[tuple(index)] = x[tuple(index)]
    return alone


def test_chosen_weights_of_a_linear_layer_need_their_columns_of_inputs_and_upstream_only() -> None:
    rng = np.random.default_rng(0)
    x, delta, params = rng.standard_normal((2, 3, 4)), rng.standard_normal((2, 3, 5)), {"weight": np.ones((5, 4))}
    layer = Linear(bias=False)
    of_x, of_params = layer.backward(params, x, delta)
    chosen = layer.weight_gradient(unused(x, 2, COLUMNS), unused(delta, 2, ROWS), ROWS, COLUMNS)
    np.testing.assert_allclose(chosen, of_params["weight"][np.ix_(ROWS, COLUMNS)], rtol=1e-14)
    some = layer.input_gradient({"weight": unused(params["weight"], 1, COLUMNS)}, delta, ROWS, COLUMNS)
    np.testing.assert_allclose(some, of_x.reshape(6, 4)[np.ix_(ROWS, COLUMNS)], rtol=1e-14)


@pytest.mark.parametrize("label", CASES["convolution"])
def test_chosen_weights_of_a_convolution_need_their_channels_only(label: str) -> None:
    case, rng = draw(label), np.random.default_rng(0)
    layer: Convolution = case.layer
    delta, shape = upstream_of(case), case.params["weight"].shape
    whole = layer.backward(case.params, case.x, delta)[1]["weight"].reshape(shape[0], -1)
    rows = np.sort(rng.choice(shape[0], 2, replace=False))
    columns = rng.choice(whole.shape[1], min(2, whole.shape[1]), replace=False)
    inputs = [
        row * layer.groups // shape[0] * shape[1] + channel
        for row in rows
        for channel in np.unravel_index(columns, shape[1:])[0]
    ]
    chosen = layer.weight_gradient(shape, unused(case.x, 1, inputs), unused(delta, 1, rows), rows, columns)
    np.testing.assert_allclose(chosen, whole[np.ix_(rows, columns)], rtol=1e-13, atol=1e-14)
    bounded = changed(case, lambda x: Bounded.tensor(x, FLOAT32))
    sampled: Any = layer.weight_gradient(shape, bounded.x, Bounded.tensor(delta, FLOAT32), rows, columns)
    assert np.all(np.abs(sampled.value - whole[np.ix_(rows, columns)]) <= sampled.error)


FLOAT32 = Profile(compute=FORMATS["float32"], accumulate=FORMATS["float32"])


@pytest.mark.parametrize("label", CASES["convolution"])
def test_the_gradient_of_some_rows_of_inputs_needs_these_rows_only(label: str) -> None:
    case = draw(label, 1)
    delta = upstream_of(case)
    whole = case.layer.input_gradient(case.params, case.x, delta)
    np.testing.assert_array_equal(case.layer.input_gradient(case.params, case.x[-1:], delta[-1:]), whole[-1:])


@pytest.mark.parametrize("options", [{}, {"padding_idx": 3}, {"scale_grad_by_freq": True}])
def test_a_sparse_gradient_has_the_rows_that_occur_and_a_chosen_row_is_that_of_the_whole(options: Any) -> None:
    rng = np.random.default_rng(0)
    x, delta, W = np.array([[3, 1], [1, 0]]), rng.standard_normal((2, 2, 3)), np.ones((5, 3))
    layer = Embedding(**options)
    whole = layer.backward({"weight": W}, x, delta)[1]["weight"]
    rows, gradients = layer.sparse(5, x, delta)
    assert rows.tolist() == ([0, 1] if options.get("padding_idx") == 3 else [0, 1, 3])
    np.testing.assert_array_equal(gradients, whole[rows])
    assert not np.any(np.delete(whole, rows, axis=0))
    some = layer.weight_gradient(5, x, unused(delta, 2, [0, 2]), np.array([1, 4, 3]), np.array([0, 2]))
    np.testing.assert_array_equal(some, whole[np.ix_([1, 4, 3], [0, 2])])
    np.testing.assert_allclose(whole[1], (delta[0, 1] + delta[1, 0]) / (2 if "scale_grad_by_freq" in options else 1))
