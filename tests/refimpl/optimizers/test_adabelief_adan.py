"""AdaBelief and Adan: closed forms for constant and linear gradients, Adam where they are it, and optax."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from refimpl.optimizers import AdaBelief, Adam, AdamW, Adan, RAdam
from refimpl.penalties import L2

Array = npt.NDArray[Any]


def material(steps: int = 20) -> tuple[Array, Array]:
    rng = np.random.default_rng(0)
    return rng.standard_normal((1, 3, 4)), rng.standard_normal((steps, 1, 3, 4))


def run(optimizer: Any, param: Array, gradients: Any) -> list[tuple[Array, Any]]:
    state, found = optimizer.init(param), []
    for gradient in gradients:
        param, state = optimizer.step(param, gradient, state)
        found.append((param, state))
    return found


def steps_of(optimizer: Any, param: Array, gradients: Array) -> Array:
    return np.diff(np.array([param, *(after for after, _ in run(optimizer, param, gradients))]), axis=0)


def test_adabelief_on_a_constant_gradient_has_the_closed_form() -> None:
    """g − mₜ = β₁ᵗg, so that sₜ is a geometric sum, and m/c₁ = g."""
    b1, b2, eps, g = 0.8, 0.9, 0.01, np.array([[3.0, -0.25]])
    param = np.zeros((1, 2))
    for t, (after, state) in enumerate(run(AdaBelief(lr=0.1, betas=(b1, b2), eps=eps), param, [g] * 15), start=1):
        s = (1 - b2) * g * g * b1**2 * (b2**t - b1 ** (2 * t)) / (b2 - b1**2) + eps * (1 - b2**t) / (1 - b2)
        np.testing.assert_allclose(state["exp_avg_var"], s, rtol=1e-12)
        np.testing.assert_allclose(after - param, -0.1 * g / (np.sqrt(s / (1 - b2**t)) + eps), rtol=1e-12)
        param = after
    first, _ = AdaBelief(lr=0.1, betas=(b1, b2), eps=0.0).step(np.zeros((1, 2)), g, {})
    np.testing.assert_allclose(first, -0.1 * np.sign(g) / b1, rtol=1e-14)


def test_adabeliefs_epsilon_stays_in_the_average() -> None:
    for t, (after, state) in enumerate(run(AdaBelief(lr=0.1, eps=1e-6), np.ones((1, 2)), np.zeros((8, 1, 2))), start=1):
        np.testing.assert_allclose(state["exp_avg_var"], 1e-6 * (1 - 0.999**t) / (1 - 0.999), rtol=1e-10)
        assert np.all(after == 1)


@pytest.mark.parametrize("optimizer", [AdaBelief(lr=0.1, eps=0.0), Adan(lr=0.1, eps=0.0)], ids=["AdaBelief", "Adan"])
def test_the_size_of_the_gradients_does_not_matter(optimizer: Any) -> None:
    param, gradients = material()
    one, other = (run(optimizer, param, scale * gradients)[-1][0] for scale in (1.0, 2.0**20))
    assert np.array_equal(one, other)


def test_adabelief_is_rectified_as_radam_is() -> None:
    """The factor on Adam's step depends on the count alone; before it there is only the average of gradients."""
    param, gradients = material()
    plain = steps_of(AdaBelief(lr=0.1, eps=0.0), param, gradients)
    rectified = steps_of(AdaBelief(lr=0.1, eps=0.0, rectify=True), param, gradients)
    adam, radam = (steps_of(cls(lr=0.1, eps=0.0), param, gradients) for cls in (Adam, RAdam))
    np.testing.assert_allclose(rectified[:5], radam[:5], rtol=1e-9)
    np.testing.assert_allclose(rectified[5:] / plain[5:], radam[5:] / adam[5:], rtol=1e-8)
    assert np.all(np.abs(rectified[5] / plain[5]) < 0.05)


def test_adabeliefs_rectification_fades_with_the_steps() -> None:
    param, gradients = material()
    late = {"step": np.array([10**6]), "exp_avg": gradients[1], "exp_avg_var": gradients[2] ** 2}
    rectified, plain = (
        AdaBelief(lr=0.1, eps=0.1, rectify=each).step(param, gradients[0], late)[0] for each in (True, False)
    )
    np.testing.assert_allclose(rectified, plain, rtol=1e-12)


def test_adabelief_decays_beside_the_step_or_through_the_gradient() -> None:
    param, gradients = material()
    beside, _ = AdaBelief(lr=0.5, weight_decay=0.5).step(param, gradients[0], {})
    bare, state = AdaBelief(lr=0.5).step(param, gradients[0], {})
    np.testing.assert_allclose(beside, bare - 0.25 * param, rtol=1e-13, atol=1e-15)
    through, found = AdaBelief(lr=0.5, weight_decay=0.5, weight_decouple=False).step(param, gradients[0], {})
    asked, expected = AdaBelief(lr=0.5).step(param, gradients[0] + 0.5 * param, {})
    assert np.array_equal(through, asked) and np.array_equal(found["exp_avg_var"], expected["exp_avg_var"])
    assert not np.array_equal(found["exp_avg_var"], state["exp_avg_var"])


@pytest.mark.parametrize("weight_decay", [0.0, 0.3])
def test_adan_without_its_second_beta_is_adam(weight_decay: float) -> None:
    param, gradients = material()
    adan = Adan(lr=0.1, betas=(0.8, 0.0, 0.9), eps=0.01, weight_decay=weight_decay, no_prox=True)
    adam = AdamW(lr=0.1, betas=(0.8, 0.9), eps=0.01, weight_decay=weight_decay)
    for (ours, _), (peer, _) in zip(*(run(o, param, gradients) for o in (adan, adam)), strict=True):
        np.testing.assert_allclose(ours, peer, rtol=0, atol=1e-14)


def test_adan_on_a_constant_gradient_is_adam() -> None:
    param, gradients = material()
    adan, adam = Adan(lr=0.1, betas=(0.8, 0.7, 0.9)), Adam(lr=0.1, betas=(0.8, 0.9))
    constant = [gradients[0]] * 10
    for (ours, state), (peer, _) in zip(*(run(o, param, constant) for o in (adan, adam)), strict=True):
        np.testing.assert_allclose(ours, peer, rtol=0, atol=1e-14)
        assert np.all(state["exp_avg_diff"] == 0) and np.array_equal(state["neg_pre_grad"], -gradients[0])


def test_adan_on_a_linear_gradient_has_the_closed_form() -> None:
    """g = a + bt: δ = b from the second step on, so that v = b(1 − β₂ᵗ⁻¹), and the look ahead is g + β₂b."""
    b1, b2, b3 = 0.8, 0.7, 0.9
    a, b = np.array([[3.0, -0.25]]), np.array([[0.5, 1.0]])
    param, gradients = np.zeros((1, 2)), [a + b * t for t in range(1, 11)]
    for t, (after, state) in enumerate(run(Adan(lr=0.1, betas=(b1, b2, b3), eps=0.01), param, gradients), start=1):
        ahead = [gradients[0], *(g + b2 * b for g in gradients[1:t])]
        m = sum((1 - b1) * b1 ** (t - i) * g for i, g in enumerate(gradients[:t], start=1))
        n = sum((1 - b3) * b3 ** (t - i) * g * g for i, g in enumerate(ahead, start=1))
        v = b * (1 - b2 ** (t - 1))
        np.testing.assert_allclose(state["exp_avg_diff"], v, rtol=1e-12)
        direction = m / (1 - b1**t) + b2 * v / (1 - b2**t)
        np.testing.assert_allclose(after - param, -0.1 * direction / (np.sqrt(n / (1 - b3**t)) + 0.01), rtol=1e-12)
        param = after


def test_adans_decay_is_the_proximal_step_of_the_l2_penalty() -> None:
    param, gradients = material()
    bare, _ = Adan(lr=0.1).step(param, gradients[0], {})
    decayed, _ = Adan(lr=0.1, weight_decay=0.7).step(param, gradients[0], {})
    np.testing.assert_allclose(decayed, L2(strength=0.7).prox(bare, 0.1), rtol=1e-14)


@pytest.mark.parametrize(
    ("name", "theirs", "ours"),
    [
        ("adabelief", {"eps": 1e-3, "eps_root": 1e-3}, AdaBelief(lr=0.1, eps=1e-3)),
        ("adabelief", {"b1": 0.7, "b2": 0.8}, AdaBelief(lr=0.1, betas=(0.7, 0.8))),
        # with b₂ = ½, because optax has 1 − b₂ where the paper has, in optax's terms, b₂
        ("adan", {"b1": 0.9, "b2": 0.5, "eps_root": 0.0}, Adan(lr=0.1, betas=(0.9, 0.5, 0.99))),
        (
            "adan",
            {"b1": 0.7, "b2": 0.5, "b3": 0.8, "eps": 1e-2, "eps_root": 0.0},
            Adan(lr=0.1, betas=(0.7, 0.5, 0.8), eps=1e-2),
        ),
    ],
    ids=["adabelief", "adabelief-betas", "adan", "adan-betas"],
)
def test_their_steps_are_optaxs_where_both_define_them(name: str, theirs: dict[str, Any], ours: Any) -> None:
    import jax  # takes a second
    import optax

    param, gradients = material()
    with jax.enable_x64(True):
        rule = getattr(optax, name)(0.1, **theirs)
        peer, state = param, rule.init(param)
        for gradient, (after, _) in zip(gradients, run(ours, param, gradients), strict=True):
            updates, state = rule.update(gradient, state, peer)
            peer = np.asarray(optax.apply_updates(peer, updates))
            np.testing.assert_allclose(after, peer, rtol=1e-12, atol=1e-14)
