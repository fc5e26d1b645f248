"""Yogi, AdaBound, diffGrad and AdaMod: closed forms, Adam where they are it, and optax."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from refimpl.errors import ParameterError
from refimpl.optimizers import AdaBound, Adam, AdaMod, DiffGrad, Yogi
from tests.refimpl.optimizers.peers import assert_same_run, assert_steps_of_optax, material, moves, run

G = np.array([[3.0, -0.25]])
ZERO = np.zeros((1, 2))
COUPLED = [Yogi, AdaBound, DiffGrad]


@pytest.mark.every_case
@pytest.mark.parametrize("kind", COUPLED)
def test_the_decay_goes_beside_the_step_or_through_the_gradient(kind: Any) -> None:
    param, (gradient, *_) = material()
    bare, _ = kind(lr=0.5).step(param, gradient, {})
    beside, _ = kind(lr=0.5, weight_decay=0.5, decoupled_weight_decay=True).step(param, gradient, {})
    np.testing.assert_allclose(beside, bare - 0.25 * param, rtol=1e-13, atol=1e-15)
    through, state = kind(lr=0.5, weight_decay=0.5).step(param, gradient, {})
    asked, expected = kind(lr=0.5).step(param, gradient + 0.5 * param, {})
    assert np.array_equal(through, asked)
    assert all(np.array_equal(state[key], expected[key]) for key in expected)


# -- Yogi ------------------------------------------------------------------------------------------------------------


def test_yogis_second_moment_rises_and_falls_by_steps_of_one_size_and_stays_at_its_aim() -> None:
    yogi = Yogi(lr=0.1, betas=(0.9, 0.75), initial_accumulator=4.0)
    g = np.array([[4.0, 1.0, 2.0]])
    found = [state["exp_avg_sq"] for _, state in run(yogi, np.zeros((1, 3)), [g] * 3)]
    assert np.array_equal(found, [[[8.0, 3.75, 4.0]], [[12.0, 3.5, 4.0]], [[16.0, 3.25, 4.0]]])


def test_both_of_yogis_averages_begin_with_the_initial_accumulator() -> None:
    """m = β₁a + (1 − β₁)g and v = a + (1 − β₂)g², corrected by 1 − β, or not."""
    m, v = 0.8 * 0.01 + 0.2 * G, 0.01 + 0.1 * G * G
    numbers: dict[str, Any] = {"lr": 0.1, "betas": (0.8, 0.9), "eps": 0.5, "initial_accumulator": 0.01}
    corrected, _ = Yogi(**numbers).step(ZERO, G, {})
    np.testing.assert_allclose(corrected, -0.1 * (m / 0.2) / (np.sqrt(v / 0.1) + 0.5), rtol=1e-12)
    first, second = moves(Yogi(**numbers, bias_correction=False), ZERO, [G, ZERO])
    np.testing.assert_allclose(first, -0.1 * m / (np.sqrt(v) + 0.5), rtol=1e-12)
    np.testing.assert_allclose(second, 0.8 * first, rtol=1e-12)  # no gradient leaves v as it is


def test_yogis_corrections_are_adams() -> None:
    """From v = 0 both v become (1 − β₂)g²."""
    late = {"step": np.array([4]), "exp_avg": G, "exp_avg_sq": 0 * G}
    numbers: dict[str, Any] = {"lr": 0.1, "betas": (0.8, 0.9), "eps": 0.01}
    ours, peer = (rule.step(ZERO, 8 * G, late)[0] for rule in (Yogi(**numbers), Adam(**numbers)))
    np.testing.assert_allclose(ours, peer, rtol=1e-12)


# -- AdaBound --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("amsbound", [False, True])
def test_adabound_with_bounds_far_away_is_adam(amsbound: bool) -> None:
    param, gradients = material()
    gradients[10:] /= 8  # so that v falls, and its largest value is another one
    adabound = AdaBound(lr=0.1, betas=(0.8, 0.9), gamma=1e-15, eps=0.0, weight_decay=0.3, amsbound=amsbound)
    adam = Adam(lr=0.1, betas=(0.8, 0.9), eps=0.0, weight_decay=0.3, amsgrad=amsbound)
    for (ours, state), (peer, theirs) in zip(*(run(o, param, gradients) for o in (adabound, adam)), strict=True):
        np.testing.assert_allclose(ours, peer, rtol=1e-12, atol=1e-14)
        assert set(state) == set(theirs)


@pytest.mark.parametrize(("base_lr", "final"), [(0.0, 0.3), (0.4, 0.3 * 0.1 / 0.4)])
def test_adabound_with_closed_bounds_is_momentum_at_the_final_rate(base_lr: float, final: float) -> None:
    adabound = AdaBound(lr=0.1, betas=(0.8, 0.9), final_lr=0.3, gamma=1e15, base_lr=base_lr)
    found = moves(adabound, ZERO, [G] * 6)
    np.testing.assert_allclose(found, [-final * (1 - 0.8**t) * G for t in range(1, 7)], rtol=1e-12)


def test_adabounds_bounds_close_from_both_sides() -> None:
    """A huge and a tiny gradient: η/|g| is below and above what step t allows."""
    g = np.array([[1e9, 1e-9]])
    found = moves(AdaBound(lr=0.1, betas=(0.0, 0.9), final_lr=0.3, gamma=0.5), ZERO, [g] * 4)
    for t, move in enumerate(found, start=1):
        bounds = np.array([[1 - 1 / (0.5 * t + 1), 1 + 1 / (0.5 * t)]])
        np.testing.assert_allclose(move, -0.3 * bounds * g, rtol=1e-12)


def test_adabounds_epsilons_come_before_the_correction() -> None:
    adabound = AdaBound(lr=0.1, betas=(0.8, 0.9), gamma=1e-15, eps=0.25, eps_root=0.5)
    for t, move in enumerate(moves(adabound, ZERO, [G] * 5), start=1):
        c2 = 1 - 0.9**t
        np.testing.assert_allclose(move, -0.1 * np.sqrt(c2) * G / (np.sqrt(c2 * G * G + 0.5) + 0.25), rtol=1e-12)


def test_adabound_has_no_bounds_without_gamma_and_says_so() -> None:
    with pytest.raises(ParameterError, match=r"^gamma: given 0; allowed: a number above 0; for no bounds use adam$"):
        AdaBound(gamma=0.0)


# -- diffGrad --------------------------------------------------------------------------------------------------------


def test_diffgrads_step_is_adams_times_the_sigmoid_of_the_change() -> None:
    param, gradients = material()
    numbers: dict[str, Any] = {"lr": 0.1, "betas": (0.8, 0.9), "eps": 0.0}
    ours, adams = (moves(rule, np.zeros_like(param), gradients) for rule in (DiffGrad(**numbers), Adam(**numbers)))
    change = np.abs(np.diff(np.array([np.zeros_like(param), *gradients]), axis=0))
    np.testing.assert_allclose(ours / adams, np.exp(change) / (np.exp(change) + 1), rtol=1e-9)


def test_a_gradient_that_stays_moves_diffgrad_by_half() -> None:
    diffgrad = DiffGrad(lr=0.1, betas=(0.8, 0.9), eps=0.25, eps_root=0.5)
    for t, move in enumerate(moves(diffgrad, ZERO, [G] * 5), start=1):
        c2, share = 1 - 0.9**t, 0.5 if t > 1 else np.exp(np.abs(G)) / (np.exp(np.abs(G)) + 1)
        expected = -0.1 * share * np.sqrt(c2) * G / (np.sqrt(c2 * G * G + 0.5) + 0.25)
        np.testing.assert_allclose(move, expected, rtol=1e-12)


# -- AdaMod ----------------------------------------------------------------------------------------------------------


def test_adamods_rate_warms_up_with_its_average() -> None:
    """Without momentum a = η√c₂/(√c₂|g| + ε), which rises here, as its average does, which is below it."""
    found = moves(AdaMod(lr=0.1, betas=(0.0, 0.9, 0.8), eps=0.5), ZERO, [G] * 6)
    root = np.sqrt([1 - 0.9**t for t in range(1, 7)])[:, None, None]
    a = 0.1 * root / (root * np.abs(G) + 0.5)
    average = [sum(0.2 * 0.8 ** (t - i) * a[i] for i in range(t + 1)) for t in range(6)]
    np.testing.assert_allclose(found, -np.array(average) * G, rtol=1e-12)


def test_adamods_rate_falls_at_once_where_the_gradient_grows() -> None:
    """a₁ = η, s₁ = η/4; a₂ = η/8 is less than s₂ = ¾·η/4 + ¼·η/8."""
    found = moves(AdaMod(lr=0.1, betas=(0.0, 0.0, 0.75), eps=0.0), ZERO, [np.sign(G), 8 * np.sign(G)])
    np.testing.assert_allclose(found, -0.1 * np.array([0.25 * np.sign(G), np.sign(G)]), rtol=1e-12)


def test_adamod_with_an_average_of_one_step_is_adam() -> None:
    numbers: dict[str, Any] = {"lr": 0.1, "eps": 0.0}
    assert_same_run(AdaMod(betas=(0.8, 0.9, 0.0), **numbers), Adam(betas=(0.8, 0.9), **numbers), *material())


def test_adamod_decays_beside_the_step() -> None:
    param, (gradient, *_) = material()
    bare, _ = AdaMod(lr=0.5).step(param, gradient, {})
    beside, _ = AdaMod(lr=0.5, weight_decay=0.5).step(param, gradient, {})
    np.testing.assert_allclose(beside, bare - 0.25 * param, rtol=1e-13, atol=1e-15)


# -- optax -----------------------------------------------------------------------------------------------------------


def test_yogis_steps_are_optaxs() -> None:
    import optax  # takes a second

    ours = Yogi(lr=0.1, betas=(0.8, 0.9), eps=0.01)
    assert_steps_of_optax(lambda: optax.yogi(0.1, b1=0.8, b2=0.9, eps=0.01), ours, *material())
