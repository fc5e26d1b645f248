"""Every penalty of the registry is held to its definition: convexity, subgradient, proximal operator, optimality.

The value is the one thing taken for granted here (``test_values.py`` checks it against torch); everything else must
follow from it.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from refimpl.arithmetic.bounded import Bounded, Profile
from refimpl.arithmetic.formats import FORMATS
from refimpl.arithmetic.lift import align, lift
from refimpl.types import number_fields

Array = npt.NDArray[Any]
ELEMENTS = st.one_of(
    st.just(0.0), st.sampled_from([0.07, -0.7, 1.0]), st.floats(-1e3, 1e3, allow_subnormal=False)
)  # kinks
WEIGHTS = hnp.arrays(np.float64, (2, 1, 3), elements=ELEMENTS)  # (runs, 1, p)
STEPS = st.sampled_from([1e-3, 0.1, 1.0, 20.0])
FLOAT64 = Profile(compute=FORMATS["float64"], accumulate=FORMATS["float64"])


def each(penalty: Any, w: Array) -> Array:
    """Ω of every element by itself: the penalties are separable."""
    return penalty.value(w.reshape(-1, 1)).reshape(w.shape)


@given(w=WEIGHTS, share=st.floats(0, 1), other=WEIGHTS)
def test_the_value_is_convex_separable_and_0_at_0(any_penalty: Any, w: Array, other: Array, share: float) -> None:
    assert any_penalty.value(np.zeros((1, 1, 3))).tolist() == [0.0]
    np.testing.assert_allclose(each(any_penalty, w).sum(axis=(1, 2)), any_penalty.value(w), rtol=1e-14)
    between = any_penalty.value(share * w + (1 - share) * other)
    chord = share * any_penalty.value(w) + (1 - share) * any_penalty.value(other)
    assert np.all(between <= chord * (1 + 1e-14) + 1e-320)  # a product with a tiny share underflows


@given(w=WEIGHTS, other=WEIGHTS)
@settings(max_examples=25)
def test_the_subgradient_supports_the_value_from_below(
    any_penalty: Any, high_precision: Any, w: Array, other: Array
) -> None:
    penalty = high_precision.hyper(any_penalty)
    w, other = high_precision.array(w), high_precision.array(other)
    slack = each(penalty, other) - each(penalty, w) - penalty.subgradient(w) * (other - w)
    assert np.all(slack >= -1e-40)


@given(w=WEIGHTS)
@settings(max_examples=25)
def test_the_subgradient_is_the_derivative_where_there_is_one(any_penalty: Any, high_precision: Any, w: Array) -> None:
    penalty, exact_w = high_precision.hyper(any_penalty), high_precision.array(w)
    h = high_precision.number("1e-20")
    slope = (each(penalty, exact_w + h) - each(penalty, exact_w - h)) / (2 * h)
    found = any_penalty.subgradient(w)
    assert found.shape == w.shape
    smooth = np.abs(w) > 1e-19
    assert np.all(np.abs(found - slope)[smooth] <= 1e-15 * np.abs(slope)[smooth])


def test_the_subgradient_at_0_is_0(any_penalty: Any) -> None:
    assert any_penalty.subgradient(np.zeros((1, 1, 2))).tolist() == [[[0.0, 0.0]]]


@given(w=WEIGHTS, step=STEPS)
@settings(max_examples=25)
def test_prox_is_the_minimiser_that_defines_it(any_penalty: Any, high_precision: Any, w: Array, step: float) -> None:
    """F(v) = ½(v − w)² + tΩ(v) is strongly convex: v̂ is its minimiser just where F(v) ≥ F(v̂) + ½(v − v̂)² for all v."""
    penalty, exact_w, t = high_precision.hyper(any_penalty), high_precision.array(w), high_precision.number(step)

    def objective(v: Array) -> Array:
        return (v - exact_w) ** 2 / 2 + t * each(penalty, v)

    found = penalty.prox(exact_w, t)
    near = [found + sign * high_precision.number(10) ** k for k in range(-15, 4) for sign in (-1, 1)]
    for v in [*near, exact_w, 0 * exact_w]:
        assert np.all(objective(v) - objective(found) >= (v - found) ** 2 / 2 - 1e-36)
    assert np.all(np.abs(any_penalty.prox(w, step) - found) <= 1e-15 * (np.abs(w) + 20))


@given(w=WEIGHTS, step=STEPS)
@settings(max_examples=25)
def test_prox_meets_its_optimality_condition(any_penalty: Any, high_precision: Any, w: Array, step: float) -> None:
    """(w − prox)/t ∈ ∂Ω(prox)."""
    penalty, exact_w, t = high_precision.hyper(any_penalty), high_precision.array(w), high_precision.number(step)
    prox = penalty.prox(exact_w, t)
    assert np.all(penalty.distance(prox, (prox - exact_w) / t) <= 1e-40)


@given(w=WEIGHTS, other=WEIGHTS, step=STEPS)
@settings(max_examples=25)
def test_prox_is_firmly_non_expansive(
    any_penalty: Any, high_precision: Any, w: Array, other: Array, step: float
) -> None:
    penalty, t = high_precision.hyper(any_penalty), high_precision.number(step)
    w, other = high_precision.array(w), high_precision.array(other)
    moved = penalty.prox(w, t) - penalty.prox(other, t)
    assert np.all(moved**2 <= moved * (w - other) + 1e-40)


@given(w=WEIGHTS)
def test_prox_with_step_0_changes_nothing(any_penalty: Any, w: Array) -> None:
    assert np.array_equal(any_penalty.prox(w, 0.0), w)


@given(w=WEIGHTS, g=WEIGHTS)
@settings(max_examples=25)
def test_distance_is_that_of_minus_g_to_the_interval_of_slopes(
    any_penalty: Any, high_precision: Any, w: Array, g: Array
) -> None:
    """∂Ω(w) = [Ω′₋(w), Ω′₊(w)], the one-sided derivatives."""
    penalty, exact_w = high_precision.hyper(any_penalty), high_precision.array(w)
    h = high_precision.number("1e-22")
    below = (each(penalty, exact_w) - each(penalty, exact_w - h)) / h
    above = (each(penalty, exact_w + h) - each(penalty, exact_w)) / h
    expected = np.maximum(np.maximum(below - -g, -g - above), 0)
    usable = (w == 0) | (np.abs(w) > 1e-20)
    found = any_penalty.distance(w, g)
    assert np.all(np.abs(found - expected)[usable] <= 1e-15 * (np.abs(g) + np.abs(below))[usable] + 1e-20)


@given(w=WEIGHTS)
def test_distance_is_0_for_the_penaltys_own_subgradient(any_penalty: Any, w: Array) -> None:
    assert np.all(any_penalty.distance(w, -any_penalty.subgradient(w)) <= 1e-15 * np.abs(w))


@pytest.mark.parametrize("function", ["value", "subgradient", "prox", "distance"])
@given(pair=hnp.arrays(np.float64, (2, 2, 1, 3), elements=ELEMENTS))
@settings(max_examples=20)
def test_every_arithmetic_gives_the_same(
    any_penalty: Any, high_precision: Any, long_double: Any, rational: Any, function: str, pair: Array
) -> None:
    w, g = pair
    extra = {"prox": [0.25], "distance": [g]}.get(function, [])
    plain = getattr(any_penalty, function)(w, *extra)
    expected = call(high_precision, any_penalty, function, w, extra)
    arithmetics = [long_double] + ([rational] if rational.allows(any_penalty) else [])
    for arithmetic in arithmetics:
        result = call(arithmetic, any_penalty, function, w, extra)
        assert np.all(np.abs(result.astype(float) - plain) <= 2e-15 * (np.abs(w).max() ** 2 + np.abs(g).max() + 1))
    bounded_extra = [Bounded.tensor(x, FLOAT64) if isinstance(x, np.ndarray) else x for x in extra]
    penalty = lift(any_penalty, lambda number: Bounded.hyper(number, FLOAT64))
    bounded = getattr(penalty, function)(Bounded.tensor(w, FLOAT64), *bounded_extra)
    assert np.all(np.abs(high_precision.array(plain) - expected) <= high_precision.array(bounded.error))


def call(arithmetic: Any, penalty: Any, function: str, w: Array, extra: list[Any]) -> Array:
    lifted = [arithmetic.array(x) if isinstance(x, np.ndarray) else arithmetic.array(np.array(x)).item() for x in extra]
    found: Array = getattr(arithmetic.hyper(penalty), function)(arithmetic.array(w), *lifted)
    return found


def test_one_strength_per_run_is_each_run_by_itself(any_penalty: Any) -> None:
    w, g = np.random.default_rng(0).standard_normal((2, 3, 1, 4))
    factors = np.array([0.0, 1.0, 2.5])
    names = list(number_fields(type(any_penalty)))
    batch = replace(any_penalty, **{name: getattr(any_penalty, name) * factors for name in names})
    for run, factor in enumerate(factors):
        alone = replace(any_penalty, **{name: getattr(any_penalty, name) * factor for name in names})
        one = slice(run, run + 1)
        assert np.array_equal(batch.value(w)[one], alone.value(w[one]))
        assert np.array_equal(align(batch, 3).subgradient(w)[one], alone.subgradient(w[one]))
        assert np.array_equal(align(batch, 3).prox(w, 0.1)[one], alone.prox(w[one], 0.1))
        assert np.array_equal(align(batch, 3).distance(w, g)[one], alone.distance(w[one], g[one]))


def test_the_inputs_stay_as_they_are(any_penalty: Any) -> None:
    w, g = np.random.default_rng(0).standard_normal((2, 2, 1, 3))
    w[0, 0, 0] = 0
    before = w.copy(), g.copy()
    any_penalty.value(w), any_penalty.subgradient(w), any_penalty.prox(w, 0.1), any_penalty.distance(w, g)
    assert np.array_equal(w, before[0]) and np.array_equal(g, before[1])


@pytest.mark.parametrize("bad", [-1.0, np.nan, np.inf, True, "1", np.array([0.1, -0.1]), np.float32(-1)])
def test_a_strength_outside_its_range_is_refused(any_penalty: Any, bad: Any) -> None:
    for name in number_fields(type(any_penalty)):
        with pytest.raises(ValueError, match=rf"^{name}: given .*; allowed: a finite number ≥ 0; change {name}$"):
            replace(any_penalty, **{name: bad})


def test_the_weight_alone_is_penalised_unless_told_otherwise(any_penalty: Any) -> None:
    assert any_penalty.parameters == ("weight",)
