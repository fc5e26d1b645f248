"""LAMB and LARS: how long a step is follows from how long the weights are."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from refimpl.arithmetic.bounded import Bounded, Profile
from refimpl.arithmetic.formats import FORMATS
from refimpl.arithmetic.kernels import norm_of_run
from refimpl.arithmetic.lift import lift
from refimpl.optimizers import LAMB, LARS, SGD, AdamW

Array = npt.NDArray[Any]
FREE = LARS(lr=0.1, momentum=0.0, trust_coefficient=0.2)
LAMBS = [
    LAMB(lr=0.1),
    LAMB(lr=0.1, weight_decay=0.3, betas=(0.7, 0.8)),
    LAMB(lr=0.1, weight_decay=0.3, bias_correction=False),
]


def material(steps: int = 12) -> tuple[Array, Array]:
    rng = np.random.default_rng(0)
    return rng.standard_normal((4, 3, 5)), rng.standard_normal((steps, 4, 3, 5))


def run(optimizer: Any, param: Array, gradients: Array) -> list[tuple[Array, Any]]:
    state, found = optimizer.init(param), []
    for gradient in gradients:
        param, state = optimizer.step(param, gradient, state)
        found.append((param, state))
    return found


def lengths(x: Array) -> Any:
    return np.linalg.norm(x.reshape(len(x), -1), axis=1)


@pytest.mark.every_case
@pytest.mark.parametrize("optimizer", LAMBS, ids=repr)
def test_every_step_of_lamb_is_as_long_as_the_rate_times_the_weights_of_its_run(optimizer: LAMB) -> None:
    param, gradients = material()
    for after, _ in run(optimizer, param, gradients):
        np.testing.assert_allclose(lengths(after - param), 0.1 * lengths(param), rtol=1e-13)
        param = after


def test_lambs_clamp_value_is_the_largest_length_that_counts() -> None:
    param, gradients = material()
    param = param * np.array([0.1, 0.1, 1, 1]).reshape(-1, 1, 1)
    after, _ = LAMB(lr=0.1, clamp_value=1.5).step(param, gradients[0], {})
    sizes = lengths(param)
    assert sizes[0] < 1.5 < sizes[2]
    np.testing.assert_allclose(lengths(after - param), 0.1 * np.minimum(sizes, 1.5), rtol=1e-13)


def test_lambs_bias_correction_fades_with_the_steps() -> None:
    param, gradients = material()
    late = {"step": np.full(4, 10**6), "exp_avg": gradients[1], "exp_avg_sq": gradients[2] ** 2}
    corrected, bare = (
        LAMB(lr=0.1, eps=0.1, weight_decay=0.3, bias_correction=each).step(param, gradients[0], late)[0]
        for each in (True, False)
    )
    np.testing.assert_allclose(corrected, bare, rtol=1e-13)
    early, _ = LAMB(lr=0.1, eps=0.1, weight_decay=0.3).step(param, gradients[0], {**late, "step": np.zeros(4, int)})
    assert np.all(np.abs(early - bare) > 1e-9)


def test_lambs_direction_is_adamws() -> None:
    """From the same weights: neither's averages depend on them."""
    param, gradients = material()
    options: dict[str, Any] = {"betas": (0.7, 0.8), "eps": 0.01, "weight_decay": 0.3}
    lamb, adamw = LAMB(lr=0.1, **options), AdamW(lr=0.1, **options)
    state, peer_state = lamb.init(param), adamw.init(param)
    for gradient in gradients:
        after, state = lamb.step(param, gradient, state)
        peer, peer_state = adamw.step(param, gradient, peer_state)
        ratio = (0.1 * lengths(param) / lengths(peer - param)).reshape(-1, 1, 1)
        np.testing.assert_allclose(after - param, ratio * (peer - param), rtol=1e-11, atol=1e-15)
        param = after


@pytest.mark.every_case
@pytest.mark.parametrize(
    "optimizer", [*(replace(each, eps=0.0) for each in LAMBS), FREE, replace(FREE, momentum=0.9)], ids=repr
)
def test_the_size_of_the_gradients_does_not_matter(optimizer: Any) -> None:
    param, gradients = material()
    plain, scaled = (run(optimizer, param, scale * gradients) for scale in (1.0, 2.0**20))
    assert all(np.array_equal(one, other) for (one, _), (other, _) in zip(plain, scaled, strict=True))


@pytest.mark.every_case
@pytest.mark.parametrize("scale", [1.0, 1e-3])
def test_a_step_of_lars_is_as_long_as_both_rates_times_the_weights(scale: float) -> None:
    param, gradients = (scale * each for each in material())
    after, _ = FREE.step(param, gradients[0], {})
    np.testing.assert_allclose(lengths(after - param), 0.1 * 0.2 * lengths(param), rtol=1e-13)
    along, _ = replace(FREE, weight_decay=0.7).step(param, 3 * param, {})  # then ‖g + λw‖ = ‖g‖ + λ‖w‖
    np.testing.assert_allclose(along, param * (1 - 0.1 * 0.2), rtol=1e-13)
    against, _ = replace(FREE, weight_decay=0.7).step(param, -3 * param, {})  # and here ‖g‖ − λ‖w‖
    np.testing.assert_allclose(against, param * (1 + 0.1 * 0.2 * 2.3 / 3.7), rtol=1e-13)


def test_lars_adds_the_next_step_to_nine_tenths_of_the_last() -> None:
    param, gradients = material()
    rolling = replace(FREE, momentum=0.9)
    first, state = rolling.step(param, gradients[0], {})
    second, _ = rolling.step(first, gradients[1], state)
    alone, _ = FREE.step(first, gradients[1], {})
    np.testing.assert_allclose(second - first, alone - first + 0.9 * (first - param), rtol=1e-12)


def test_lars_eps_is_one_more_length_of_the_gradient() -> None:
    param, gradients = material()
    eps = lengths(gradients[0])[0]
    (bare, _), (damped, _) = (replace(FREE, eps=each).step(param[:1], gradients[0, :1], {}) for each in (0.0, eps))
    np.testing.assert_allclose(damped - param[:1], (bare - param[:1]) / 2, rtol=1e-12)


def test_where_lars_rate_enters_matters_just_when_it_changes() -> None:
    param, gradients = material()
    stored = LARS(lr=0.1, trust_coefficient=0.2, weight_decay=0.3)
    applied = replace(stored, lr_in_buffer=False)
    for (one, state), (other, peer) in zip(*(run(o, param, gradients) for o in (stored, applied)), strict=True):
        np.testing.assert_allclose(one, other, rtol=0, atol=1e-14)
        np.testing.assert_allclose(state["momentum_buffer"], 0.1 * peer["momentum_buffer"], rtol=1e-12, atol=1e-16)
    still, _ = replace(stored, lr=0.0).step(one, gradients[0], state)
    np.testing.assert_allclose(still, one - 0.9 * state["momentum_buffer"], rtol=1e-13)  # it rolls on
    assert np.array_equal(replace(applied, lr=0.0).step(other, gradients[0], peer)[0], other)


@pytest.mark.parametrize("momentum", [0.0, 0.9])
def test_with_a_local_rate_of_1_lars_is_sgd(momentum: float) -> None:
    """With trust coefficient ‖g‖/‖w‖ + λ."""
    param, gradients = material(steps=1)
    trust = lengths(gradients[0])[0] / lengths(param)[0] + 0.3
    lars = LARS(lr=0.1, momentum=momentum, weight_decay=0.3, trust_coefficient=trust, lr_in_buffer=False)
    sgd = SGD(lr=0.1, momentum=momentum, weight_decay=0.3)
    (ours, state), (peer, peer_state) = (run(o, param[:1], gradients[:, :1])[0] for o in (lars, sgd))
    np.testing.assert_allclose(ours, peer, rtol=1e-13)
    assert set(state) == set(peer_state)


def test_weights_or_gradients_of_0_are_scaled_by_1() -> None:
    """Beside a run that has both, and without a warning of 0/0."""
    param, gradients = material()
    param[0], gradients[0, 1], param[2], gradients[0, 2] = 0, 0, 0, 0
    g = gradients[0]
    lars, _ = LARS(lr=0.5, weight_decay=0.5).step(param, g, {})
    assert np.array_equal(lars[0], -0.5 * g[0]) and np.array_equal(lars[1], 0.75 * param[1]) and np.all(lars[2] == 0)
    lamb, _ = LAMB(lr=0.5, eps=1e-9).step(param, g, {})
    np.testing.assert_allclose(lamb[0], -0.5 * np.sign(g[0]), rtol=1e-6)
    assert np.array_equal(lamb[1], param[1]) and np.all(lamb[2] == 0)


@pytest.mark.parametrize("dtype", ["float64", "float32", "bfloat16"])
@pytest.mark.parametrize("optimizer", [LAMBS[1], LARS(lr=0.1, trust_coefficient=0.2)], ids=repr)
def test_weights_of_0_are_known_to_be_0_in_the_bound(optimizer: Any, dtype: str) -> None:
    """Not a sum of squares that may have underflowed: the ratio is 1, for certain."""
    profile = Profile(compute=FORMATS[dtype], accumulate=FORMATS["float32" if dtype == "bfloat16" else dtype])
    lifted = lift(optimizer, lambda number: Bounded.hyper(number, profile))
    zeros, gradient = Bounded.tensor(np.zeros((1, 2, 3)), profile), Bounded.tensor(np.full((1, 2, 3), 0.5), profile)
    after, _ = lifted.step(zeros, gradient, {})
    assert np.all(np.abs(after.value) > 0.01) and np.all(after.error <= 20 * profile.u(profile.compute))
    assert norm_of_run(zeros).error == 0 and norm_of_run(gradient).error > 0


@pytest.mark.parametrize(
    ("name", "theirs", "ours"),
    [
        ("lamb", {"eps": 1e-3, "weight_decay": 0.3}, LAMB(lr=0.1, eps=1e-3, weight_decay=0.3)),
        ("lamb", {"b1": 0.7, "b2": 0.8}, LAMB(lr=0.1, betas=(0.7, 0.8))),
        ("lars", {"trust_coefficient": 0.2}, LARS(lr=0.1, trust_coefficient=0.2)),
        (
            "lars",
            {"trust_coefficient": 0.2, "momentum": 0.7, "eps": 0.5},
            LARS(lr=0.1, trust_coefficient=0.2, momentum=0.7, eps=0.5),
        ),
    ],
    ids=["lamb", "lamb-betas", "lars", "lars-eps"],
)
def test_their_steps_are_optaxs(name: str, theirs: dict[str, Any], ours: Any) -> None:
    import jax  # takes a second
    import optax

    param, gradients = material()
    param, gradients = param[:1], gradients[:, :1]
    with jax.enable_x64(True):
        rule = getattr(optax, name)(0.1, **theirs)
        peer, state = param, rule.init(param)
        for gradient, (after, _) in zip(gradients, run(ours, param, gradients), strict=True):
            updates, state = rule.update(gradient, state, peer)
            peer = np.asarray(optax.apply_updates(peer, updates))
            np.testing.assert_allclose(after, peer, rtol=1e-13, atol=1e-15)
