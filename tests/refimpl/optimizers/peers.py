"""Runs of an optimizer over drawn gradients, and the same run of optax's rule."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]


def material(steps: int = 20, shape: tuple[int, ...] = (1, 3, 4)) -> tuple[Array, Array]:
    """A parameter, and a gradient for every step."""
    rng = np.random.default_rng(0)
    return rng.standard_normal(shape), rng.standard_normal((steps, *shape))


def run(optimizer: Any, param: Array, gradients: Iterable[Array]) -> list[tuple[Array, Any]]:
    """(param, state) after each step."""
    state, after = optimizer.init(param), []
    for gradient in gradients:
        param, state = optimizer.step(param, gradient, state)
        after.append((param, state))
    return after


def moves(optimizer: Any, param: Array, gradients: Iterable[Array]) -> Array:
    """What each step adds to the parameter."""
    return np.diff(np.array([param, *(after for after, _ in run(optimizer, param, gradients))]), axis=0)


def assert_same_run(one: Any, other: Any, param: Array, gradients: Iterable[Array]) -> None:
    """Two rules take the same steps but for rounding."""
    gradients = list(gradients)
    for (ours, _), (theirs, _) in zip(*(run(rule, param, gradients) for rule in (one, other)), strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-12, atol=1e-14)


def assert_steps_of_optax(rule: Any, optimizer: Any, param: Array, gradients: Array) -> None:
    """optax's ``rule()`` in float64 takes the optimizer's steps but for rounding, beginning with the same weights."""
    import jax  # takes a second
    import optax

    with jax.enable_x64(True):
        peer = jax.numpy.asarray(param)
        transform = rule()
        state = transform.init(peer)
        for gradient, (after, _) in zip(gradients, run(optimizer, param, gradients), strict=True):
            updates, state = transform.update(jax.numpy.asarray(gradient), state, peer)
            peer = optax.apply_updates(peer, updates)
            np.testing.assert_allclose(after, np.asarray(peer), rtol=1e-12, atol=1e-14)
