"""A^(−1/p) G: the same in every arithmetic, and a bound that holds for LAPACK's decompositions and is no empty one."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from scipy.integrate import quad
from scipy.linalg import fractional_matrix_power

from refimpl.arithmetic.bounded import Bounded, Profile
from refimpl.arithmetic.formats import FORMATS
from refimpl.arithmetic.roots import _integral, times_inverse_root

Array = npt.NDArray[Any]


def material(n: int, condition: float, seed: int = 0) -> tuple[Array, Array]:
    """A symmetric matrix with that condition number, and three columns."""
    rng = np.random.default_rng(seed)
    Q, _ = np.linalg.qr(rng.standard_normal((n, n)))
    lam = np.geomspace(1, condition, n) if n > 1 else np.ones(1)
    A = Q * lam @ Q.T
    return (A + A.T) / 2, rng.standard_normal((n, 3))


def bounded(A: Array, p: int, G: Array, dtype: str, error: Array | float = 0) -> Bounded:
    profile = Profile(compute=FORMATS[dtype], accumulate=FORMATS[dtype])
    result = times_inverse_root(
        Bounded(A[None], np.broadcast_to(error, (1, *A.shape)), profile), p, Bounded.tensor(G[None], profile)
    )
    assert isinstance(result, Bounded)
    return result


def by_eigh(A: Array, p: int, G: Array) -> Array:
    lam, V = np.linalg.eigh(A)
    return (V * lam ** A.dtype.type(-1 / p)) @ V.T @ G


def by_svd(A: Array, p: int, G: Array) -> Array:
    U, s, Vt = np.linalg.svd(A)
    return (U * s ** A.dtype.type(-1 / p)) @ Vt @ G


def truth(A: Array, p: int, G: Array) -> Array:
    return times_inverse_root(A[None].astype(np.longdouble), p, G[None].astype(np.longdouble))[0]


@pytest.mark.parametrize("p", [2, 4, 6])
@pytest.mark.parametrize("n", [1, 2, 7])
def test_it_is_the_root_in_every_arithmetic(n: int, p: int, high_precision: Any) -> None:
    A, G = material(n, 100.0)
    expected = fractional_matrix_power(A, -1 / p) @ G
    for array in (np.asarray, lambda x: x.astype(np.longdouble), high_precision.array):
        found = times_inverse_root(array(A[None]), p, array(G[None]))[0]
        np.testing.assert_allclose(found.astype(float), expected, rtol=0, atol=1e-13)


def test_fifty_digits_give_back_the_matrix(high_precision: Any) -> None:
    """(A^(−1/4))⁴ A = I, to 45 digits."""
    A, _ = material(4, 100.0)
    found = high_precision.array(A)[None]
    for _ in range(4):
        found = times_inverse_root(high_precision.array(A)[None], 4, found)
    off = found[0] - np.where(np.eye(4, dtype=bool), high_precision.number(1), high_precision.number(0))
    assert max(map(abs, off.ravel())) < high_precision.number(10) ** -45


@pytest.mark.parametrize("p", [2, 4, 6])
@pytest.mark.parametrize(
    ("dtype", "condition"), [("float64", 10.0), ("float64", 1e6), ("float32", 10.0), ("float32", 300.0)]
)
@pytest.mark.parametrize("n", [1, 2, 5, 16])
def test_the_bound_holds_for_both_decompositions_of_lapack(n: int, dtype: str, condition: float, p: int) -> None:
    for seed in range(5):
        A, G = (x.astype(dtype) for x in material(n, condition, seed))
        error = bounded(A.astype(float), p, G.astype(float), dtype).error[0]
        for code in (by_eigh, by_svd):
            assert np.all(np.abs(code(A, p, G) - truth(A, p, G)) <= error)


@pytest.mark.parametrize(
    ("dtype", "n", "condition", "promise"),
    [("float64", 16, 1e3, 1e-7), ("float64", 5, 10.0, 1e-10), ("float32", 5, 10.0, 0.02)],
)
def test_the_bound_is_no_empty_one(dtype: str, n: int, condition: float, promise: float) -> None:
    A, G = material(n, condition)
    found = bounded(A, 4, G, dtype)
    assert np.all(found.error <= promise * np.abs(found.value).max())


@pytest.mark.parametrize("p", [2, 4])
def test_it_reaches_to_a_pth_of_what_an_error_of_the_matrix_can_do(p: int) -> None:
    """E is along the eigenvector of the smallest eigenvalue; the factor p is for an E that is not symmetric."""
    A, _ = material(4, 50.0)
    _, V = np.linalg.eigh(A)
    E = 1e-5 * np.outer(V[:, 0], V[:, 0])
    found = bounded(A, p, V[:, :1], "float64", np.abs(E))
    moved = np.abs(times_inverse_root((A - E)[None], p, V[None, :, :1])[0] - found.value[0])
    assert np.all(moved <= found.error[0]) and np.linalg.norm(moved) >= np.linalg.norm(found.error[0]) / (2.5 * p)


def test_an_error_that_is_not_symmetric_stays_within_the_bound_of_a_singular_value_decomposition() -> None:
    rng = np.random.default_rng(0)
    for seed in range(20):
        A, G = material(5, 200.0, seed)
        E = 1e-3 * rng.standard_normal((5, 5))
        found = bounded(A, 4, G, "float64", np.abs(E))
        assert np.all(np.isfinite(found.error)) and np.all(
            np.abs(by_svd(A + E, 4, G) - found.value[0]) <= found.error[0]
        )


def test_a_matrix_that_rounding_could_make_singular_has_no_bound() -> None:
    A, G = material(5, 1e5)
    assert np.all(np.isinf(bounded(A, 4, G, "float32").error)) and np.all(
        np.isfinite(bounded(A, 4, G, "float64").error)
    )
    assert np.all(np.isinf(bounded(0 * A, 4, G, "float64").error))
    assert np.all(np.isinf(bounded(np.full((5, 5), np.nan), 4, G, "float64").error))


@pytest.mark.parametrize("p", [2, 4, 6])
def test_the_integral_is_bounded_from_above_and_within_three_times(p: int) -> None:
    lam = np.array([1e-4, 0.3, 1.0, 50.0])
    found = _integral(lam, p)
    factor = 2 / np.pi * np.cos(np.pi / (2 * p))
    for i, a in enumerate(lam):
        for j, b in enumerate(lam):

            def density(x: float, a: float = a, b: float = b) -> float:  # τ = eˣ
                t = np.exp(x)
                return float(t ** (1 - 1 / p) / np.sqrt((a * a + t * t) * (b * b + t * t)))

            exact = factor * quad(density, -60, 60, limit=400, points=[np.log(a), np.log(b)])[0]
            assert exact * (1 - 1e-6) <= found[i, j] <= 3 * exact
    np.testing.assert_allclose(np.diagonal(found), lam ** (-1 - 1 / p), rtol=1e-12)


def test_without_elements_there_is_nothing_to_do() -> None:
    assert times_inverse_root(np.ones((2, 0, 0)), 2, np.ones((2, 0, 1))).shape == (2, 0, 1)
    assert bounded(np.ones((0, 0)), 2, np.ones((0, 1)), "float64").shape == (1, 0, 1)


def test_a_run_that_is_not_finite_leaves_the_others_as_they_are() -> None:
    A, G = material(3, 10.0)
    found = times_inverse_root(np.stack([A, np.nan * A]), 4, np.stack([G, G]))
    np.testing.assert_array_equal(found[0], times_inverse_root(A[None], 4, G[None])[0])
    assert np.isnan(found[1]).all()
