"""Adafactor as in the paper: its Algorithms 4 to 6 in 50 digits, torch's form where both agree, and closed forms."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from refimpl.optimizers import Adafactor, AdafactorPaper
from tests.refimpl.conftest import FIFTY_DIGITS as DIGITS
from tests.refimpl.optimizers.peers import assert_same_run, material, moves, run

Array = npt.NDArray[Any]


def of_paper(w: list[list[Any]], gradients: list[Any], *, matrix: bool) -> list[list[Any]]:
    """Sums over rows and columns, V = RC/ΣR, and the relative step of the paper; no decay, no momentum."""
    e1, e2, rows, columns = DIGITS.mpf(0.02), DIGITS.mpf(0.3), len(w), len(w[0])
    R, C = [DIGITS.mpf(0)] * rows, [DIGITS.mpf(0)] * columns
    V = [[DIGITS.mpf(0)] * columns for _ in w]
    for t, g in enumerate(gradients, start=1):
        b = 1 - DIGITS.mpf(t) ** DIGITS.mpf(-0.8)
        G = [[x * x + e1 for x in row] for row in g]
        R = [b * a + (1 - b) * DIGITS.fsum(row) for a, row in zip(R, G, strict=True)]
        C = [b * a + (1 - b) * DIGITS.fsum(column) for a, column in zip(C, zip(*G, strict=True), strict=True)]
        own = [[b * a + (1 - b) * x for a, x in zip(*pair, strict=True)] for pair in zip(V, G, strict=True)]
        V = [[r * c / DIGITS.fsum(R) for c in C] for r in R] if matrix else own
        U = [[x / DIGITS.sqrt(v) for x, v in zip(*pair, strict=True)] for pair in zip(g, V, strict=True)]
        step = min(DIGITS.mpf(0.01), 1 / DIGITS.sqrt(t)) * max(e2, rms(w)) / max(1, rms(U))
        w = [[a - step * u for a, u in zip(*pair, strict=True)] for pair in zip(w, U, strict=True)]
    return w


def rms(x: list[list[Any]]) -> Any:
    return DIGITS.sqrt(DIGITS.fsum(a * a for row in x for a in row) / (len(x) * len(x[0])))


@pytest.mark.parametrize("least", [0, 9], ids=["factored", "too-short"])
def test_its_steps_are_the_papers(least: int, high_precision: Any) -> None:
    param, gradients = material(shape=(1, 3, 4))
    ours = high_precision.hyper(AdafactorPaper(eps=(0.02, 0.3), min_dim_size_to_factor=least))
    *_, (after, _) = run(ours, high_precision.array(param), [high_precision.array(g) for g in gradients])
    numbers: list[Any] = [[[DIGITS.mpf(float(x)) for x in row] for row in one] for one in (param[0], *gradients[:, 0])]
    expected = of_paper(numbers[0], numbers[1:], matrix=not least)
    assert (
        max(abs(a - b) for a, b in zip(after.ravel(), (x for row in expected for x in row), strict=True))
        < DIGITS.mpf(10) ** -40
    )


@pytest.mark.parametrize("shape", [(1, 3, 4), (1, 5)])
def test_without_its_epsilons_and_decay_it_is_torchs_form(shape: tuple[int, ...]) -> None:
    """ε₁ acts in neither, and torch's relative step is min(η, 1/√t), too."""
    paper = AdafactorPaper(lr=0.3, eps=(0.0, 0.1), clip_threshold=1.5)
    assert_same_run(paper, Adafactor(lr=0.3, eps=(0.0, 0.1), d=1.5), *material(shape=shape))


def test_a_constant_gradient_moves_by_the_rate_and_a_warm_up_makes_it_grow() -> None:
    """u = sign g, whose RMS is 1, so that the clip does not act."""
    gradients = [np.array([[3.0, -0.25]])] * 40
    signs = np.sign(gradients[0])
    plain = moves(AdafactorPaper(lr=0.01, scale_parameter=False, relative_step=False), np.zeros((1, 2)), gradients)
    np.testing.assert_allclose(plain, [-0.01 * signs] * 40, rtol=1e-13)
    warm = moves(AdafactorPaper(scale_parameter=False, warmup_init=True), np.zeros((1, 2)), gradients)
    np.testing.assert_allclose(warm, [-1e-6 * t * signs for t in range(1, 41)], rtol=1e-12)
    late = moves(AdafactorPaper(lr=0.5, scale_parameter=False), np.zeros((1, 2)), gradients)
    np.testing.assert_allclose(late, [-min(0.5, t**-0.5) * signs for t in range(1, 41)], rtol=1e-12)


def test_momentum_averages_finished_steps_and_the_decay_has_their_rate() -> None:
    param, (gradient, *_) = material()
    options: dict[str, Any] = {"lr": 0.5, "relative_step": False, "eps": (0.0, 0.001)}
    step = param - AdafactorPaper(**options).step(param, gradient, {})[0]
    after, state = AdafactorPaper(**options, beta1=0.75).step(param, gradient, {})
    np.testing.assert_allclose(param - after, 0.25 * step, rtol=1e-12)
    np.testing.assert_allclose(state["exp_avg"], 0.25 * step, rtol=1e-14)
    decayed, _ = AdafactorPaper(**options, weight_decay=0.25).step(param, gradient, {})
    rate = 0.5 * np.sqrt(np.mean(param**2, axis=(1, 2), keepdims=True))
    np.testing.assert_allclose(decayed, param * (1 - 0.25 * rate) - step, rtol=1e-12)


def test_rows_without_a_gradient_stay_where_they_are() -> None:
    """ε₁ keeps 0/0 away, and no product of two of them underflows."""
    param, gradients = np.ones((1, 3, 4)), np.zeros((1, 3, 4))
    assert np.array_equal(AdafactorPaper().step(param, gradients, {})[0], param)
    gradients[0, 0] = 1.0
    after, _ = AdafactorPaper().step(param.astype("float32"), gradients.astype("float32"), {})
    assert np.all(np.isfinite(after)) and np.array_equal(after[0, 1:], param[0, 1:])
