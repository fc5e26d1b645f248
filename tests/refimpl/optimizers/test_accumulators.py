"""Adagrad, Adadelta, RMSprop, Rprop and ASGD: closed forms on a slope, what must follow, and what is refused."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
import torch

from refimpl.optimizers import ASGD, Adadelta, Adagrad, RMSprop, Rprop
from refimpl.types import Optimizer
from tests.refimpl.optimizers.accumulators import OPTIONS, Array, drawn, run

# -- closed forms ------------------------------------------------------------------------------------------------------

START = np.array([1.0, -2.0, 0.5])
SLOPE = np.array([0.3, -4.0, 1e-3])
"""A constant gradient."""
K = np.arange(1, 31)[:, None]


def constant(optimizer: Optimizer, key: str | None = None) -> Array:
    """The weights, or a state, after each of 30 steps with a constant gradient."""
    found = run(optimizer, START, np.broadcast_to(SLOPE, (30, 3)))
    return np.stack([param if key is None else state[key][0] for param, state in found])


def test_adagrad_descends_a_slope_by_the_roots_of_the_count() -> None:
    """Σg² = kg², so that each step is η/((1 + (k − 1)d)√k), whatever the slope."""
    np.testing.assert_allclose(constant(Adagrad(lr=0.1), "sum"), K * SLOPE**2, rtol=1e-14)
    for decay in (0.0, 0.3):
        expected = START - 0.1 * np.sign(SLOPE) * np.cumsum(1 / ((1 + decay * (K - 1)) * np.sqrt(K)), axis=0)
        np.testing.assert_allclose(constant(Adagrad(lr=0.1, lr_decay=decay, eps=0)), expected, rtol=1e-13, atol=1e-14)


def test_adagrad_starts_from_its_initial_sum() -> None:
    after = constant(Adagrad(lr=0.1, initial_accumulator_value=0.2, eps=0.01))[0]
    np.testing.assert_allclose(after, START - 0.1 * SLOPE / (np.sqrt(0.2 + SLOPE**2) + 0.01), rtol=1e-15)


def test_adadelta_begins_with_the_root_of_epsilon() -> None:
    """u = 0 at first, and v = (1 − ρᵏ)g² throughout."""
    optimizer = Adadelta(lr=0.5, rho=0.7, eps=0.01)
    first = np.sqrt(0.01) / np.sqrt(0.3 * SLOPE**2 + 0.01) * SLOPE
    np.testing.assert_allclose(constant(optimizer)[0], START - 0.5 * first, rtol=1e-14)
    np.testing.assert_allclose(constant(optimizer, "acc_delta")[0], 0.3 * first**2, rtol=1e-14)
    np.testing.assert_allclose(constant(optimizer, "square_avg"), (1 - 0.7**K) * SLOPE**2, rtol=1e-13)


def test_adadelta_is_in_the_units_of_the_parameter() -> None:
    """Weights and their first step in units of c give c times the same trajectory: g in 1/c, ε = 0."""
    rng = np.random.default_rng(3)
    gradients, unit = rng.standard_normal((6, 3)), 2.0**10
    step = rng.uniform(0.5, 1, (1, 3))
    state = {"step": np.array([1]), "square_avg": step, "acc_delta": step}
    scaled = {"step": np.array([1]), "square_avg": step / unit**2, "acc_delta": step * unit**2}
    optimizer, param, large = Adadelta(eps=0), START[None], START[None] * unit
    for gradient in gradients[:, None]:
        param, state = optimizer.step(param, gradient, state)
        large, scaled = optimizer.step(large, gradient / unit, scaled)
        assert np.array_equal(large, unit * param)


def test_rmsprop_descends_a_slope_by_the_correction_it_lacks() -> None:
    """v = (1 − αᵏ)g², so that each step is η/√(1 − αᵏ): the first is 1/√(1 − α) times too long."""
    expected = START - 0.1 * np.sign(SLOPE) * np.cumsum(1 / np.sqrt(1 - 0.9**K), axis=0)
    np.testing.assert_allclose(constant(RMSprop(lr=0.1, alpha=0.9, eps=0)), expected, rtol=1e-12, atol=1e-13)


def test_centered_rmsprop_divides_by_the_deviation() -> None:
    """v − m² = (1 − αᵏ)αᵏg² on a slope."""
    for optimizer in (
        RMSprop(lr=0.1, alpha=0.9, eps=0, centered=True),
        RMSprop(lr=0.1, alpha=0.3, eps=0, centered=True),
    ):
        a = optimizer.alpha
        np.testing.assert_allclose(constant(optimizer, "grad_avg"), (1 - a**K) * SLOPE, rtol=1e-13)
        expected = START - 0.1 * np.sign(SLOPE) * np.cumsum(1 / np.sqrt((1 - a**K) * a**K), axis=0)
        np.testing.assert_allclose(constant(optimizer)[:8], expected[:8], rtol=1e-9)  # later v − m² cancels


def test_rmsprops_momentum_is_a_geometric_series() -> None:
    """With α = 0 and ε = 0 each direction is sign(g), so that b = sign(g)(1 − μᵏ)/(1 − μ)."""
    optimizer = RMSprop(lr=0.1, alpha=0, eps=0, momentum=0.9)
    b = np.sign(SLOPE) * (1 - 0.9**K) / (1 - 0.9)
    np.testing.assert_allclose(constant(optimizer, "momentum_buffer"), b, rtol=1e-13)
    np.testing.assert_allclose(constant(optimizer), START - 0.1 * np.cumsum(b, axis=0), rtol=1e-12, atol=1e-13)


def test_rprop_grows_geometrically_on_a_slope_up_to_its_largest_step(rational: Any) -> None:
    """Exactly, in rationals: Δₖ = min(lr·η⁺ᵏ⁻¹, Δ_max)."""
    optimizer = rational.hyper(Rprop(lr=0.125, etas=(0.5, 1.25), step_sizes=(0.0, 0.75)))
    found = run(optimizer, rational.array(START), rational.array(np.broadcast_to(SLOPE, (12, 3))))
    steps = [min(Fraction(1, 8) * Fraction(5, 4) ** k, Fraction(3, 4)) for k in range(12)]
    assert steps[-1] == Fraction(3, 4)
    for k, (param, _) in enumerate(found):
        expected = [Fraction(w) - int(np.sign(g)) * sum(steps[: k + 1]) for w, g in zip(START, SLOPE, strict=True)]
        assert [number.value for number in param] == expected


def test_rprop_rests_after_a_turn_and_goes_on_with_the_smaller_step() -> None:
    """One weight, dyadic numbers: (gradient, Δ, sign of the step, p) in each step, worked out by hand."""
    by_hand = [
        (3.0, 0.5, 1, 3.0),  # the first Δ
        (1.0, 1.0, 1, 1.0),  # same sign: twice Δ
        (-2.0, 0.25, 0, 0.0),  # a turn: a quarter of Δ, no step, p forgotten
        (-2.0, 0.25, -1, -2.0),  # p = 0: Δ stays
        (0.0, 0.25, 0, 0.0),  # a gradient of 0: no step, Δ stays
        (-5.0, 0.25, -1, -5.0),
        (-5.0, 0.5, -1, -5.0),
        (1.0, 0.125, 0, 0.0),
        (1.0, 0.125, 1, 1.0),
        (-1.0, 0.125, 0, 0.0),  # a quarter of Δ, but at least Δ_min
    ]
    optimizer = Rprop(lr=0.5, etas=(0.25, 2.0), step_sizes=(0.125, 1.0))
    gradients = np.array([[[row[0]]] for row in by_hand])
    w = 1.0
    for (param, state), (_, size, sign, prev) in zip(run(optimizer, np.ones((1, 1)), gradients), by_hand, strict=True):
        w -= sign * size
        assert (param.item(), state["step_size"].item(), state["prev"].item()) == (w, size, prev)


def test_asgd_decays_by_lambd_alone_and_its_rate_falls() -> None:
    """Without a gradient w = w₀·Π(1 − lambd·ηⱼ), ηⱼ = lr/(1 + lambd·lr·(j − 1))^α; α = 1 makes it telescope."""
    optimizer = ASGD(lr=0.5, lambd=0.25, alpha=1.0)
    found = run(optimizer, START, np.zeros((30, 3)))
    rates = 0.5 / (1 + 0.125 * np.arange(31))
    for k, (param, state) in enumerate(found, 1):
        np.testing.assert_allclose(state["eta"], rates[k], rtol=1e-15)
        np.testing.assert_allclose(param, START * np.prod(1 - 0.25 * rates[:k]), rtol=1e-14)
        # 1 − 1/8·1/(1 + j/8) = (j + 7)/(j + 8), so that the product is 7/(k + 7)
        np.testing.assert_allclose(param, START * 7 / (k + 7), rtol=1e-14)


def test_asgd_without_weight_decay_never_multiplies_the_weight_by_it() -> None:
    """0 times infinity would be nan, and is where torch's foreach multiplies by lambd."""
    peer = torch.nn.Parameter(torch.tensor([torch.inf]))
    peer.grad = torch.ones(1)
    torch.optim.ASGD([peer], foreach=False).step()
    with np.errstate(invalid="ignore"):
        after, _ = ASGD().step(np.full((1, 1), np.inf), np.ones((1, 1)), {})
    assert after.item() == peer.item() == np.inf


def test_asgds_average_is_the_weight_itself_after_the_first_step() -> None:
    for start in (START, 1e-30 * START):
        ((param, state),) = run(ASGD(lr=1e-3), start, 1e-30 * SLOPE[None])
        assert np.array_equal(state["ax"][0], param)


def test_asgd_averages_from_two_steps_after_t0_on() -> None:
    """μ is made for the next step, so that the mean is over w_{t₀+2} … w_k; before that, a is w."""
    rng = np.random.default_rng(4)
    for t0 in (0.0, 3.0):
        found = run(ASGD(lr=0.1, lambd=0.1, t0=t0), START, rng.standard_normal((12, 3)))
        weights = np.stack([param for param, _ in found])
        for k, (_, state) in enumerate(found, 1):
            first = min(int(t0) + 2, k)
            np.testing.assert_allclose(state["ax"][0], weights[first - 1 : k].mean(axis=0), rtol=1e-13, atol=1e-15)
            assert state["mu"] == 1 / max(1, k - t0)


def test_asgds_change_of_rate_acts_one_step_late() -> None:
    gradient = np.ones((1, 3))
    param, state = ASGD(lr=0.5, lambd=0).step(START[None], gradient, {})
    once, state = ASGD(lr=0.125, lambd=0).step(param, gradient, state)
    assert np.array_equal(once, param - 0.5)
    twice, _ = ASGD(lr=0.125, lambd=0).step(once, gradient, state)
    assert np.array_equal(twice, once - 0.125)


@pytest.mark.parametrize("cls", OPTIONS)
def test_maximize_is_the_step_of_the_negated_gradient(cls: Any) -> None:
    """The decay is not negated."""
    gradients, start = drawn(5, 9)
    for options in OPTIONS[cls]:
        one = run(cls(**(options | {"maximize": True})), start, gradients)
        other = run(cls(**(options | {"maximize": False})), start, -gradients)
        for (param, state), (same, same_state) in zip(one, other, strict=True):
            assert np.array_equal(param, same)
            assert all(np.array_equal(state[key], same_state[key]) for key in state)


# -- refusals ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("etas", [(0.0, 1.2), (1.0, 1.2), (0.5, 1.0), (np.array([0.5, 1.5]), 1.2)])
def test_rprop_refuses_factors_that_do_not_shrink_and_grow(etas: Any) -> None:
    with pytest.raises(
        ValueError,
        match=rf"^etas: given {re.escape(repr(etas))}; allowed: a factor from 0 to 1 and one above 1; change etas$",
    ):
        Rprop(etas=etas)


@pytest.mark.parametrize(
    ("optimizer", "bad"),
    [
        (Adagrad(), {"lr_decay": -0.1}),
        (Adagrad(), {"initial_accumulator_value": -0.1}),
        (Adadelta(), {"rho": 1.1}),
        (RMSprop(), {"alpha": 1.0}),
        (RMSprop(), {"momentum": -0.1}),
        (Rprop(), {"step_sizes": (-0.1, 1.0)}),
        (ASGD(), {"t0": np.inf}),
        (ASGD(), {"lambd": -0.1}),
    ],
)
def test_a_number_outside_its_range_is_refused(optimizer: Any, bad: Mapping[str, Any]) -> None:
    (name,) = bad
    with pytest.raises(ValueError, match=f"^{name}: given .*; allowed: .*; change {name}$"):
        replace(optimizer, **bad)
