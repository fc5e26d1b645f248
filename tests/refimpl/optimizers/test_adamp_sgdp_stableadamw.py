"""AdamP, SGDP and StableAdamW: what is at right angles, what is clipped, and AdamW and SGD where they are that."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from refimpl.optimizers import SGDP, SGDW, AdamP, AdamW, StableAdamW
from tests.refimpl.optimizers.peers import Array, assert_same_run, material, moves

G = np.array([[3.0, -0.25]])
ZERO = np.zeros((1, 2))
RULES = [AdamP(lr=0.1, eps=1e-30), SGDP(lr=0.1, eps=1e-30, momentum=0.9)]


def along(x: Array, w: Array, channels: int) -> Array:
    """The inner product of each channel of each run."""
    return np.sum((x * w).reshape(len(w), channels, -1), axis=2)


def at_right_angles(gradient: Array, w: Array, channels: int) -> Array:
    shape = (len(w), channels, 1)
    share = along(gradient, w, channels) / along(w, w, channels)
    return gradient - (share.reshape(shape) * w.reshape(len(w), channels, -1)).reshape(w.shape)


def begun(rule: Any) -> tuple[Array, Array, Any]:
    """Weights of two runs and three channels, a gradient, and a state whose step would lengthen the weights."""
    param, (gradient, m, v, *_) = material(shape=(2, 3, 2, 2))
    buffer = {"momentum_buffer": m}
    return (
        param,
        gradient,
        buffer if isinstance(rule, SGDP) else {"step": np.full(2, 3), "exp_avg": m, "exp_avg_sq": v**2},
    )


@pytest.mark.parametrize("rule", RULES, ids=["adamp", "sgdp"])
@pytest.mark.parametrize("channels", [3, 1])
def test_a_gradient_at_right_angles_makes_a_step_at_right_angles(rule: Any, channels: int) -> None:
    """Of each channel, or of the whole array where the channels are not at right angles."""
    param, gradient, state = begun(rule)
    across = at_right_angles(gradient, param, channels)
    after, _ = rule.step(param, across, state)
    full, _ = replace(rule, delta=0.0).step(param, across, state)
    assert np.all(np.abs(along(after - param, param, channels)) < 1e-14)
    np.testing.assert_allclose(after - param, at_right_angles(full - param, param, channels), rtol=1e-9, atol=1e-14)
    assert np.all(np.abs(along(full - param, param, channels)) > 1e-9)
    if channels == 1:
        assert np.all(np.abs(along(after - param, param, 3)) > 1e-9)


@pytest.mark.parametrize("rule", RULES, ids=["adamp", "sgdp"])
def test_each_run_and_no_vector_is_looked_at_by_itself(rule: Any) -> None:
    param, gradient, state = begun(rule)
    gradient = np.concatenate([at_right_angles(gradient, param, 3)[:1], param[1:]])
    after, full = (each.step(param, gradient, state)[0] for each in (rule, replace(rule, delta=0.0)))
    assert not np.allclose(after[0], full[0]) and np.array_equal(after[1], full[1])
    flat = param.reshape(2, 12)
    across = at_right_angles(gradient, param, 1).reshape(2, 12)
    after, full = (each.step(flat, across, {})[0] for each in (rule, replace(rule, delta=0.0)))
    assert np.array_equal(after, full)


@pytest.mark.parametrize("rule", RULES, ids=["adamp", "sgdp"])
def test_right_angles_are_told_by_a_cosine_below_delta_over_the_root_of_the_number(rule: Any) -> None:
    """cos = 0.6, n = 4: at δ = 1.2 they part. Of two channels the larger cosine counts, whatever its sign."""
    w, g = np.array([[[2.0, 0.0, 0.0, 0.0]]]), np.array([[[3.0, 4.0, 0.0, 0.0]]])
    whole = replace(rule, delta=0.0).step(w, g, {})[0]
    for delta, tangent in {1.19: False, 1.21: True}.items():
        after, _ = replace(rule, delta=delta).step(w, g, {})
        assert (after[0, 0, 0] == 2) == tangent and after[0, 0, 1] == whole[0, 0, 1]
    both = np.concatenate([w, w], axis=1), np.concatenate([[[[-3.0, 4.0, 0.0, 0.0]]], [[[0.5, 4.0, 0.0, 0.0]]]], axis=1)
    for delta, tangent in {1.19: False, 1.21: True}.items():  # cos = −0.6 and 0.12
        after, _ = replace(rule, delta=delta).step(*both, {})
        assert np.all(after[0, :, 0] == 2) == tangent


def test_their_epsilon_is_the_least_length_and_part_of_every_length() -> None:
    """‖w‖ = ‖g‖ = 5 and ε = 5: ŵ = w/10, so that a quarter of the part along w goes. With ε = 10 cos is a quarter."""
    w, g = np.array([[[3.0, 4.0]]]), np.array([[[4.0, 3.0]]])
    after, _ = SGDP(lr=0.1, eps=5.0, delta=9.0).step(w, g, {})
    np.testing.assert_allclose(after, w - 0.1 * (g - 0.24 * w), rtol=1e-14)
    cosine = 24 / 100 * 2**0.5
    for delta, tangent in {cosine - 0.01: False, cosine + 0.01: True}.items():
        after, _ = SGDP(lr=0.1, eps=10.0, delta=delta).step(w, g, {})
        assert np.allclose(after, w - 0.1 * g) != tangent


@pytest.mark.parametrize(
    ("rule", "strength"), [(AdamP(lr=0.1), 0.05), (SGDP(lr=0.1, momentum=0.8), 0.05 / 0.2)], ids=["adamp", "sgdp"]
)
def test_decay_is_weaker_where_the_gradient_is_at_right_angles(rule: Any, strength: float) -> None:
    param, (gradient, *_) = material()
    decays = replace(rule, weight_decay=0.5, wd_ratio=0.3)
    for g, share in ((at_right_angles(gradient, param, 1), 0.3), (param, 1.0)):
        bare, _ = rule.step(param, g, {})
        after, _ = decays.step(param, g, {})
        np.testing.assert_allclose(after, bare - share * strength * param, rtol=1e-12, atol=1e-14)


def test_adamp_without_a_limit_is_adamw_and_sgdp_is_sgdw() -> None:
    adamp = AdamP(lr=0.1, betas=(0.8, 0.9), eps=0.01, weight_decay=0.3, delta=0.0)
    assert_same_run(adamp, AdamW(lr=0.1, betas=(0.8, 0.9), eps=0.01, weight_decay=0.3), *material())
    for nesterov in (False, True):
        sgdp = SGDP(lr=0.1, momentum=0.6, weight_decay=0.2, delta=0.0, nesterov=nesterov)
        assert_same_run(sgdp, SGDW(lr=0.1, momentum=0.6, weight_decay=0.5, nesterov=nesterov), *material())


def test_adamps_look_ahead_and_sgdps_dampening_have_closed_forms() -> None:
    """β₁m + (1 − β₁)g = (1 + β₁)m at the first step, and (1 − β₁ᵗ⁺¹)g at step t of one gradient."""
    found = moves(AdamP(lr=0.1, betas=(0.8, 0.9), eps=0.0, nesterov=True), ZERO, [G] * 5)
    np.testing.assert_allclose(
        found, [-0.1 * (1 - 0.8 ** (t + 1)) / (1 - 0.8**t) * np.sign(G) for t in range(1, 6)], rtol=1e-12
    )
    found = moves(SGDP(lr=0.1, momentum=0.8, dampening=0.25), ZERO, [G] * 5)
    np.testing.assert_allclose(found, [-0.1 * 0.75 * (1 - 0.8**t) / 0.2 * G for t in range(1, 6)], rtol=1e-12)


def test_what_is_kept_of_sgdps_momentum() -> None:
    """The whole of it, or what the step was made of; with a look ahead the step is another array."""
    w, g = np.array([[[1.0, 0.0]]]), np.array([[[0.0, 1.0]]])
    state = {"momentum_buffer": np.array([[[2.0, 2.0]]])}
    for options, kept in (({}, [1.0, 2.0]), ({"project_buffer": True}, [0.0, 2.0])):
        after, found = SGDP(lr=0.1, momentum=0.5, eps=0.0, **options).step(w, g, state)
        np.testing.assert_allclose(after, [[[1.0, -0.2]]], rtol=1e-14)
        np.testing.assert_allclose(found["momentum_buffer"], [[kept]], rtol=1e-14)
    _, found = SGDP(lr=0.1, momentum=0.5, eps=0.0, nesterov=True, project_buffer=True).step(w, g, state)
    np.testing.assert_allclose(found["momentum_buffer"], [[[1.0, 2.0]]], rtol=1e-14)


# -- StableAdamW -----------------------------------------------------------------------------------------------------


def test_stableadamw_is_adamw_where_gradients_are_what_was_expected() -> None:
    """Gradients that halve from step to step are smaller than √v, those that stay are as large: R ≤ 1."""
    param, gradients = material()
    numbers: dict[str, Any] = {"lr": 0.1, "betas": (0.8, 0.9), "eps": 0.0, "weight_decay": 0.3}
    halved = gradients[0] * 0.5 ** np.arange(20)[:, None, None, None]
    assert_same_run(StableAdamW(**numbers), AdamW(**numbers), param, halved)
    found = moves(StableAdamW(lr=0.1, betas=(0.8, 0.9), eps=0.01), ZERO, [G] * 6)
    np.testing.assert_allclose(found, [-0.1 * G / (np.abs(G) + 0.01)] * 6, rtol=1e-12)


def test_one_gradient_out_of_proportion_lowers_the_rate_of_its_array_and_run() -> None:
    """β₂ = ½: v = ⅓·1 + ⅔·64 = 43 where g grew to 8, and R² = (64/43 + 1)/2 of both; m = g as β₁ = 0."""
    first, second = np.ones((2, 1, 2)), np.array([[[8.0, 1.0]], [[1.0, 1.0]]])
    start = np.full((2, 1, 2), 4.0)
    state = {"step": np.array([1, 1]), "exp_avg": first, "exp_avg_sq": first}
    after, _ = StableAdamW(lr=0.1, betas=(0.0, 0.5), eps=1e-9, weight_decay=0.5).step(start, second, state)
    rates = 0.1 / np.sqrt([(64 / 43 + 1) / 2, 1.0]).reshape(2, 1, 1)
    steps = np.array([[[8 / 43**0.5, 1.0]], [[1.0, 1.0]]])
    np.testing.assert_allclose(after, 4 * (1 - 0.5 * rates) - rates * steps, rtol=1e-8)


def test_stableadamws_epsilon_also_bounds_what_was_expected() -> None:
    """v = 43 < ε² = 64 = g²: R = 1, and no rate is lowered."""
    one = np.ones((1, 1))
    state = {"step": np.array([1]), "exp_avg": one, "exp_avg_sq": one}
    after, _ = StableAdamW(lr=0.1, betas=(0.0, 0.5), eps=8.0).step(0 * one, 8 * one, state)
    np.testing.assert_allclose(after, -0.1 * 8 / (43**0.5 + 8), rtol=1e-12)
