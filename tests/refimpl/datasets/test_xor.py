"""XOR is the table of exclusive or, and its best linear fit is the constant ½."""

from __future__ import annotations

import numpy as np

from refimpl.datasets import XOR


def test_the_rows_are_the_truth_table() -> None:
    data = XOR().make(np.random.default_rng(0))
    assert data.X.shape == (1, 4, 2) and data.y.shape == (1, 4, 1)
    rows = [(int(a), int(b), int(c)) for (a, b), (c,) in zip(data.X[0], data.y[0], strict=True)]
    assert rows == [(a, b, a ^ b) for a in (0, 1) for b in (0, 1)]
    assert data.X_validation is None and data.y_validation is None and data.truth is None


def test_nothing_is_drawn_from_the_generator() -> None:
    rng = np.random.default_rng(0)
    before = rng.bit_generator.state
    XOR().make(rng)
    assert rng.bit_generator.state == before


def test_the_best_linear_fit_is_one_half_with_mean_squared_error_one_quarter() -> None:
    data = XOR().make(np.random.default_rng(0))
    A = np.concatenate([data.X[0], np.ones((4, 1))], axis=1)
    solution, squares, *_ = np.linalg.lstsq(A, data.y[0], rcond=None)
    np.testing.assert_allclose(solution[:, 0], [0, 0, 0.5], atol=1e-15)
    np.testing.assert_allclose(squares / 4, [0.25])
