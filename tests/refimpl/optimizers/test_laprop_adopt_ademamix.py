"""LaProp, ADOPT and AdEMAMix: closed forms for constant gradients and impulses, Adam where they are it, and optax."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from refimpl.optimizers import ADOPT, Adam, AdamW, AdEMAMix, LaProp
from tests.refimpl.optimizers.peers import assert_same_run, assert_steps_of_optax, material, moves, run

G = np.array([[3.0, -0.25]])
ZERO = np.zeros((1, 2))

# -- LaProp ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("lr_in_buffer", [False, True])
def test_laprop_on_a_constant_gradient_steps_by_the_normalised_gradient(lr_in_buffer: bool) -> None:
    """v/c₂ = g², so that every u is g/(|g| + ε), and so is their corrected average."""
    laprop = LaProp(lr=0.1, betas=(0.8, 0.9), eps=0.01, lr_in_buffer=lr_in_buffer)
    np.testing.assert_allclose(moves(laprop, ZERO, [G] * 10), [-0.1 * G / (np.abs(G) + 0.01)] * 10, rtol=1e-12)


def test_laprops_second_epsilon_is_in_the_root_before_the_correction() -> None:
    laprop = LaProp(lr=0.1, betas=(0.0, 0.9), eps=0.01, eps_root=0.5)
    for t, move in enumerate(moves(laprop, ZERO, [G] * 5), start=1):
        correction = 1 - 0.9**t
        np.testing.assert_allclose(move, -0.1 * G / (np.sqrt(G * G + 0.5 / correction) + 0.01), rtol=1e-12)


def test_an_impulse_leaves_laprop_at_once_and_its_step_fades_with_beta1() -> None:
    """Adam's √v would shrink under it: here u is 0 as soon as g is."""
    found = moves(LaProp(lr=0.1, betas=(0.8, 0.9), eps=0.0), ZERO, [G, *[ZERO] * 6])
    expected = [-0.1 * np.sign(G) * 0.2 * 0.8**k / (1 - 0.8 ** (k + 1)) for k in range(7)]
    np.testing.assert_allclose(found, expected, rtol=1e-12)


def test_laprop_without_momentum_is_adam_without_momentum() -> None:
    assert_same_run(LaProp(lr=0.1, betas=(0.0, 0.9), eps=0.01), Adam(lr=0.1, betas=(0.0, 0.9), eps=0.01), *material())


def test_laprops_rate_in_the_buffer_is_the_one_at_which_a_gradient_came() -> None:
    """η₁ = 0.1 with a gradient, η₂ = 0.3 without: m = β₁(1 − β₁)η₁u and c = (1 − β₁)(β₁η₁ + η₂)."""
    laprop = LaProp(lr=0.1, betas=(0.8, 0.9), eps=0.0)
    shares = {True: 0.8 * 0.1 / (0.8 * 0.1 + 0.3), False: 0.8 / (0.8 + 1)}
    for lr_in_buffer, share in shares.items():
        first = replace(laprop, lr_in_buffer=lr_in_buffer)
        param, state = first.step(ZERO, G, {})
        after, _ = replace(first, lr=0.3).step(param, ZERO, state)
        np.testing.assert_allclose(after - param, -0.3 * share * np.sign(G), rtol=1e-12)


def test_laprop_decays_what_it_stepped_to() -> None:
    param, (gradient, *_) = material()
    bare, _ = LaProp(lr=0.5).step(param, gradient, {})
    decayed, _ = LaProp(lr=0.5, weight_decay=0.4).step(param, gradient, {})
    np.testing.assert_allclose(decayed, 0.8 * bare, rtol=1e-14)


# -- ADOPT -----------------------------------------------------------------------------------------------------------


def test_adopts_first_step_only_begins_the_second_moment() -> None:
    param, (gradient, *_) = material()
    gradient[0, 0, 0] = 0
    after, state = ADOPT(lr=0.1, weight_decay=0.5, decoupled_weight_decay=True).step(param, gradient, {})
    assert np.array_equal(after, param) and not state["exp_avg"].any()
    assert np.array_equal(state["exp_avg_sq"], gradient * gradient)
    after, state = ADOPT(lr=0.1, weight_decay=0.5).step(param, gradient, {})
    assert np.array_equal(after, param)
    np.testing.assert_allclose(state["exp_avg_sq"], (gradient + 0.5 * param) ** 2, rtol=1e-14)


def test_adopt_on_a_constant_gradient_moves_by_an_average_that_fills() -> None:
    found = moves(ADOPT(lr=0.1, betas=(0.8, 0.9)), ZERO, [G] * 8)
    np.testing.assert_allclose(found, [-0.1 * np.sign(G) * (1 - 0.8**k) for k in range(8)], rtol=1e-12, atol=0)


@pytest.mark.parametrize(
    ("options", "largest"),
    [({}, 1), ({"clip": "steps"}, 2**0.25), ({"clip": "steps", "clip_exponent": 1.0}, 2)],
)
def test_a_gradient_is_divided_by_the_one_before_and_clipped(options: dict[str, Any], largest: float) -> None:
    first, second = np.array([[2.0, -1.0, 0.5, 0.5, 1.0]]), np.array([[1.0, 1.25, 5.0, -5.0, 0.0]])
    ratio = np.array([[0.5, 1.25, 10.0, -10.0, 0.0]])
    param = np.zeros((1, 5))
    whole = moves(ADOPT(lr=0.1, betas=(0.8, 0.9), clip="none"), param, [first, second])
    np.testing.assert_allclose(whole[1], -0.1 * 0.2 * ratio, rtol=1e-12)
    clipped = moves(ADOPT(lr=0.1, betas=(0.8, 0.9), **options), param, [first, second])
    np.testing.assert_allclose(clipped[1], -0.1 * 0.2 * np.clip(ratio, -largest, largest), rtol=1e-12)


def test_adopts_clip_widens_with_the_moves() -> None:
    """Gradients that grow a thousandfold each step are clipped to k^p every time; m is taken out with β₁ = 0."""
    gradients = [1000.0**k * np.abs(G) for k in range(5)]
    found = moves(ADOPT(lr=0.1, betas=(0.0, 0.9), clip_exponent=0.5), ZERO, gradients)
    np.testing.assert_allclose(found[1:, 0, 0], [-0.1 * k**0.5 for k in (1, 2, 3, 4)], rtol=1e-12)


def test_adopts_epsilon_is_the_least_that_it_divides_by() -> None:
    found = moves(ADOPT(lr=0.1, betas=(0.0, 0.9), eps=0.5, clip="none"), ZERO, [0.125 * G, G, G])
    np.testing.assert_allclose(found[1], -0.1 * G / [[0.5, 0.5]], rtol=1e-12)
    v = 0.9 * (0.125 * G) ** 2 + 0.1 * G * G
    np.testing.assert_allclose(found[2], -0.1 * G / np.maximum(np.sqrt(v), 0.5), rtol=1e-12)


def test_adopt_decays_beside_the_step_or_through_the_gradient() -> None:
    param, (gradient, other, *_) = material()
    state = {"step": np.array([1]), "exp_avg": other, "exp_avg_sq": other**2}
    bare, _ = ADOPT(lr=0.5).step(param, gradient, state)
    beside, _ = ADOPT(lr=0.5, weight_decay=0.5, decoupled_weight_decay=True).step(param, gradient, state)
    np.testing.assert_allclose(beside, bare - 0.25 * param, rtol=1e-13, atol=1e-15)
    through, found = ADOPT(lr=0.5, weight_decay=0.5).step(param, gradient, state)
    asked, expected = ADOPT(lr=0.5).step(param, gradient + 0.5 * param, state)
    assert np.array_equal(through, asked) and np.array_equal(found["exp_avg_sq"], expected["exp_avg_sq"])


# -- AdEMAMix --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("decoupled", "adam"), [(True, AdamW), (False, Adam)])
def test_ademamix_without_its_slow_average_is_adam(decoupled: bool, adam: Any) -> None:
    numbers = {"lr": 0.1, "eps": 0.01, "weight_decay": 0.3}
    mix = AdEMAMix(betas=(0.8, 0.9, 0.7), alpha=0.0, decoupled_weight_decay=decoupled, **numbers)
    assert_same_run(mix, adam(betas=(0.8, 0.9), **numbers), *material())


def test_ademamixs_slow_average_fills_without_a_correction() -> None:
    """g constant: m/c₁ = g, v/c₂ = g², s = (1 − β₃ᵗ)g."""
    mix = AdEMAMix(lr=0.1, betas=(0.8, 0.9, 0.95), alpha=4.0, eps=0.01)
    for t, (move, (_, state)) in enumerate(zip(moves(mix, ZERO, [G] * 9), run(mix, ZERO, [G] * 9), strict=True), 1):
        slow = 1 - 0.95**t
        np.testing.assert_allclose(state["exp_avg_slow"], slow * G, rtol=1e-12)
        np.testing.assert_allclose(move, -0.1 * (1 + 4 * slow) * G / (np.abs(G) + 0.01), rtol=1e-12)


# -- optax -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "theirs", "ours"),
    [
        ("adopt", {"b1": 0.8, "b2": 0.9}, ADOPT(lr=0.1, betas=(0.8, 0.9))),
        ("adopt", {"eps": 0.5, "use_clipping": False}, ADOPT(lr=0.1, eps=0.5, clip="none")),
        (
            "ademamix",
            {"b1": 0.8, "b2": 0.9, "b3": 0.95, "alpha": 4.0, "eps": 0.01, "weight_decay": 0.3},
            AdEMAMix(lr=0.1, betas=(0.8, 0.9, 0.95), alpha=4.0, eps=0.01, weight_decay=0.3),
        ),
    ],
    ids=["adopt", "adopt-unclipped", "ademamix"],
)
def test_their_steps_are_optaxs(name: str, theirs: dict[str, Any], ours: Any) -> None:
    from optax import contrib  # takes a second

    assert_steps_of_optax(lambda: getattr(contrib, name)(0.1, **theirs), ours, *material())
