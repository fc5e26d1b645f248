"""Cross-entropy: the value is SciPy's, the gradient its derivative, for huge outputs, too; torch is within bounds."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import torch
from scipy import special

from refimpl.arithmetic.bounded import Bounded, Profile
from refimpl.arithmetic.formats import FORMATS
from refimpl.errors import DataError
from refimpl.losses import CrossEntropy

Array = npt.NDArray[Any]
RUNS, ROWS, CLASSES = 2, 5, 4
REDUCTIONS: Any = ["mean", "sum"]


def drawn(scale: float = 1.0, seed: int = 0) -> tuple[Array, Array]:
    """Outputs ``(runs, n, k)`` and targets ``(1, n, 1)``."""
    rng = np.random.default_rng(seed)
    return scale * rng.standard_normal((RUNS, ROWS, CLASSES)), rng.integers(CLASSES, size=(1, ROWS, 1)).astype(float)


@pytest.mark.parametrize("reduction", REDUCTIONS)
@pytest.mark.parametrize("scale", [1.0, 30.0, 1e300])
def test_the_value_is_that_of_another_library(reduction: Any, scale: float) -> None:
    z, y = drawn(scale)
    of_class = np.take_along_axis(special.log_softmax(z, axis=2), np.repeat(y.astype(int), RUNS, axis=0), axis=2)
    expected = -of_class.sum(axis=(1, 2)) / (ROWS if reduction == "mean" else 1)
    assert CrossEntropy(reduction=reduction).value(z, y) == pytest.approx(expected, rel=1e-15)


def test_equal_outputs_cost_the_logarithm_of_the_number_of_classes() -> None:
    y = drawn()[1]
    for level in (0.0, 3.0, -1e5):
        z = np.full((1, ROWS, CLASSES), level)
        assert CrossEntropy(reduction="mean").value(z, y) == pytest.approx(math.log(CLASSES), rel=1e-15)
        gradient = CrossEntropy(reduction="sum").gradient(z, y)
        assert gradient.sum(axis=2) == pytest.approx(0, abs=1e-15)
        assert sorted(set(gradient.ravel().round(12))) == [1 / CLASSES - 1, 1 / CLASSES]


def test_adding_a_number_to_all_outputs_of_a_row_changes_nothing() -> None:
    z, y = drawn()
    z = np.rint(z * 2**20) / 2**20  # so that the sum with the shift is exact
    loss, shift = CrossEntropy(reduction="mean"), np.array([0, 1, -64, 512, 4096.0])[:, None]
    assert np.array_equal(loss.value(z + shift, y), loss.value(z, y))
    assert np.array_equal(loss.gradient(z + shift, y), loss.gradient(z, y))


@pytest.mark.parametrize("reduction", REDUCTIONS)
@pytest.mark.parametrize("scale", [1.0, 20.0])
def test_the_gradient_is_the_derivative_of_the_value(reduction: Any, scale: float, high_precision: Any) -> None:
    z, y = drawn(scale)
    loss, step, exact = CrossEntropy(reduction=reduction), high_precision.number("1e-20"), high_precision.array(z)
    slope = np.empty(z.shape, object)
    for index in np.ndindex(*z.shape):
        up, down = exact.copy(), exact.copy()
        up[index], down[index] = up[index] + step, down[index] - step
        slope[index] = ((loss.value(up, y) - loss.value(down, y)) / (2 * step))[index[0]]
    cancels = (y == np.arange(CLASSES)) / loss.divisor(z)  # p − 1, of p near 1
    room = 4e-16 * (1 + 4 * scale) * (np.abs(slope) + cancels) + 1e-25  # an exponential of −d is off by about d·u
    assert np.all(np.abs(loss.gradient(z, y) - slope) <= room)
    assert np.all(np.abs(loss.gradient(exact, y) - slope) <= 1e-25)


@pytest.mark.parametrize("size", [1.0, 700.0, 1e5, 1e300])
def test_huge_outputs_neither_overflow_nor_lose_digits(size: float, high_precision: Any) -> None:
    """Where exp(z) itself would be infinite or 0, against 50 digits."""
    y = np.array([[[0.0], [1.0], [2.0]]])
    z = size * np.array([[[1.0, -1.0, 0.5], [1.0, 1.0, -1.0], [0.25, -0.25, 0.0]]])
    loss = CrossEntropy(reduction="mean")
    exact = loss.value(high_precision.array(z), y)
    assert np.all(np.abs(loss.value(z, y) - exact) <= 4e-16 * np.abs(exact))
    assert np.all(np.isfinite(loss.gradient(z, y)))


def test_runs_do_not_see_each_other() -> None:
    z, y = drawn()
    for function in (CrossEntropy(reduction="mean").value, CrossEntropy(reduction="mean").gradient):
        assert np.array_equal(function(z, y)[1:], function(z[1:], y))


FORMS: dict[str, Any] = {
    "torch.nn.functional.cross_entropy": lambda z, y, reduction: torch.nn.functional.cross_entropy(
        z, y, reduction=reduction
    ),
    "logsumexp": lambda z, y, reduction: getattr(torch.logsumexp(z, 1) - z.gather(1, y[:, None])[:, 0], reduction)(),
}


@pytest.mark.parametrize("dtype", ["float64", "float32", "bfloat16"])
@pytest.mark.parametrize("form", FORMS)
def test_torch_is_within_the_bounds_in_each_of_its_forms_and_near_them(form: str, dtype: str) -> None:
    worst: dict[str, float] = {"value": 0.0, "gradient": 0.0}
    accumulate = "float32" if dtype == "bfloat16" else dtype
    profile = Profile(compute=FORMATS[dtype], accumulate=FORMATS[accumulate])
    for seed in range(25):
        rng = np.random.default_rng(seed)
        rows, k = int(rng.integers(1, 40)), int(rng.integers(2, 12))
        z = FORMATS[dtype].round(10 ** rng.uniform(-2, 1.7) * rng.standard_normal((rows, k))).astype(float)
        y = rng.integers(k, size=rows)
        reduction = REDUCTIONS[seed % 2]
        loss = CrossEntropy(reduction=reduction)
        outputs = torch.tensor(z, dtype=getattr(torch, dtype), requires_grad=True)
        value = FORMS[form](outputs, torch.tensor(y), reduction)
        value.backward()
        assert outputs.grad is not None
        found = {"value": value.item(), "gradient": outputs.grad.double().numpy()}
        for name, candidate in found.items():
            bounded: Any = getattr(loss, name)(Bounded.tensor(z[None], profile), y[None, :, None].astype(float))
            used = np.abs(candidate - bounded.value[0]) / bounded.error[0]
            worst[name] = max(worst[name], float(np.max(used)))
    assert 0.05 < worst["value"] <= 1
    assert 0.05 < worst["gradient"] <= 1


@pytest.mark.parametrize("fault", [1e-5, -1e-5])
def test_a_gradient_that_is_off_by_1e_5_is_outside_the_bounds_of_float32(fault: float) -> None:
    z, y = drawn()
    profile = Profile(compute=FORMATS["float32"], accumulate=FORMATS["float32"])
    z = FORMATS["float32"].round(z).astype(float)
    bounded: Any = CrossEntropy(reduction="mean").gradient(Bounded.tensor(z, profile), y)
    assert np.all(np.abs(bounded.value * (1 + fault) - bounded.value) > bounded.error)


@pytest.mark.parametrize("target", [-1.0, 4.0, 0.5])
def test_a_target_that_is_no_class_is_refused(target: float) -> None:
    y = np.array([[[0.0], [target], [3.0]]])
    with pytest.raises(DataError) as refused:
        CrossEntropy(reduction="mean").check_classes("y", y, CLASSES)
    assert str(refused.value) == (
        f"y[0, 1, 0]: given {target}; allowed: a class from 0 to 3, the model's outputs; "
        "number the classes from 0, or give the model an output for each"
    )
    CrossEntropy(reduction="mean").check_classes("y", np.array([[[0.0], [3.0]]]), CLASSES)


@pytest.mark.parametrize("function", ["value", "gradient"])
def test_targets_are_numbers_of_classes_in_every_arithmetic(function: str, high_precision: Any) -> None:
    z, y = drawn()
    profile = Profile(compute=FORMATS["float64"], accumulate=FORMATS["float64"])
    compute = getattr(CrossEntropy(reduction="mean"), function)
    bounded = Bounded.tensor(z, profile)
    assert np.array_equal(compute(bounded, Bounded.tensor(y, profile)).value, compute(bounded, y).value)
    exact = high_precision.array(z)
    assert np.array_equal(compute(exact, high_precision.array(y)), compute(exact, y))
