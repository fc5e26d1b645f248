"""Cube roots, cos πx, exact integers and choices, in every arithmetic; the bounds of the cosine hold and are near."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from refimpl.arithmetic.bounded import Bounded, Profile
from refimpl.arithmetic.elementary import PI, choose, cos_pi, cube_root, integer
from refimpl.arithmetic.formats import FORMATS


def profile_of(name: str) -> Profile:
    return Profile(compute=FORMATS[name], accumulate=FORMATS[name], scalar=FORMATS[name])


def test_pi_has_the_digits_that_each_arithmetic_asks_for(high_precision: Any) -> None:
    assert float(PI) == math.pi
    assert high_precision.number(PI) == high_precision.number.context.pi
    assert np.longdouble(PI) == 4 * np.arctan(np.longdouble(1))


@pytest.mark.parametrize("k", [0, 1, 2, 3, 4, 6])
def test_the_cosine_of_whole_parts_of_pi_is_known_in_every_arithmetic(k: int, high_precision: Any) -> None:
    truth = {0: 1, 1: 3**0.5 / 2, 2: 0.5, 3: 0, 4: -0.5, 6: -1}[k]
    for one in (0.1, np.longdouble(0.1), np.full(2, 0.1), high_precision.number(0.1)):
        found = cos_pi(integer(k, one) / 6)
        assert np.all(np.abs(found - truth) < 3e-16)
        assert type(found) is type(one) or isinstance(found, float)
    exact = cos_pi(integer(1, high_precision.number(1)) / 3)
    assert abs(exact - high_precision.number(1) / 2) < 1e-49
    objects = cos_pi(high_precision.array(np.array([0.0, 1.0])))
    assert objects.tolist() == [1, -1]


def test_the_cube_of_a_cube_root_is_the_number_to_all_digits_that_the_arithmetic_has(high_precision: Any) -> None:
    """⅓ is off by a rounding u, the root by |log x|·u/3 and u of itself, its cube three times as much and 2u."""
    numbers = np.array([1e-30, 0.3, 27.0, 1e9])
    roundings = np.abs(np.log(numbers)) + 5
    wide, many = numbers.astype(np.longdouble), high_precision.array(numbers)
    for array, u in (
        (numbers, 2.0**-53),
        (wide, np.finfo(np.longdouble).eps / 2),
        (many, high_precision.number(1e-49)),
    ):
        root = cube_root(array)
        assert np.all(np.abs(root * root * root - array) <= roundings * u * array)
        assert not np.any(cube_root(0 * array))


@pytest.mark.parametrize("name", ["float64", "float32"])
def test_the_bound_of_a_cube_root_holds_and_is_near(name: str, high_precision: Any) -> None:
    """A root at its own exponent ⅓, rounded to the format, is within the bound of the root that has all digits."""
    numbers = np.array([1e-30, 0.3, 27.0, 1e9], name)
    bound = cube_root(Bounded.tensor(numbers, profile_of(name)))
    truth = cube_root(high_precision.array(numbers))
    computed = np.power(numbers, numbers.dtype.type(1 / 3))
    error = np.abs(high_precision.array(computed) - truth)
    assert np.all(error <= high_precision.array(bound.error))
    assert np.all(
        bound.error <= 40 * FORMATS[name].u * bound.value
    )  # |log x|/3 roundings of the exponent, and few more
    assert cube_root(Bounded.tensor(np.zeros(1, name), profile_of(name))).error.item() < 3 * FORMATS[name].tiny


@pytest.mark.parametrize("name", ["float64", "float32"])
def test_the_bound_of_a_cosine_holds_for_every_number_within_its_error_and_is_near(
    name: str, high_precision: Any
) -> None:
    rng, profile = np.random.default_rng(0), profile_of(name)
    x = FORMATS[name].round(rng.uniform(-7, 7, 500)).astype(float)
    for error in (0.0, 2.0**-30, 0.05):
        found: Any = np.cos(Bounded(x, error, profile))
        shares = []
        for shift in (-error, 0.0, error, error / 2):
            truth = np.cos(high_precision.array(x) + high_precision.number(shift))
            shares.append(np.abs(truth - high_precision.array(found.value)) / high_precision.array(found.error))
        assert np.max(shares) <= 1
        if error:
            assert np.max(shares) > 0.9
    computed = np.cos(x.astype(name)).astype(float)
    truth = np.cos(high_precision.array(x))
    used = np.abs(high_precision.array(computed) - truth) / high_precision.array(np.cos(Bounded(x, 0, profile)).error)
    assert 0.2 < np.max(used) <= 1
    lost: Any = np.cos(Bounded(x, np.inf, profile))
    assert np.all(np.isinf(lost.error))


def test_bounded_pi_admits_the_pi_of_the_implementation(high_precision: Any) -> None:
    """Near 11π/2, a zero of the cosine just above 16, the errors of math.pi and of the product are all there is."""
    profile, rng = profile_of("float64"), np.random.default_rng(0)
    x = 5.5 + rng.uniform(-1e-3, 1e-3, 2000)
    found = cos_pi(Bounded(x, 0, profile, scalar=True))
    truth = np.array([high_precision.number.context.cospi(each) for each in high_precision.array(x)])
    away = np.abs(high_precision.array(np.cos(math.pi * x)) - truth).astype(float)
    assert np.all(away <= found.error.astype(float))
    product_alone = 2.0**-53 * np.abs(math.pi * x)
    assert np.any(away > product_alone)
    assert np.all(np.abs(np.cos((math.pi + 4e-15) * x) - found.value) > found.error)


def test_a_power_of_an_exact_zero_is_zero_and_of_one_that_may_be_zero_unknown() -> None:
    profile = profile_of("float64")
    zero: Any = Bounded(np.zeros(1), 0, profile)
    for y in (0.5, 1.0, 3.0):
        found: Any = zero**y
        assert found.value[0] == 0 and found.error[0] < 1e-300
        uncertain: Any = Bounded(np.zeros(1), 2.0**-60, profile) ** y
        assert np.isinf(uncertain.error)
    assert np.isinf((zero**-1.0).error)
    assert np.isinf((zero ** Bounded(0.5, 0.6, profile)).error)


def test_integers_are_exact_and_their_quotients_are_not_rounded_to_float64(high_precision: Any) -> None:
    bounded = integer(np.arange(3), Bounded.hyper(0.1, profile_of("float64")))
    assert bounded.scalar and np.all(bounded.error == 0)
    third = integer(1, high_precision.number(0.1)) / 3
    assert abs(3 * third - 1) < 1e-49
    assert integer(np.arange(3), 0.1).tolist() == [0.0, 1.0, 2.0]
    assert integer(2, np.array([0.1, 0.2])).tolist() == [2.0, 2.0]


def test_a_choice_between_numbers_is_a_number_and_between_tuples_a_tuple(high_precision: Any) -> None:
    assert choose(True, 1.5, 2.5) == 1.5 and isinstance(choose(True, 1.5, 2.5), float)
    assert choose(False, (1.5, 1), (2.5, 3)) == (2.5, 3)
    assert isinstance(choose(True, high_precision.number(1), 0), high_precision.number)
    assert choose(np.array([True, False]), 1.5, 2.5).tolist() == [1.5, 2.5]
