"""The bounds of sums and matrix products hold in any order, and where they cancel."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from refimpl.arithmetic.bounded import Bounded, gamma
from refimpl.arithmetic.formats import FORMATS
from tests.refimpl.arithmetic.roundings import NAMES, ORDERS, assert_within, numbers, profile_of, running


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize(
    ("name", "accumulate"),
    [("float64", "float64"), ("float32", "float32"), ("float16", "float16"), ("float16", "float32")],
)
def test_the_bound_of_a_sum_holds_in_any_order(name: str, accumulate: str, order: str, high_precision: Any) -> None:
    rng, profile = np.random.default_rng(0), profile_of(name, accumulate)
    for n in (1, 2, 3, 17, 200):
        x = numbers(rng, name, 20, n)
        total = ORDERS[order](x.astype(accumulate), np.dtype(accumulate)).astype(name)
        for axis, operand in ((1, x), (0, x.T)):
            bounded = Bounded.tensor(operand, profile).sum(axis=axis)
            assert_within(total.astype(float), high_precision.array(x).sum(axis=1), bounded, high_precision)


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("kind", ["matmul", "vecdot"])
@pytest.mark.parametrize(
    ("name", "accumulate"),
    [("float64", "float64"), ("float32", "float32"), ("float16", "float16"), ("float16", "float32")],
)
def test_the_bound_of_a_product_holds_in_any_order_also_where_the_factors_have_errors(
    name: str, accumulate: str, kind: str, order: str, high_precision: Any
) -> None:
    """The factors are sums themselves: x + y, rounded."""
    rng, profile = np.random.default_rng(0), profile_of(name, accumulate)
    for n in (1, 2, 17, 100):
        shapes = ((3, n), (3, n)) if kind == "vecdot" else ((3, n), (n, 2))
        terms = [numbers(rng, name, 2, *shape) for shape in shapes]
        factors = [(x.astype(name) + y.astype(name)).astype(accumulate) for x, y in terms]
        a, b = factors if kind == "vecdot" else (factors[0][:, None, :], factors[1].T[None, :, :])
        real = ORDERS[order]((a * b).astype(accumulate), np.dtype(accumulate)).astype(name)
        exact = getattr(np, kind)(*(high_precision.array(x) + high_precision.array(y) for x, y in terms))
        bounded = getattr(np, kind)(*(Bounded.tensor(x, profile) + Bounded.tensor(y, profile) for x, y in terms))
        assert_within(real.astype(float), exact, bounded, high_precision)


@pytest.mark.parametrize("name", NAMES)
def test_the_bound_of_torchs_matrix_product_holds(name: str, high_precision: Any) -> None:
    """bfloat16 and float16 accumulate in float32 and are rounded once: so says the profile."""
    rng, profile = np.random.default_rng(0), profile_of(name, name if name in ("float64", "float32") else "float32")
    a, b = numbers(rng, name, 4, 33), numbers(rng, name, 33, 5)
    dtype = getattr(torch, name)
    real = (torch.tensor(a, dtype=dtype) @ torch.tensor(b, dtype=dtype)).to(torch.float64).numpy()
    bounded: Any = Bounded.tensor(a, profile) @ Bounded.tensor(b, profile)
    assert_within(real, high_precision.array(a) @ high_precision.array(b), bounded, high_precision)


def test_the_bound_of_a_long_sum_is_reached_to_a_tenth_in_the_worst_order() -> None:
    """1 + Σ u, one after another, loses every u: the error is nearly γₙ times the sum."""
    profile, n = profile_of("float32"), 1_000
    terms = np.array([1.0] + [2.0**-24] * n)
    lost = n * 2.0**-24
    assert running(terms.astype(np.float32), np.float32) == 1.0
    assert 0.1 < lost / Bounded.tensor(terms, profile).sum(0).error <= 1


@pytest.mark.parametrize("name", NAMES)
def test_gamma_is_unbounded_once_n_roundings_can_make_any_error(name: str) -> None:
    profile, most = profile_of(name), 2 ** FORMATS[name].digits
    assert gamma(0, profile) == 0
    assert np.isinf(gamma(most, profile))
    assert FORMATS[name].u <= gamma(1, profile) <= FORMATS[name].u * (1 + 1e-2)
    assert np.isfinite(gamma(most // 2, profile)) and gamma(most // 2, profile) >= 1 - 1e-9
    if name == "bfloat16":
        ones = Bounded.tensor(np.ones((1, most)), profile)
        assert np.isinf((ones @ ones.T).error).all() and np.isfinite((ones[:, :99] @ ones[:, :99].T).error).all()
        assert np.isinf(Bounded.tensor(np.ones(most + 1), profile).sum(0).error)


@pytest.mark.parametrize("format", ["tf32", "bfloat16"])
def test_operands_that_are_rounded_first_widen_the_bound_of_a_product_by_what_that_costs(
    format: str, high_precision: Any
) -> None:
    rng = np.random.default_rng(0)
    a, b = (FORMATS["float32"].round(rng.standard_normal(shape)).astype(float) for shape in ((20, 9), (9, 20)))
    narrow = [FORMATS[format].round(x).astype(np.float32) for x in (a, b)]
    real, exact = (narrow[0] @ narrow[1]).astype(float), high_precision.array(a) @ high_precision.array(b)
    plain = profile_of("float32")
    rounded = profile_of("float32", operands=FORMATS[format])
    wide, tight = (Bounded.tensor(a, p) @ Bounded.tensor(b, p) for p in (rounded, plain))
    assert_within(real, exact, wide, high_precision)
    error = np.abs(high_precision.array(real) - exact)
    assert np.any(error > 10 * high_precision.array(tight.error))  # it is needed
    assert np.any(error > 0.1 * high_precision.array(wide.error))  # and no more than needed
    assert_within(real, exact, np.matmul(Bounded.tensor(a, rounded), b), high_precision)


def test_operands_that_are_rounded_to_a_format_of_smaller_range_may_underflow_or_overflow(high_precision: Any) -> None:
    """Autocast to float16: 1e-7 keeps one bit, 1e-9 none, 1e5 becomes inf."""
    profile = profile_of("float32", operands=FORMATS["float16"])
    a, b = FORMATS["float32"].round(np.array([[1.3e-7], [1e-9], [1e5]])).astype(float), np.array([[2.0]])
    with np.errstate(over="ignore"):
        real = (a.astype(np.float16).astype(np.float32) @ b.astype(np.float32)).astype(float)
    bounded: Any = Bounded.tensor(a, profile) @ Bounded.tensor(b, profile)
    assert_within(real, high_precision.array(a) @ high_precision.array(b), bounded, high_precision)
    assert np.isinf(bounded.error[2]) and np.all(np.isfinite(bounded.error[:2]))


@pytest.mark.parametrize("order", ORDERS)
def test_the_bound_of_a_sum_or_product_that_cancels_covers_the_rounding_of_its_partial_sums(
    order: str, high_precision: Any
) -> None:
    """Σ(x − x) in a random order: nothing is left of the value, and all of its rounding errors."""
    rng, profile = np.random.default_rng(0), profile_of("float32")
    x = numbers(rng, "float32", 40, 17)
    terms = rng.permuted(np.concatenate([x, -x], axis=1), axis=1)
    real = ORDERS[order](terms.astype(np.float32), np.dtype(np.float32)).astype(float)
    exact, bounded = high_precision.array(np.zeros(40)), Bounded.tensor(terms, profile)
    assert np.any(real != 0) or order in ("largest first", "smallest first")
    assert_within(real, exact, bounded.sum(axis=1), high_precision)
    assert_within(real, exact, np.vecdot(bounded, np.ones((40, 34))), high_precision)
    assert_within(real[:, None], exact[:, None], bounded @ np.ones((34, 1)), high_precision)
