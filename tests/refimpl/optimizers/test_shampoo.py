"""Shampoo: closed forms, the Kronecker product of the paper, and what must follow from the formulas."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from scipy.linalg import fractional_matrix_power

from refimpl.errors import ParameterError
from refimpl.optimizers import SGD, Shampoo
from tests.refimpl.optimizers.peers import assert_same_run, material, moves, run

Array = npt.NDArray[Any]


def peer(gradients: Iterable[Array], eps: float) -> list[Array]:
    """The paper's Algorithm 2, each step from its definition: one run; H_i of every axis, their Kronecker product."""
    H: list[Array] = []
    steps = []
    for G in gradients:
        H = H or [eps * np.eye(n) for n in G.shape]
        k = G.ndim
        for i in range(k):
            others = [axis for axis in range(k) if axis != i]
            H[i] = H[i] + np.tensordot(G, G, axes=(others, others))
        product = np.ones((1, 1))
        for one in H:
            product = np.kron(product, fractional_matrix_power(one, -1 / (2 * k)))
        steps.append((product @ G.ravel()).reshape(G.shape))
    return steps


@pytest.mark.parametrize("shape", [(4,), (3, 4), (4, 1), (2, 3, 2), (2, 2, 1, 3)], ids=str)
def test_every_step_is_that_of_the_papers_kronecker_product(shape: tuple[int, ...]) -> None:
    param, gradients = material(steps=6, shape=(1, *shape))
    found = moves(Shampoo(lr=0.1, eps=0.01), param, gradients)
    np.testing.assert_allclose(found[:, 0], [-0.1 * step for step in peer(gradients[:, 0], 0.01)], rtol=0, atol=1e-12)


def test_a_vector_with_one_gradient_steps_by_it_over_the_root_of_its_sum() -> None:
    g = np.array([[3.0, -4.0, 0.0]])
    found = moves(Shampoo(lr=0.1, eps=0.5), np.zeros((1, 3)), [g] * 6)
    np.testing.assert_allclose(found, [-0.1 * g / np.sqrt(0.5 + 25 * t) for t in range(1, 7)], rtol=1e-12, atol=1e-15)


def test_a_diagonal_matrix_is_stepped_by_adagrad_with_epsilon_in_the_root() -> None:
    """L = R = diag(ε + Σg²), and the two fourth roots make a square root."""
    diagonals = np.random.default_rng(0).standard_normal((6, 3))
    found = moves(Shampoo(lr=0.1, eps=0.5), np.zeros((1, 3, 3)), [np.diag(d)[None] for d in diagonals])
    expected = -0.1 * diagonals / np.sqrt(0.5 + np.cumsum(diagonals**2, axis=0))
    np.testing.assert_allclose(found[:, 0], [np.diag(d) for d in expected], rtol=0, atol=1e-13)


def test_a_rotated_gradient_makes_the_rotated_step() -> None:
    param, gradients = material(steps=4)
    Q, _ = np.linalg.qr(np.random.default_rng(1).standard_normal((3, 3)))
    plain, turned = (moves(Shampoo(lr=0.1), 0 * param, some) for some in (gradients, Q @ gradients))
    np.testing.assert_allclose(turned, Q @ plain, rtol=0, atol=1e-11)


def test_a_parameter_without_axes_is_stepped_by_its_gradient() -> None:
    rng = np.random.default_rng(0)
    assert_same_run(
        Shampoo(lr=0.1, weight_decay=0.3),
        SGD(lr=0.1, weight_decay=0.3),
        rng.standard_normal(2),
        rng.standard_normal((4, 2)),
    )


def test_the_roots_are_those_of_every_so_manieth_step_beginning_with_the_first() -> None:
    param, gradients = material(steps=7)
    often, seldom = (run(Shampoo(lr=0.1, eps=0.5, update_freq=freq), param, gradients) for freq in (1, 3))
    for t, ((_, all_of), (_, some_of)) in enumerate(zip(often, seldom, strict=True)):
        for axis in range(2):
            np.testing.assert_array_equal(some_of[f"precond_{axis}"], all_of[f"precond_{axis}"])
            np.testing.assert_array_equal(some_of[f"rooted_{axis}"], often[t - t % 3][1][f"precond_{axis}"])
    plain = moves(Shampoo(lr=0.1, eps=0.5), param, gradients)
    found = moves(Shampoo(lr=0.1, eps=0.5, update_freq=3), param, gradients)
    np.testing.assert_allclose(found[::3], plain[::3], rtol=0, atol=1e-14)
    assert not np.allclose(found[1], plain[1])


def test_momentum_mixes_the_last_step_into_the_gradient_before_the_statistics_see_it() -> None:
    param, (first, second, *_) = material()
    ours = Shampoo(lr=0.1, eps=0.5, momentum=0.25)
    after, state = ours.step(param, first, {})
    plain, _ = Shampoo(lr=0.1, eps=0.5).step(param, first, {})
    np.testing.assert_allclose(after, plain, rtol=1e-14)
    np.testing.assert_allclose(param - after, 0.1 * state["momentum_buffer"], rtol=0, atol=1e-15)
    mixed = 0.75 * second + 0.25 * state["momentum_buffer"]
    _, found = ours.step(after, second, state)
    _, expected = Shampoo(lr=0.1, eps=0.5).step(
        after, mixed, {k: v for k, v in state.items() if k != "momentum_buffer"}
    )
    np.testing.assert_allclose(found["precond_0"], expected["precond_0"], rtol=1e-13)


def test_the_decay_is_part_of_the_gradient_that_the_statistics_see() -> None:
    param, (gradient, *_) = material()
    after, state = Shampoo(lr=0.1, weight_decay=0.5).step(param, gradient, {})
    expected, same = Shampoo(lr=0.1).step(param, gradient + 0.5 * param, {})
    assert np.array_equal(after, expected) and np.array_equal(state["precond_1"], same["precond_1"])


def test_a_frequency_below_one_is_refused() -> None:
    with pytest.raises(ParameterError, match=r"^update_freq: given 0; allowed: an integer ≥ 1; change update_freq$"):
        Shampoo(update_freq=0)
