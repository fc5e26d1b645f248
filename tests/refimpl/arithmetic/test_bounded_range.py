"""At the ends of a format's range, a bound holds, or is infinite where a result has no digit that is known."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from refimpl.arithmetic.bounded import Bounded
from refimpl.arithmetic.formats import FORMATS
from tests.refimpl.arithmetic.roundings import Array, assert_within, numbers, profile_of, running


def test_a_result_that_may_overflow_is_unbounded() -> None:
    profile = profile_of("float16")
    x = Bounded.tensor(np.array([60000.0, 30000.0]), profile)
    for result in (x + x, x * 2, x / 0.5, x * x, x**2, np.square(x)):
        assert np.isinf(result.error[0])
    assert np.isfinite((x + x).error[1])
    assert np.isinf((Bounded(np.array([65000.0]), 1000, profile) + 0).error)


def test_partial_sums_that_overflow_make_a_sum_unbounded_whatever_it_cancels_to() -> None:
    terms = np.array([60000.0, 60000.0, -60000.0, -60000.0])
    assert Bounded.tensor(terms, profile_of("float16")).sum(0).error == np.inf
    assert Bounded.tensor(terms, profile_of("float16", "float32")).sum(0).error < 1
    ones = Bounded.tensor(np.ones(4), profile_of("float16"))
    assert np.vecdot(Bounded.tensor(terms, profile_of("float16")), ones).error == np.inf


@pytest.mark.parametrize("name", ["float32", "float16"])
def test_the_bound_holds_where_results_are_subnormal(name: str, high_precision: Any) -> None:
    rng, profile, tiny = np.random.default_rng(0), profile_of(name), float(FORMATS[name].smallest_normal)
    a, b = (numbers(rng, name, 500, exponents=(-3, 3)) for _ in range(2))
    small = FORMATS[name].round(a * tiny).astype(float)
    real = [x.astype(name) for x in (small, b)]
    exact, bounded = [high_precision.array(x) for x in (small, b)], [Bounded.tensor(x, profile) for x in (small, b)]
    product = (real[0] * real[1]).astype(float)
    assert np.any((np.abs(product) < tiny) & (product != 0))
    assert_within(product, exact[0] * exact[1], bounded[0] * bounded[1], high_precision)
    nonzero = b != 0
    quotient = (real[0][nonzero] / real[1][nonzero]).astype(float)
    assert_within(
        quotient, exact[0][nonzero] / exact[1][nonzero], bounded[0][nonzero] / bounded[1][nonzero], high_precision
    )
    total = running((real[0] * real[1]).reshape(50, 10), real[0].dtype).astype(float)
    sums: Any = np.vecdot(bounded[0].reshape(50, 10), bounded[1].reshape(50, 10))
    assert_within(total, np.vecdot(exact[0].reshape(50, 10), exact[1].reshape(50, 10)), sums, high_precision)


def test_the_bound_holds_on_a_device_that_flushes_subnormal_operands_and_results(high_precision: Any) -> None:
    rng, tiny = np.random.default_rng(0), float(FORMATS["float32"].smallest_normal)
    profile = profile_of("float32", flush=True)
    a, b = (FORMATS["float32"].round(numbers(rng, "float32", 600) * tiny).astype(float) for _ in range(2))
    large = FORMATS["float32"].round(numbers(rng, "float32", 600, exponents=(20, 40))).astype(float)
    bounded = {key: Bounded.tensor(x, profile) for key, x in (("a", a), ("b", b), ("large", large))}
    exact = {key: high_precision.array(x) for key, x in (("a", a), ("b", b), ("large", large))}

    def flush(x: Array) -> Array:
        return np.where(np.abs(x) < np.float32(tiny), np.float32(0), x).astype(np.float32)

    real = {key: flush(x.astype(np.float32)) for key, x in (("a", a), ("b", b), ("large", large))}
    for left, right in (("a", "b"), ("a", "large")):
        for operation in (np.add, np.subtract, np.multiply, np.maximum):
            computed = flush(operation(real[left], real[right])).astype(float)
            assert_within(
                computed, operation(exact[left], exact[right]), operation(bounded[left], bounded[right]), high_precision
            )
    total = np.zeros(60, np.float32)
    products = np.zeros(60, np.float32)
    for i in range(10):
        total = flush(total + real["a"].reshape(60, 10)[:, i])
        products = flush(products + flush(real["a"] * real["large"]).reshape(60, 10)[:, i])
    assert_within(
        total.astype(float), exact["a"].reshape(60, 10).sum(axis=1), bounded["a"].reshape(60, 10).sum(1), high_precision
    )
    dot: Any = np.vecdot(bounded["a"].reshape(60, 10), bounded["large"].reshape(60, 10))
    assert_within(
        products.astype(float),
        np.vecdot(exact["a"].reshape(60, 10), exact["large"].reshape(60, 10)),
        dot,
        high_precision,
    )
    assert np.all((Bounded.tensor(np.ones(3), profile) * 3).error < 1e-6)  # normal numbers keep their bound


@pytest.mark.parametrize("operation", [np.multiply, np.add, np.subtract, np.divide, np.maximum, np.matmul, np.vecdot])
def test_unbounded_operands_give_unbounded_results_without_a_warning(operation: Any) -> None:
    profile = profile_of("float32")
    lost = Bounded(np.zeros((2, 2)), np.inf, profile)
    for other in (Bounded.tensor(np.zeros((2, 2)), profile), Bounded.tensor(np.ones((2, 2)), profile), lost, lost / 0):
        for result in (operation(lost, other), operation(other, lost)):
            assert np.all(np.isinf(result.error))
    assert (
        np.all(np.isinf(lost.sum(0).error))
        and np.all(np.isinf((lost**2).error))
        and np.all(np.isinf(np.sqrt(lost).error))
    )


def test_division_by_what_may_be_0_is_unbounded() -> None:
    profile = profile_of("float32")
    for value, error in ((0.1, 0.2), (0.1, 0.1), (-0.1, 0.3), (0.0, 0.0)):
        assert np.isinf((1 / Bounded(np.array([value]), error, profile)).error)
    near = 1 / Bounded(np.array([0.1]), 0.05, profile)
    assert 10 <= near.error < 10 * 1.001  # 1/0.05 − 1/0.1


@pytest.mark.parametrize("error", [0.0, 1e-9, 0.1, 0.99, 1.0, 2.0])
def test_the_root_of_an_uncertain_number_covers_both_ends(error: float) -> None:
    bounded = np.sqrt(Bounded(np.array([1.0]), error, profile_of("float64")))
    for end in (max(1 - error, 0), 1 + error):
        assert abs(np.sqrt(np.longdouble(end)) - 1) <= bounded.error
    assert bounded.error <= 2 * error + 1e-15


def test_the_root_of_a_negative_number_is_unbounded() -> None:
    assert np.isinf(np.sqrt(Bounded.tensor(np.array([-1.0]), profile_of("float32"))).error)
    assert np.sqrt(Bounded.tensor(np.array([0.0]), profile_of("float32"))).error < 1e-40
