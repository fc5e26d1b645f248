"""Every loss of the registry: its derivatives are those of its value, run by run and in every arithmetic."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from refimpl.arithmetic.bounded import Bounded, Profile
from refimpl.arithmetic.formats import FORMATS
from refimpl.arithmetic.lift import lift
from refimpl.losses import SquaredError

Array = npt.NDArray[Any]
FLOATS = st.floats(-1e3, 1e3, allow_subnormal=False)
PAIRS = hnp.arrays(np.float64, (2, 2, 3, 1), elements=FLOATS)  # outputs and targets, (runs, n, 1) each
FLOAT64 = Profile(compute=FORMATS["float64"], accumulate=FORMATS["float64"])


def differences(function: Any, x: Array, step: Any) -> Array:
    """Central differences of a scalar function of an array, element by element: exact for a quadratic."""
    found = np.empty(x.shape, object)
    for index in np.ndindex(*x.shape):
        up, down = x.copy(), x.copy()
        up[index], down[index] = x[index] + step, x[index] - step
        found[index] = (function(up) - function(down)) / (2 * step)
    return found


@given(pair=PAIRS)
@settings(max_examples=20)
def test_the_gradient_is_the_derivative_of_the_value(any_loss: Any, high_precision: Any, pair: Array) -> None:
    outputs, targets = high_precision.array(pair)
    loss, step = high_precision.hyper(any_loss), high_precision.number("1e-15")
    slope = differences(lambda x: loss.value(x, targets).sum(), outputs, step)
    gradient = any_loss.gradient(*pair)
    assert gradient.shape == pair[0].shape
    assert np.all(np.abs(gradient - slope) <= 2e-15 * np.abs(slope) + 1e-27)


@given(pair=PAIRS)
@settings(max_examples=20)
def test_the_hessian_is_the_derivative_of_the_gradient_and_diagonal(
    any_loss: Any, high_precision: Any, pair: Array
) -> None:
    outputs, targets = high_precision.array(pair)
    loss, step = high_precision.hyper(any_loss), high_precision.number("1e-15")
    hessian = any_loss.hessian(*pair)
    assert hessian.shape == pair[0].shape
    for index in np.ndindex(*outputs.shape):
        row = differences(lambda x, index=index: loss.gradient(x, targets)[index], outputs, step)
        expected = np.zeros(outputs.shape)
        expected[index] = hessian[index]
        assert np.all(np.abs(row - expected) <= 1e-15 * np.abs(hessian[index]))


@given(pair=PAIRS)
@settings(max_examples=100)
def test_runs_do_not_see_each_other(any_loss: Any, pair: Array) -> None:
    for run in range(2):
        alone = pair[:, run : run + 1]
        assert np.array_equal(any_loss.value(*pair)[run : run + 1], any_loss.value(*alone))
        assert np.array_equal(any_loss.gradient(*pair)[run : run + 1], any_loss.gradient(*alone))


def test_the_inputs_stay_as_they_are(any_loss: Any) -> None:
    pair = np.random.default_rng(0).standard_normal((2, 2, 3, 1))
    before = pair.copy()
    for function in (any_loss.value, any_loss.gradient, any_loss.hessian):
        function(pair[0], pair[1])
    assert np.array_equal(pair, before)


@given(pair=PAIRS)
@settings(max_examples=20)
def test_every_arithmetic_gives_the_same_value_and_gradient(
    any_loss: Any, high_precision: Any, long_double: Any, rational: Any, pair: Array
) -> None:
    truth = high_precision.hyper(any_loss)
    targets = high_precision.array(pair)
    arithmetics = [high_precision, long_double] + ([rational] if rational.allows(any_loss) else [])
    bounded_loss = lift(any_loss, lambda number: Bounded.hyper(number, FLOAT64))
    for function in ("value", "gradient"):
        plain, expected = getattr(any_loss, function)(*pair), getattr(truth, function)(*targets)
        scale = np.max(np.abs(expected), initial=0)
        for arithmetic in arithmetics:
            result = getattr(arithmetic.hyper(any_loss), function)(*arithmetic.array(pair))
            assert np.all(np.abs(result.astype(float) - plain) <= 4e-15 * scale)
        bounded = getattr(bounded_loss, function)(*(Bounded.tensor(x, FLOAT64) for x in pair))
        assert np.all(np.abs(high_precision.array(plain) - expected) <= high_precision.array(bounded.error))


def test_an_exact_loss_is_the_exact_rational_number(rational: Any) -> None:
    loss = rational.hyper(SquaredError(factor=0.5, reduction="mean"))
    pair = rational.array(np.array([[[[1.0], [2.0], [4.0]]], [[[0.0], [0.0], [0.0]]]]))
    assert str(loss.value(*pair)[0]) == "Exact(7/2)"  # ½(1 + 4 + 16)/3
    assert [str(x) for x in loss.gradient(*pair).ravel()] == ["Exact(1/3)", "Exact(2/3)", "Exact(4/3)"]


@pytest.mark.parametrize("factor", [-0.5, np.nan, np.inf, True, "1", None])
def test_a_factor_outside_its_range_is_refused(factor: Any) -> None:
    with pytest.raises(ValueError, match=r"factor: given .* a finite number ≥ 0"):
        SquaredError(factor=factor, reduction="mean")
