"""Numbers that a framework keeps in less precision, and forms that are equal but for rounding."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from refimpl.arithmetic.bounded import Bounded, Profile
from refimpl.arithmetic.formats import FORMATS
from refimpl.arithmetic.kernels import by_way_of, either, fused, kept, product_with_bias

DOUBLE = Profile(compute=FORMATS["float64"], accumulate=FORMATS["float64"])


def rate(lr: Any, decay: Any, power: Any) -> Any:
    return 1 / (1 + decay * lr * 7) ** power * lr


def in_float32(lr: float, decay: float, power: float) -> np.float32:
    """Every operation in float32, as on a tensor of that dtype."""
    one, lr32 = np.float32(1), np.float32(lr)
    base = one + np.float32(decay * lr) * np.float32(7)
    return one / base ** np.float32(power) * lr32


def test_a_kept_number_may_be_computed_in_its_format_or_in_better(high_precision: Any) -> None:
    """Within the bound whichever it is, and the bound is near."""
    used = []
    for numbers in np.random.default_rng(0).uniform(0.01, 1, (200, 3)):
        found = kept("float32", rate, *(Bounded.hyper(number, DOUBLE) for number in numbers))
        true = rate(*map(high_precision.number, numbers))
        error = high_precision.number(float(found.error))
        for computed in (in_float32(*numbers), np.float32(rate(*numbers)), rate(*numbers)):
            used.append(float(abs(high_precision.number(float(computed)) - true) / error))
    assert 0.1 <= max(used) <= 1


def test_a_kept_number_is_a_scalar_of_the_profile_it_came_from() -> None:
    found = kept("float32", lambda lr: lr, Bounded.hyper(0.1, DOUBLE))
    assert found.scalar and found.profile == DOUBLE
    assert found.error == abs(np.longdouble(0.1) - np.longdouble(np.float32(0.1)))  # its rounding is known exactly
    uncertain = Bounded(0.1, 1e-12, DOUBLE, scalar=True)
    assert kept("float32", lambda lr: lr, uncertain).error >= 1e-12 + 0.1 * 2.0**-24  # and here it is not


def test_what_is_no_better_than_the_format_anyway_keeps_its_bound() -> None:
    profile = replace(DOUBLE, scalar=FORMATS["float32"])
    numbers = [Bounded.hyper(number, profile) for number in (0.1, 0.3, 0.7)]
    assert kept("float32", rate, *numbers).error == rate(*numbers).error


def test_plain_numbers_go_through_the_formula_alone() -> None:
    assert kept("float32", rate, 0.1, 0.3, 0.7) == rate(0.1, 0.3, 0.7)
    assert kept("float32", lambda lr: lr, 0) == 0
    assert either(1.0, 2.0) == 1.0


def test_either_form_is_within_the_bound() -> None:
    w, eta, g = (Bounded.tensor(np.random.default_rng(seed).standard_normal(50), DOUBLE) for seed in range(3))
    decayed, joined = w * (1 - 3 * eta) - eta * g, w - eta * (g + 3 * w)
    both = either(decayed, joined)
    assert np.array_equal(both.value, decayed.value)
    for form in (decayed, joined):
        assert np.all(both.value + both.error >= form.value + form.error)
        assert np.all(both.value - both.error <= form.value - form.error)
    wider = np.maximum(decayed.error, joined.error + np.abs(decayed.value - joined.value))
    assert np.array_equal(both.error, wider)


def test_by_way_of_parts_that_cancel_the_roundings_of_the_parts_are_admitted_and_little_else() -> None:
    """(x − m)a as ``xa − ma``, in float32: within the bound, which without the parts it is not."""
    profile = Profile(compute=FORMATS["float32"], accumulate=FORMATS["float32"])
    rng = np.random.default_rng(0)
    x, m, a = ((low + rng.random(2000)).astype(np.float32) for low in (1000, 1000, 1))
    expanded = (x * a - m * a).astype(float)
    X, M, A = (Bounded.tensor(each, profile) for each in (x, m, a))
    direct: Any = (X - M) * A
    bound: Any = by_way_of(direct, X * A, M * A)
    error = np.abs(expanded - bound.value)
    assert np.any(error > direct.error)
    assert 0.4 < np.max(error / bound.error) <= 1
    assert by_way_of(x, x, m) is x


def test_a_bias_may_be_where_the_sums_of_a_product_begin_or_added_at_the_end(high_precision: Any) -> None:
    """In float32, with a bias that is large against the product: both are within the bound, and it is near."""
    profile, rng = Profile(compute=FORMATS["float32"], accumulate=FORMATS["float32"]), np.random.default_rng(0)
    A, B, bias = (rng.standard_normal(shape).astype(np.float32) for shape in ((300, 4), (4, 3), 3))
    bias = np.float32(100) * bias
    begun, added = np.broadcast_to(bias, (300, 3)), np.zeros((300, 3), np.float32)
    for i in range(4):
        begun, added = begun + A[:, i, None] * B[i], added + A[:, i, None] * B[i]
    bound = product_with_bias(*(Bounded.tensor(x, profile) for x in (A, B, bias)))
    truth = product_with_bias(*(high_precision.array(x) for x in (A, B, bias)))
    share = np.abs(high_precision.array(begun) - truth) / high_precision.array(bound.error)
    assert 0.2 < np.max(share) <= 1
    assert np.all(np.abs(high_precision.array(added + bias) - truth) <= high_precision.array(bound.error))
    plain: Any = Bounded.tensor(A, profile) @ Bounded.tensor(B, profile) + Bounded.tensor(bias, profile)
    assert np.any(np.abs(begun - plain.value) > plain.error)


def test_a_bias_is_rounded_as_the_operands_of_its_product_are() -> None:
    profile = Profile(compute=FORMATS["float32"], accumulate=FORMATS["float32"], operands=FORMATS["bfloat16"])
    zeros, third = Bounded.tensor(np.zeros((1, 1)), profile), Bounded.tensor(np.full(1, 1 / 3), profile)
    assert product_with_bias(zeros, zeros, third).error > 2.0**-12


def test_a_fused_kernel_takes_and_gives_mappings_and_tuples_and_keeps_hyper_parameters_exact() -> None:
    profile = Profile(compute=FORMATS["bfloat16"], accumulate=FORMATS["float32"])
    x: Any = Bounded.tensor(np.array([0.5, 1.5]), profile)
    eps = Bounded.hyper(1e-5, profile)
    inside: list[Any] = []

    def formula(x: Any, params: Any, eps: Any) -> Any:
        inside.append((x.format.name, params["w"].format.name, eps.scalar, (x + eps).error.max()))
        return x * params["w"], {"twice": 2 * x}

    product, named = fused(formula, x, {"w": x}, eps)
    assert product.profile is named["twice"].profile is profile
    (of_x, of_w, scalar, error) = inside[0]
    assert (of_x, of_w, scalar) == ("float32", "float32", True) and error < 2.0**-22
    assert fused(lambda x, y: (x, y), 1, 2) == (1, 2)
