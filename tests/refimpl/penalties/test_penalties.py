"""Every penalty of the registry is held to its definition: curvature, subgradient, proximal operator, optimality.

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
from refimpl.penalties import Norm, SubtractedL1
from refimpl.ranges import number_fields
from refimpl.reductions import total

Array = npt.NDArray[Any]
NUMBERS = st.floats(-1e3, 1e3).map(lambda x: x if abs(x) > 1e-100 else 0.0)  # the square of a smaller one underflows
ELEMENTS = st.one_of(st.just(0.0), st.sampled_from([0.07, -0.7, 1.0]), NUMBERS)  # kinks
WEIGHTS = hnp.arrays(np.float64, (2, 1, 3), elements=ELEMENTS)  # (runs, 1, p)
STEPS = st.sampled_from([1e-3, 0.1, 1.0, 20.0])
FLOAT64 = Profile(compute=FORMATS["float64"], accumulate=FORMATS["float64"])
WHOLE = (Norm,)
"""Penalties of the parameter as a whole; all others are sums over its elements."""
CONCAVE = (SubtractedL1,)
"""What holds for the other, convex ones holds for these with the inequality turned."""


def with_each_moved(penalty: Any, w: Array, by: Any) -> Array:
    """Ω of its run with one element of w moved, for each element."""
    found = np.empty(w.shape, w.dtype)
    for index in np.ndindex(w.shape):
        moved = w.copy()
        moved[index] = moved[index] + by
        found[index] = penalty.value(moved)[index[0]]
    return found


@pytest.mark.every_case
@given(w=WEIGHTS, share=st.floats(0, 1), other=WEIGHTS)
@settings(max_examples=25)
def test_the_value_is_0_at_0_and_convex_or_concave(any_penalty: Any, w: Array, other: Array, share: float) -> None:
    assert any_penalty.value(np.zeros((1, 1, 3))).tolist() == [0.0]
    between = any_penalty.value(share * w + (1 - share) * other)
    chord = share * any_penalty.value(w) + (1 - share) * any_penalty.value(other)
    slack = between - chord if isinstance(any_penalty, CONCAVE) else chord - between
    assert np.all(slack >= -1e-14 * np.abs(chord) - 1e-320)  # a product with a tiny share underflows


@pytest.mark.every_case
@given(w=WEIGHTS)
@settings(max_examples=25)
def test_the_value_is_a_sum_over_the_elements_or_the_same_in_every_rotation(any_penalty: Any, w: Array) -> None:
    if isinstance(any_penalty, WHOLE):
        rotation, _ = np.linalg.qr(np.random.default_rng(0).standard_normal((3, 3)))
        np.testing.assert_allclose(any_penalty.value(w @ rotation), any_penalty.value(w), rtol=1e-14)
    else:
        each = any_penalty.value(w.reshape(-1, 1)).reshape(w.shape)
        np.testing.assert_allclose(each.sum(axis=(1, 2)), any_penalty.value(w), rtol=1e-14)


@pytest.mark.every_case
@given(w=WEIGHTS, other=WEIGHTS)
@settings(max_examples=25)
def test_the_subgradient_supports_the_value_from_below_or_above(
    any_penalty: Any, high_precision: Any, w: Array, other: Array
) -> None:
    penalty = high_precision.hyper(any_penalty)
    w, other = high_precision.array(w), high_precision.array(other)
    slack = penalty.value(other) - penalty.value(w) - total(penalty.subgradient(w) * (other - w))
    assert np.all((-slack if isinstance(any_penalty, CONCAVE) else slack) >= -1e-40)


@pytest.mark.every_case
@given(w=WEIGHTS)
@settings(max_examples=25)
def test_the_subgradient_is_the_derivative_where_there_is_one(any_penalty: Any, high_precision: Any, w: Array) -> None:
    penalty, exact_w = high_precision.hyper(any_penalty), high_precision.array(w)
    h = high_precision.number("1e-20")
    slope = (with_each_moved(penalty, exact_w, h) - with_each_moved(penalty, exact_w, -h)) / (2 * h)
    found = any_penalty.subgradient(w)
    assert found.shape == w.shape
    smooth = np.abs(w) > 1e-10
    assert np.all(np.abs(found - slope)[smooth] <= 1e-15 * np.abs(slope)[smooth] + 1e-25)


def test_the_subgradient_at_0_is_0(every_penalty: dict[str, Any]) -> None:
    for label, penalty in every_penalty.items():
        assert penalty.subgradient(np.zeros((1, 1, 2))).tolist() == [[[0.0, 0.0]]], label


@pytest.mark.every_case
@given(w=WEIGHTS, step=STEPS)
@settings(max_examples=6)
def test_prox_is_the_minimiser_that_defines_it(any_penalty: Any, high_precision: Any, w: Array, step: float) -> None:
    """F(v) = ½‖v − w‖² + tΩ(v); where Ω is convex, v̂ is its minimiser just where F(v) ≥ F(v̂) + ½‖v − v̂‖² for all v."""
    penalty, exact_w, t = high_precision.hyper(any_penalty), high_precision.array(w), high_precision.number(step)

    def objective(v: Array) -> Array:
        return total((v - exact_w) ** 2) / 2 + t * penalty.value(v)

    found = penalty.prox(exact_w, t)
    elements = [*np.eye(3)[:, None], np.ones((1, 3))]  # one moved, or all of them
    sizes = [sign * high_precision.number(10) ** k for k in range(-15, 4, 3) for sign in (-1, 1)]
    for v in [*(found + size * which for size in sizes for which in elements), exact_w, 0 * exact_w]:
        margin = 0 if isinstance(any_penalty, CONCAVE) else total((v - found) ** 2) / 2
        assert np.all(objective(v) - objective(found) >= margin - 1e-36)
    assert np.all(np.abs(any_penalty.prox(w, step) - found) <= 1e-15 * (np.abs(w) + 20))


@pytest.mark.every_case
@given(w=WEIGHTS, step=STEPS)
@settings(max_examples=25)
def test_prox_meets_its_optimality_condition(any_penalty: Any, high_precision: Any, w: Array, step: float) -> None:
    """(w − prox)/t ∈ ∂Ω(prox)."""
    penalty, exact_w, t = high_precision.hyper(any_penalty), high_precision.array(w), high_precision.number(step)
    prox = penalty.prox(exact_w, t)
    assert np.all(penalty.distance(prox, (prox - exact_w) / t) <= 1e-40)


@pytest.mark.every_case
@given(w=WEIGHTS, other=WEIGHTS, step=STEPS)
@settings(max_examples=25)
def test_prox_is_firmly_non_expansive_or_where_the_penalty_is_concave_brings_nothing_closer(
    any_penalty: Any, high_precision: Any, w: Array, other: Array, step: float
) -> None:
    penalty, t = high_precision.hyper(any_penalty), high_precision.number(step)
    w, other = high_precision.array(w), high_precision.array(other)
    moved = penalty.prox(w, t) - penalty.prox(other, t)
    if isinstance(any_penalty, CONCAVE):
        assert np.all(moved**2 >= (w - other) ** 2 - 1e-40)
    else:
        assert np.all(total(moved**2) <= total(moved * (w - other)) + 1e-40)


@pytest.mark.every_case
@given(w=WEIGHTS)
@settings(max_examples=25)
def test_prox_with_step_0_changes_nothing(any_penalty: Any, w: Array) -> None:
    assert np.array_equal(any_penalty.prox(w, 0.0), w)


@pytest.mark.every_case
@given(w=WEIGHTS, g=WEIGHTS)
@settings(max_examples=25)
def test_distance_is_that_of_minus_g_to_the_slopes(any_penalty: Any, high_precision: Any, w: Array, g: Array) -> None:
    """∂Ω(w) is the interval [Ω′₋(w), Ω′₊(w)] of the one-sided derivatives; of a concave kink, its two ends."""
    penalty, exact_w = high_precision.hyper(any_penalty), high_precision.array(w)
    h = high_precision.number("1e-22")
    here = with_each_moved(penalty, exact_w, 0)
    below = (here - with_each_moved(penalty, exact_w, -h)) / h
    above = (with_each_moved(penalty, exact_w, h) - here) / h
    if isinstance(any_penalty, CONCAVE):
        expected = np.minimum(np.abs(below + g), np.abs(above + g))
    else:
        expected = np.maximum(np.maximum(below - -g, -g - above), 0)
    usable = (w == 0) | (np.abs(w) > 1e-20)
    if isinstance(any_penalty, WHOLE):  # with every element 0 the slopes are a ball: see test_values.py
        usable = np.broadcast_to(np.linalg.norm(w, axis=(1, 2), keepdims=True) > 1e-2, w.shape)
    found = any_penalty.distance(w, g)
    assert np.all(np.abs(found - expected)[usable] <= 1e-15 * (np.abs(g) + np.abs(below))[usable] + 1e-20)


@pytest.mark.every_case
@given(w=WEIGHTS)
@settings(max_examples=25)
def test_distance_is_0_for_the_penaltys_own_subgradient(any_penalty: Any, w: Array) -> None:
    distance = any_penalty.distance(w, -any_penalty.subgradient(w))
    hill = (w == 0) & isinstance(any_penalty, CONCAVE)  # the stated subgradient 0 is none of its slopes
    assert np.all(distance[~hill] <= 1e-15 * np.abs(w)[~hill])


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


@pytest.mark.every_case
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


def test_the_inputs_stay_as_they_are(every_penalty: dict[str, Any]) -> None:
    w, g = np.random.default_rng(0).standard_normal((2, 2, 1, 3))
    w[0, 0, 0] = 0
    before = w.copy(), g.copy()
    for label, penalty in every_penalty.items():
        penalty.value(w), penalty.subgradient(w), penalty.prox(w, 0.1), penalty.distance(w, g)
        assert np.array_equal(w, before[0]) and np.array_equal(g, before[1]), label


@pytest.mark.every_case
def test_a_strength_outside_its_range_is_refused(any_penalty: Any) -> None:
    for name in number_fields(type(any_penalty)):
        for bad in (-1.0, np.nan, np.inf, True, "1", np.array([0.1, -0.1]), np.float32(-1)):
            with pytest.raises(ValueError, match=rf"^{name}: given .*; allowed: a finite number ≥ 0; change {name}$"):
                replace(any_penalty, **{name: bad})


def test_the_weight_alone_is_penalised_unless_told_otherwise(every_penalty: dict[str, Any]) -> None:
    assert all(penalty.parameters == ("weight",) for penalty in every_penalty.values())
