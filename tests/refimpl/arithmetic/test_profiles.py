"""What a profile says of sums, powers and squares is in the bound, and no more."""

from __future__ import annotations

import numpy as np
import pytest

from refimpl.arithmetic.bounded import Bounded, Profile
from refimpl.arithmetic.formats import FORMATS

F64, F32, BF16 = (FORMATS[name] for name in ("float64", "float32", "bfloat16"))


def test_a_power_of_float32_is_within_its_bound_and_1_minus_beta_keeps_its_own() -> None:
    profile = Profile(compute=F32, accumulate=F32, power=F32)
    beta = Bounded.hyper(0.999, profile)
    for t in (1, 2, 10, 1000):
        power = beta ** np.array([t])
        made = float(np.float32(np.float32(0.999) ** np.float32(t)))
        assert abs(made - float(power.value[0])) <= float(power.error[0]) < 1e-6 * t
    assert float((1 - beta).error) < 1e-18


def test_a_sum_in_a_lower_format_than_products_is_bounded_there() -> None:
    ones = np.full((1, 9), 0.7)
    exact, low = (Profile(compute=BF16, accumulate=F32, sums=sums) for sums in (None, BF16))
    of_float32, of_bfloat16 = (float(Bounded.tensor(ones, p).sum(axis=1).error[0]) for p in (exact, low))
    assert of_float32 == pytest.approx(float(BF16.u) * 6.3, rel=0.01)
    assert of_bfloat16 > 7 * of_float32


def test_squares_that_underflow_before_they_are_added_are_in_the_bound() -> None:
    small = np.full((1, 100), 2.0**-13)  # its square, 2⁻²⁶, is a quarter of float16's smallest number
    for products, covers in ((True, True), (False, False)):
        profile = Profile(compute=FORMATS["float16"], accumulate=F32, products=products)
        squares = np.vecdot(Bounded.tensor(small, profile), Bounded.tensor(small, profile))  # type: ignore[call-overload]
        assert (float(squares.error[0]) >= float(squares.value[0])) is covers


def test_another_form_may_underflow_more_often() -> None:
    one, two = (Profile(compute=F32, accumulate=F32, form=form) for form in (1.0, 2.0))
    assert two.tau(F32) == 2 * one.tau(F32)
