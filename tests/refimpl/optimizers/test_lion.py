"""Lion: only the sign of an average counts, and the two averages have different weights."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from refimpl.arithmetic.bounded import Bounded, Profile
from refimpl.arithmetic.formats import FORMATS
from refimpl.arithmetic.lift import lift
from refimpl.optimizers import Lion

Array = npt.NDArray[Any]


def run(optimizer: Lion, param: Array, gradients: Array) -> list[Array]:
    state: Any = optimizer.init(param)
    found = []
    for gradient in gradients:
        param, state = optimizer.step(param, gradient, state)
        found.append(param)
    return found


def material(steps: int = 20) -> tuple[Array, Array]:
    rng = np.random.default_rng(0)
    return rng.standard_normal((1, 3, 4)), rng.standard_normal((steps, 1, 3, 4))


def test_the_first_step_is_the_rate_times_the_sign_of_the_gradient() -> None:
    param, gradients = material()
    after, _ = Lion(lr=0.01).step(param, gradients[0], {})
    assert np.array_equal(after, param - 0.01 * np.sign(gradients[0]))


@pytest.mark.parametrize("scale", [2.0**-40, 3.7, 2.0**40])
def test_the_size_of_the_gradients_does_not_matter(scale: float) -> None:
    param, gradients = material()
    optimizer = Lion(lr=0.01, weight_decay=0.3)
    assert np.array_equal(run(optimizer, param, scale * gradients), run(optimizer, param, gradients))


def test_every_weight_moves_by_the_rate_at_every_step() -> None:
    _, gradients = material()
    path = np.array([np.zeros((1, 3, 4)), *run(Lion(lr=0.125), np.zeros((1, 3, 4)), gradients)])
    assert np.all(np.abs(np.diff(path, axis=0)) == 0.125)


@pytest.mark.parametrize(("steps", "turns"), [(1, True), (2, False)])
def test_the_step_interpolates_with_one_beta_and_the_average_is_kept_with_the_other(steps: int, turns: bool) -> None:
    """After n gradients of 1, m = 1 − β₂ⁿ; against a gradient of −1 the step turns where β₁m < 1 − β₁: m < 2/3."""
    optimizer, param, state = Lion(lr=0.01, betas=(0.6, 0.5)), np.zeros((1, 1)), {}
    for _ in range(steps):
        param, state = optimizer.step(param, np.ones((1, 1)), state)
    assert state["exp_avg"] == 1 - 0.5**steps
    after, _ = optimizer.step(param, -np.ones((1, 1)), state)
    assert bool(after > param) == turns


def test_without_gradient_the_weights_only_shrink() -> None:
    assert np.all(run(Lion(lr=0.5, weight_decay=0.5), np.ones((1, 2)), np.zeros((5, 1, 2)))[-1] == 0.75**5)


def test_where_the_average_cancels_the_bound_allows_every_sign() -> None:
    profile = Profile(compute=FORMATS["float32"], accumulate=FORMATS["float32"])
    lifted = lift(Lion(lr=0.1, betas=(0.5, 0.9)), lambda number: Bounded.hyper(number, profile))
    state: Any = {"exp_avg": Bounded.tensor([[0.3, 0.3]], profile)}
    param, gradient = np.ones((1, 2)), Bounded.tensor([[-0.3, -0.2]], profile)
    after: Any = lifted.step(Bounded.tensor(param, profile), gradient, state)[0]  # type: ignore[arg-type]
    assert after.error[0, 0] >= 0.1 and after.error[0, 1] < 1e-6


def test_its_steps_are_optaxs() -> None:
    import jax  # takes a second
    import optax

    param, gradients = material()
    with jax.enable_x64(True):
        theirs = optax.lion(0.01, b1=0.8, b2=0.95, weight_decay=0.3)
        peer, state = param, theirs.init(param)
        for gradient, ours in zip(
            gradients, run(Lion(lr=0.01, betas=(0.8, 0.95), weight_decay=0.3), param, gradients), strict=True
        ):
            updates, state = theirs.update(gradient, state, peer)
            peer = np.asarray(optax.apply_updates(peer, updates))
            np.testing.assert_allclose(ours, peer, rtol=0, atol=1e-15)
