"""The bounds of tanh, erf, σ and log(1 + x): each holds within the argument's error and is near; torch holds it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from scipy import special

from refimpl.arithmetic.bounded import Bounded
from refimpl.arithmetic.elementary import erf, pi, sigmoid
from refimpl.arithmetic.formats import FORMATS
from tests.refimpl.arithmetic.roundings import profile_of, uncertain

FUNCTIONS: dict[str, Any] = {"tanh": np.tanh, "erf": special.erf, "sigmoid": special.expit, "log1p": np.log1p}
TRUE: dict[str, str] = {"tanh": "tanh", "erf": "erf", "log1p": "log1p"}


def true(name: str, high_precision: Any, x: Any) -> Any:
    context = high_precision.number.context
    function = getattr(context, TRUE[name]) if name in TRUE else lambda x: 1 / (1 + context.exp(-x))
    return np.frompyfunc(function, 1, 1)(x)


@pytest.mark.parametrize("carrier", [np.longdouble, np.float64])
@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("name", FUNCTIONS)
def test_the_bound_holds_for_every_number_within_the_error_and_is_near(
    name: str, dtype: str, carrier: Any, high_precision: Any
) -> None:
    rng, profile = np.random.default_rng(0), profile_of(dtype, carrier=carrier)
    drawn = rng.uniform(-0.9, 9, 300) if name == "log1p" else rng.uniform(-9, 9, 300) * rng.choice([1, 1e-3], 300)
    x = FORMATS[dtype].round(drawn).astype(float)
    for error in (0.0, 2.0**-20, 0.05):
        found: Any = FUNCTIONS[name](Bounded(x, error, profile))
        shares = []
        for shift in (-error, 0.0, error, error / 2):
            away = np.abs(
                true(name, high_precision, high_precision.array(x) + shift) - high_precision.array(found.value)
            )
            shares.append(np.max(away / high_precision.array(found.error)))
        assert max(shares) <= 1
        if error > 1e-3:
            assert max(shares) > 0.9


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("name", FUNCTIONS)
def test_what_numpy_scipy_and_torch_compute_is_within_the_bound(name: str, dtype: str, high_precision: Any) -> None:
    x = np.random.default_rng(0).uniform(0 if name == "log1p" else -30, 30, 500).astype(dtype)
    found: Any = FUNCTIONS[name](Bounded.tensor(x, profile_of(dtype)))
    truth = true(name, high_precision, high_precision.array(x))
    for computed in (FUNCTIONS[name](x), getattr(torch, name)(torch.tensor(x)).numpy()):
        away = np.abs(high_precision.array(computed) - truth)
        assert 0.02 < np.max(away / high_precision.array(found.error)) <= 1


def test_a_sigmoid_may_be_zero_where_its_exponential_overflows() -> None:
    found: Any = special.expit(Bounded.tensor(np.array([-80.0, -87.0, -89.0, -200.0]), profile_of("float32")))
    assert np.all(found.error[:2] < 1e-6 * found.value[:2])
    assert np.all(found.error[2:] >= found.value[2:]) and np.all(found.error[2:] < 1e-38)


def test_an_unbounded_number_has_no_tanh_and_a_logarithm_of_what_may_be_zero_no_bound() -> None:
    lost: Any = np.log1p(uncertain(-0.5, 0.5))
    assert np.isinf(lost.error)
    for function in (np.tanh, special.erf, special.expit):
        unknown: Any = function(uncertain(0.0, np.inf))
        assert np.isinf(unknown.error)


def test_pi_erf_and_sigmoid_run_on_every_number(high_precision: Any) -> None:
    exact = high_precision.array(np.array([-0.5, 2.0]))
    context = high_precision.number.context
    assert erf(exact).tolist() == [context.erf(x) for x in exact]
    assert np.all(np.abs(sigmoid(exact) - np.array([1 / (1 + context.exp(-x)) for x in exact])) < 1e-48)
    assert pi(exact) == context.pi
    assert np.all(np.abs(sigmoid(np.array([-0.5 + 0j, 2.0])) - special.expit([-0.5, 2.0])) < 1e-15)
    assert pi(np.zeros(1, np.complex128)) == np.longdouble(np.pi) + np.longdouble(1.2246467991473532e-16)
