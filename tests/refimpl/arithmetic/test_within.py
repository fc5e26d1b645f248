"""Numbers that lie between two others, however they were rounded."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from refimpl.arithmetic.bounded import Bounded, Profile
from refimpl.arithmetic.formats import FORMATS

PROFILE = Profile(compute=FORMATS["bfloat16"], accumulate=FORMATS["float32"])


@given(true=st.floats(0, 1), computed=st.floats(0, 1))
def test_a_number_between_0_and_1_is_off_by_no_more_than_the_way_to_the_farther_of_them(
    true: float, computed: float
) -> None:
    known = Bounded(np.array([true]), np.inf, PROFILE).within(0, 1)
    bound = Fraction(*known.error[0].as_integer_ratio())
    assert abs(Fraction(computed) - Fraction(true)) <= bound <= 1 + Fraction(1, 10**15)


def test_a_smaller_bound_stays_and_nan_has_none() -> None:
    kept = Bounded(np.array([0.5, np.nan]), np.array([1e-3, 1e-3]), PROFILE).within(0, 1)
    assert kept.error[0] == np.longdouble(1e-3) and np.isinf(kept.error[1])
