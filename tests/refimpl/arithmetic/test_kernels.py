"""Kernels round once where their formulas round often, and their bounds hold and are near."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from refimpl.arithmetic.bounded import Bounded, Profile
from refimpl.arithmetic.formats import FORMATS
from refimpl.arithmetic.kernels import item, lerp, machine_epsilon, mean, norm
from refimpl.errors import ParameterError

Array = npt.NDArray[Any]
FLOAT16 = Profile(compute=FORMATS["float16"], accumulate=FORMATS["float32"])
ALL_FLOAT16 = Profile(compute=FORMATS["float16"], accumulate=FORMATS["float16"])


def numbers(seed: int, shape: tuple[int, ...]) -> Array:
    return np.random.default_rng(seed).standard_normal(shape).astype(np.float16)


def in_float32(name: str, x: Array) -> Array:
    """Summed in float32, stored in float16."""
    wide = x.astype(np.float32)
    found = np.sqrt(np.vecdot(wide, wide)) if name == "norm" else wide.mean(axis=-1)
    return found.astype(np.float16)


@pytest.mark.parametrize("kernel", [norm, mean], ids=["norm", "mean"])
@pytest.mark.parametrize("n", [1, 3, 100])
def test_a_sum_in_float32_that_is_stored_in_float16_is_within_the_bound_and_uses_it(
    kernel: Any, n: int, high_precision: Any
) -> None:
    x = numbers(0, (200, n))
    bound = kernel(Bounded.tensor(x, FLOAT16))
    error = np.abs(high_precision.array(in_float32(kernel.__name__, x)) - kernel(high_precision.array(x)))
    share = (error / high_precision.array(bound.error)).astype(float)
    assert share.max() <= 1 and (n == 1 or share.max() >= 0.5)
    everywhere = kernel(Bounded.tensor(x, ALL_FLOAT16))
    assert n == 1 or np.all(bound.error < everywhere.error)


def test_a_norm_whose_square_overflows_only_in_the_format_it_is_stored_in_is_bounded() -> None:
    x = np.full((1, 4), 300.0)
    assert np.all(np.isfinite(norm(Bounded.tensor(x, FLOAT16)).error))
    assert np.all(np.isinf(norm(Bounded.tensor(x, ALL_FLOAT16)).error))
    assert np.all(np.isinf(norm(Bounded.tensor(200 * x, FLOAT16)).error))


@pytest.mark.parametrize("weight", [0.0, 0.1, 0.49, 0.5, 0.9, 1.0, 1.5, -0.2, -0.7])
def test_lerp_is_the_weighted_average_and_exact_at_its_ends(weight: float, high_precision: Any) -> None:
    start, end = numbers(0, (50,)).astype(float), numbers(1, (50,)).astype(float)
    found = lerp(start, end, weight)
    np.testing.assert_allclose(found, (1 - weight) * start + weight * end, rtol=0, atol=1e-14)
    assert weight not in (0.0, 1.0) or np.array_equal(found, end if weight else start)
    bound = lerp(Bounded.tensor(start, FLOAT16), Bounded.tensor(end, FLOAT16), Bounded.hyper(weight, FLOAT16))
    in_float16 = lerp(start.astype(np.float16), end.astype(np.float16), np.float16(weight))
    true = lerp(*map(high_precision.array, (start, end)), high_precision.number(weight))
    error = np.abs(high_precision.array(in_float16) - true)
    assert np.all(error <= high_precision.array(bound.error))


def test_a_number_read_out_of_a_tensor_is_computed_with_in_the_precision_of_scalars() -> None:
    x = Bounded.tensor(np.array([3.0]), FLOAT16)
    assert (item(x) / 7).error < 1e-15 < (x / 7).error
    assert item(3.0) == 3.0


def test_another_profile_rounds_once_where_it_keeps_less() -> None:
    x = Bounded.tensor(np.array([1 / 3]), Profile(compute=FORMATS["float32"], accumulate=FORMATS["float32"]))
    assert x.under(FLOAT16).error == pytest.approx(2.0**-11 / 3 + 2.0**-25, rel=1e-9)  # u|x| + τ
    low = Bounded.tensor(np.array([1 / 3]), FLOAT16)
    assert low.under(x.profile).error == 0
    narrow = Bounded.tensor(np.array([1e30]), Profile(compute=FORMATS["bfloat16"], accumulate=FORMATS["float32"]))
    assert np.isinf(narrow.under(FLOAT16).error)


def test_the_machine_epsilon_is_that_of_the_numbers(high_precision: Any) -> None:
    for dtype in (np.float16, np.float32, np.float64, np.longdouble):
        assert machine_epsilon(np.ones(1, dtype)) == np.finfo(dtype).eps
    assert machine_epsilon(Bounded.tensor(np.ones(1), FLOAT16)).value == np.finfo(np.float16).eps
    with pytest.raises(ParameterError, match=r"^eps: given None for numbers of type object"):
        machine_epsilon(high_precision.array(np.ones(1)))
