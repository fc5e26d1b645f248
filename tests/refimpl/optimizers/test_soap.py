"""SOAP: a peer of the paper with other decompositions, what must follow from the formulas, and 40 digits."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import mpmath
import numpy as np
import numpy.typing as npt
import pytest

from refimpl.arithmetic.bases import eigenvectors, estimates, orthonormal, rotated
from refimpl.arithmetic.bounded import Bounded, Profile
from refimpl.arithmetic.formats import FORMATS
from refimpl.errors import ParameterError
from refimpl.optimizers import SOAP, Adam
from tests.refimpl.optimizers.peers import assert_same_run, material, moves, run

Array = npt.NDArray[Any]
RULE = SOAP(lr=0.1, betas=(0.8, 0.9), eps=0.01, weight_decay=0.3, precondition_frequency=2)


def qr(S: Array) -> Array:
    """Gram–Schmidt by Cholesky: SᵀS = RᵀR, Q = S R⁻¹."""
    return np.linalg.solve(np.linalg.cholesky(S.T @ S), S.T).T


def peer(w: Array, gradients: Iterable[Array], rule: Any) -> list[Array]:
    """The paper's Algorithm 3 for one matrix, with m in the rotated space and singular vectors for eigenvectors."""
    after: list[Array] = []
    for t, G in enumerate(gradients):
        b1, b2 = rule.betas
        if not t:
            L, R = (1 - b2) * G @ G.T, (1 - b2) * G.T @ G
            QL, QR = np.linalg.svd(L)[0], np.linalg.svd(R)[0]
            m, v = np.zeros_like(G), np.zeros_like(G)
        else:
            turned = np.einsum("ij,ik,kl->jl", QL, G, QR)
            m, v = b1 * m + (1 - b1) * turned, b2 * v + (1 - b2) * turned**2
            step = m / (1 - b1**t) / (np.sqrt(v) + rule.eps) * np.sqrt(1 - b2**t)
            w = (w - rule.lr * QL @ step @ QR.T) * (1 - rule.lr * rule.weight_decay)
            L, R = b2 * L + (1 - b2) * G @ G.T, b2 * R + (1 - b2) * G.T @ G
            if t % rule.precondition_frequency == 0:
                m = QL @ m @ QR.T
                i, j = (np.argsort(-np.diag(Q.T @ A @ Q)) for A, Q in ((L, QL), (R, QR)))
                QL, QR, v = qr(L @ QL[:, i]), qr(R @ QR[:, j]), v[i][:, j]
                m = QL.T @ m @ QR
        after.append(w)
    return after


def test_every_step_of_a_square_matrix_is_that_of_the_paper() -> None:
    param, gradients = material(steps=9, shape=(1, 4, 4))
    ours = np.array([w for w, _ in run(RULE, param, gradients)])[:, 0]
    np.testing.assert_allclose(ours, peer(param[0], gradients[:, 0], RULE), rtol=0, atol=1e-9)


def test_with_40_digits_it_is_the_same() -> None:
    param, gradients = material(steps=6, shape=(1, 3, 3))
    lifted = SOAP(
        lr=mpmath.mpf(0.1),
        betas=(mpmath.mpf(0.8), mpmath.mpf(0.9)),
        eps=mpmath.mpf(0.01),
        weight_decay=mpmath.mpf(0.3),
        precondition_frequency=2,
    )
    exactly = np.vectorize(mpmath.mpf, otypes=[object])
    with mpmath.workdps(40):
        truth = run(lifted, exactly(param), exactly(gradients))
        for (w, state), (true, kept) in zip(run(RULE, param, gradients), truth, strict=True):
            np.testing.assert_allclose(w, true.astype(float), rtol=0, atol=1e-11)
            for i in range(2):
                Q, L = kept[f"basis_{i}"][0], kept[f"precond_{i}"][0]
                assert max(abs(x) for x in (Q.T @ Q - np.eye(3, dtype=int)).ravel()) < mpmath.mpf(10) ** -38
                np.testing.assert_allclose(state[f"precond_{i}"][0], L.astype(float), rtol=0, atol=1e-13)
                alike = np.abs(np.sum(state[f"basis_{i}"][0] * Q.astype(float), axis=0))
                np.testing.assert_allclose(alike, 1, atol=1e-9)  # the same columns, but for their signs


def test_the_first_gradient_moves_nothing_and_the_second_counts_as_the_first() -> None:
    param, gradients = material(steps=3)
    moved = moves(RULE, param, gradients)
    assert not moved[0].any() and moved[1].any() and moved[2].any()
    _, state = run(RULE, param, gradients)[0]
    assert not state["exp_avg"].any() and not state["exp_avg_sq"].any()


def test_a_vector_is_stepped_by_adam_from_its_second_gradient_on() -> None:
    rng = np.random.default_rng(0)
    param, gradients = rng.standard_normal((1, 5)), rng.standard_normal((6, 1, 5))
    soap, adam = SOAP(lr=0.1, betas=(0.8, 0.9), eps=0.0, weight_decay=0.0), Adam(lr=0.1, betas=(0.8, 0.9), eps=0.0)
    np.testing.assert_allclose(moves(soap, param, gradients)[1:], moves(adam, param, gradients[1:]), rtol=1e-11)
    wide = replace(soap, max_precond_dim=0)  # no axis is short enough
    assert_same_run(soap, wide, param, gradients)


def test_rotated_gradients_make_rotated_steps() -> None:
    param, gradients = material(steps=6, shape=(1, 3, 3))
    P, _ = np.linalg.qr(np.random.default_rng(1).standard_normal((3, 3)))
    plain, turned = (moves(replace(RULE, weight_decay=0.0), param, some) for some in (gradients, P @ gradients))
    np.testing.assert_allclose(turned, P @ plain, rtol=0, atol=1e-10)


def test_an_array_of_more_axes_has_a_basis_for_each_that_is_no_longer_than_allowed() -> None:
    param, gradients = material(steps=4, shape=(2, 3, 6, 2))
    _, state = run(replace(RULE, max_precond_dim=5), param, gradients)[-1]
    assert {key for key in state if key.startswith("basis")} == {"basis_0", "basis_2"}
    for i in (0, 2):
        Q = state[f"basis_{i}"]
        np.testing.assert_allclose(Q.swapaxes(1, 2) @ Q, np.broadcast_to(np.eye(Q.shape[-1]), Q.shape), atol=1e-14)


def test_the_largest_eigenvalue_is_first_and_a_power_iteration_leaves_an_eigenbasis() -> None:
    half = np.random.default_rng(0).standard_normal((2, 4, 4))
    A = half @ half.swapaxes(1, 2)
    Q = eigenvectors(A)
    lam = estimates(A, Q)
    assert np.all(np.diff(lam) < 0)
    again = orthonormal(A @ Q)
    np.testing.assert_allclose(np.abs(np.sum(again * Q, axis=1)), 1, atol=1e-12)


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("back", [False, True])
def test_the_bound_of_a_rotation_holds_in_either_order_and_is_none_for_an_unknown_basis(dtype: str, back: bool) -> None:
    profile = Profile(compute=FORMATS[dtype], accumulate=FORMATS[dtype])
    rng = np.random.default_rng(0)
    for _ in range(50):
        m, n = rng.integers(1, 7, 2)
        x = rng.standard_normal((1, m, n)).astype(dtype)
        left, right = (np.linalg.qr(rng.standard_normal((1, k, k)))[0].astype(dtype) for k in (m, n))
        bases = {i: Bounded.tensor(Q, profile) for i, Q in enumerate((left, right))}
        bounded = rotated(Bounded.tensor(x, profile), bases, back=back)
        P = left if back else left.swapaxes(1, 2)
        Q = right.swapaxes(1, 2) if back else right
        for computed in ((P @ x) @ Q, P @ (x @ Q)):
            assert np.all(np.abs(computed - bounded.value) <= bounded.error)
        assert np.max(bounded.error) < 100 * FORMATS[dtype].u
        unknown = rotated(Bounded.tensor(x, profile), {0: Bounded(left, np.inf, profile)})
        assert np.all(np.isinf(unknown.error))


def test_a_beta_out_of_range_is_refused() -> None:
    with pytest.raises(ParameterError, match="shampoo_beta"):
        SOAP(shampoo_beta=-1.0)
