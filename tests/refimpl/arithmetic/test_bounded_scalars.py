"""Hyper-parameters are doubles that are rounded where they meet a tensor, and their bounds hold."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from refimpl.arithmetic.bounded import Bounded
from refimpl.arithmetic.formats import FORMATS
from tests.refimpl.arithmetic.roundings import Real, assert_within, numbers, profile_of


@pytest.mark.parametrize("name", ["float32", "bfloat16", "float16"])
@pytest.mark.parametrize("beta", [0.9, 0.999, 0.9999, 0.5])
def test_an_expression_of_scalars_is_computed_in_doubles_and_rounded_once(
    name: str, beta: float, high_precision: Any
) -> None:
    """(1 − β)·g as torch has it; rounding β first would be 1,000 times worse, and is outside the bound."""
    rng, profile, dtype = np.random.default_rng(0), profile_of(name), Real(name)
    g = numbers(rng, name, 200, exponents=(0, 1))
    factor = FORMATS[name].round(np.array(1 - beta)).astype(float)
    real = dtype.float64(dtype.apply("multiply", dtype.array(factor), dtype.array(g)))
    exact = (1 - high_precision.number(beta)) * high_precision.array(g)
    bounded: Any = (1 - Bounded.hyper(beta, profile)) * Bounded.tensor(g, profile)
    assert not bounded.scalar
    assert_within(real, exact, bounded, high_precision)
    error, allowed = np.abs(high_precision.array(real) - exact), high_precision.array(bounded.error)
    assert np.any(error > 0.2 * allowed) or beta == 0.5  # ½ and its products are exact
    early = FORMATS[name].round(1 - FORMATS[name].round(np.array(beta))).astype(float)
    if beta == 0.999 and name == "float32":
        computed = dtype.float64(dtype.apply("multiply", dtype.array(early), dtype.array(g)))
        assert np.all(
            np.abs(high_precision.array(computed) - exact)[g != 0] > 5 * high_precision.array(bounded.error)[g != 0]
        )


def test_a_scalar_by_itself_is_the_double_that_was_given() -> None:
    profile = profile_of("float32")
    for value in (0.1, 0.999, 1e-8):
        scalar = Bounded.hyper(value, profile)
        assert scalar.scalar and scalar.error == 0 and scalar.value == value
        assert 0 < (1 - scalar).error <= 2.0**-53 * 1.001
        assert (scalar * scalar).scalar and (1 - scalar).scalar


def test_a_scalar_that_meets_a_tensor_is_off_by_its_own_rounding_error_exactly() -> None:
    profile, one = profile_of("float32"), Bounded.tensor(np.ones(1), profile_of("float32"))
    entered = Bounded.hyper(0.1, profile).entering()
    assert not entered.scalar
    assert entered.error == abs(np.longdouble(0.1) - np.longdouble(np.float32(0.1)))
    assert Bounded.hyper(0.5, profile).entering().error == 0
    assert np.isinf(Bounded.hyper(1e39, profile).entering().error)  # it becomes inf
    assert not (Bounded.hyper(0.1, profile) * one).scalar
    assert np.isinf((Bounded.hyper(1e39, profile) * (one * 1e-30)).error)
    double = profile_of("float64")
    assert Bounded.hyper(0.1, double).entering().error == 0


@pytest.mark.parametrize("beta", [0.9, 0.999])
def test_a_profile_that_keeps_scalars_in_float32_gives_them_that_precision(beta: float, high_precision: Any) -> None:
    profile = profile_of("float32", scalar=FORMATS["float32"])
    real = np.float32(1) - np.float32(beta)
    bounded: Any = (1 - Bounded.hyper(beta, profile)) * Bounded.tensor(np.ones(1), profile)
    assert_within(np.array([float(real)]), 1 - high_precision.array(np.array([beta])), bounded, high_precision)
    assert bounded.error > 1e-9


@pytest.mark.parametrize("order", ["condition true", "condition false", "undecided"])
def test_a_choice_between_a_scalar_and_a_tensor_rounds_the_scalar(order: str, high_precision: Any) -> None:
    profile = profile_of("float32")
    condition: Any = {
        "condition true": np.array([True]),
        "condition false": np.array([False]),
        "undecided": Bounded(np.array([0.0]), 1, profile) > 0,
    }[order]
    chosen = np.where(condition, Bounded.hyper(0.1, profile), Bounded.tensor(np.array([0.25]), profile))
    real = np.array([0.25 if order == "condition false" else float(np.float32(0.1))])
    exact = high_precision.array(np.array([0.25 if order == "condition false" else 0.1]))
    assert not chosen.scalar
    assert_within(real, exact, chosen, high_precision)
    assert np.where(condition, Bounded.hyper(0.1, profile), 0.0).scalar  # a choice between scalars is one


def test_the_form_factor_multiplies_the_unit_roundoff() -> None:
    x = np.array([1.5])
    errors = [(Bounded.tensor(x, profile_of("float32", form=form)) + 1).error.item() for form in (1.0, 2.0)]
    np.testing.assert_allclose(errors[1] / errors[0], 2, rtol=1e-6)


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_a_product_with_an_exact_zero_is_exact_and_one_with_an_uncertain_zero_is_not(dtype: str) -> None:
    """In every format 0·y is 0 and nothing else, unless y may be infinite."""
    profile, largest = profile_of(dtype), FORMATS[dtype].largest
    zero, y = Bounded.tensor(np.zeros(1), profile), Bounded(np.array([3.0]), 0.5, profile)
    assert (zero * y).error == 0 and (y * zero).error == 0 and (0 * y).error == 0
    assert (Bounded(np.zeros(1), 1e-6, profile) * y).error >= 3.5e-6
    assert np.isinf((zero * (Bounded.tensor(np.array([largest]), profile) * 2)).error)


def test_the_bound_is_in_the_units_of_the_formula() -> None:
    """u·|x| for one operation on exact numbers, and half the smallest subnormal where it can underflow."""
    profile, x = profile_of("float32"), Bounded.tensor(np.array([3.0]), profile_of("float32"))
    u, tau = 2.0**-24, 2.0**-150
    np.testing.assert_allclose((x + 1).error, 4 * u, rtol=1e-9)
    np.testing.assert_allclose((x * 2).error, 6 * u + tau, rtol=1e-9)
    tiny = Bounded.tensor(np.array([1e-30]), profile)
    np.testing.assert_allclose((tiny * tiny).error, tau, rtol=1e-9)
    np.testing.assert_allclose((-x).error, 0)
    np.testing.assert_allclose(((x + 1) + 1).error, (4 + 5) * u, rtol=1e-6)
    np.testing.assert_allclose(((x + 1) * 2).error, (4 * 2 + 8) * u, rtol=1e-6)
    assert np.all((Bounded.tensor(np.zeros(1), profile) + 0).error == 0)
