"""Reductions run over everything but the axis of runs."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from refimpl.reductions import norm, squared_norm, total

ARRAYS = hnp.arrays(np.float64, hnp.array_shapes(min_dims=2, max_dims=4, max_side=4), elements=st.floats(-1e6, 1e6))


@given(x=ARRAYS)
def test_total_is_the_sum_of_each_run(x: npt.NDArray[Any]) -> None:
    for run, found in zip(x, total(x), strict=True):
        bound = 64 * 2.0**-53 * math.fsum(np.abs(run).ravel())
        assert abs(found - math.fsum(run.ravel())) <= bound


@given(x=ARRAYS)
def test_norm_is_the_euclidean_norm_of_all_arrays_of_a_run_together(x: npt.NDArray[Any]) -> None:
    y = 2 * x[:, :1]
    for run, (alone, both) in enumerate(zip(norm(x), norm(x, y), strict=True)):
        parts = np.where(np.abs(x[run]) < 1e-100, 0, x[run]).ravel()
        np.testing.assert_allclose(alone, math.hypot(*parts), rtol=1e-14, atol=1e-99)
        np.testing.assert_allclose(both, math.hypot(*parts, *y[run].ravel()), rtol=1e-14, atol=1e-99)


def test_squared_norm_keeps_runs_apart() -> None:
    assert squared_norm(np.array([[[3.0, 4.0]], [[1.0, 2.0]]])).tolist() == [25.0, 5.0]
