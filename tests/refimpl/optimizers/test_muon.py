"""Muon: its iteration in closed form through the singular values, and what must follow from the formulas."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from refimpl.errors import ParameterError
from refimpl.optimizers import Muon

Array = npt.NDArray[Any]
SHAPES = [(1, 1), (3, 5), (5, 3), (17, 33), (33, 17)]


def orthogonalised(gradient: Array, **options: Any) -> Array:
    """The direction of the first step: w = 0 and η = 1, so that the step is −O but for the adjustment."""
    rows, columns = gradient.shape[-2:]
    after, _ = Muon(lr=1.0, weight_decay=0.0, **options).step(np.zeros_like(gradient), gradient, {})
    return -after / np.sqrt(max(1, rows / columns))


def polynomial(sigma: Array, steps: int = 5) -> Array:
    for _ in range(steps):
        sigma = 3.4445 * sigma - 4.775 * sigma**3 + 2.0315 * sigma**5
    return sigma


@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("steps", [0, 1, 5])
def test_it_maps_each_singular_value_and_keeps_the_singular_vectors(shape: tuple[int, int], steps: int) -> None:
    gradient = np.random.default_rng(0).standard_normal((3, *shape))
    U, sigma, Vt = np.linalg.svd(gradient, full_matrices=False)
    sigma = polynomial(sigma / np.sqrt((sigma**2).sum(axis=1, keepdims=True)), steps)
    found = orthogonalised(gradient, ns_steps=steps)
    np.testing.assert_allclose(found, U * sigma[:, None, :] @ Vt, rtol=0, atol=1e-12)


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_singular_values_above_a_fortieth_of_the_norm_end_between_two_thirds_and_five_fourths(
    shape: tuple[int, int],
) -> None:
    assert np.all((polynomial(np.linspace(0.025, 1, 100_000)) > 0.66) & (polynomial(np.linspace(0, 1, 100_000)) < 1.25))
    gradient = np.random.default_rng(0).standard_normal((1, *shape))
    sigma = np.linalg.svd(gradient, compute_uv=False)
    found = orthogonalised(gradient)
    inside = sigma > 0.025 * np.sqrt((sigma**2).sum())
    ends = np.linalg.svd(found, compute_uv=False)[:, : int(inside.sum())]
    assert inside.any() and np.all((ends > 0.66) & (ends < 1.25))


def test_with_the_coefficients_of_newton_and_schulz_it_converges_to_the_polar_factor() -> None:
    gradient = np.random.default_rng(0).standard_normal((1, 3, 5))
    U, _, Vt = np.linalg.svd(gradient, full_matrices=False)
    found = orthogonalised(gradient, ns_coefficients=(15 / 8, -10 / 8, 3 / 8), ns_steps=40)
    np.testing.assert_allclose(found, U @ Vt, rtol=0, atol=1e-13)


@pytest.mark.parametrize("shape", [(3, 5), (17, 33)], ids=str)
def test_the_step_of_the_transposed_matrix_is_the_transposed_step(shape: tuple[int, int]) -> None:
    rng = np.random.default_rng(0)
    param, gradient = rng.standard_normal((2, 1, *shape))
    ours = Muon(lr=0.1, adjust_lr_fn="match_rms_adamw")
    after, _ = ours.step(param, gradient, {})
    turned, _ = ours.step(param.swapaxes(1, 2), gradient.swapaxes(1, 2), {})
    np.testing.assert_allclose(turned.swapaxes(1, 2), after, rtol=0, atol=1e-15)


@pytest.mark.parametrize(("shape", "transposed"), [((3, 5), False), ((4, 4), False), ((5, 3), True)])
def test_the_products_are_of_the_shorter_side_as_torchs_are(shape: tuple[int, int], transposed: bool) -> None:
    gradient = np.random.default_rng(0).standard_normal((2, *shape))
    start = Muon().start(gradient)
    turned = gradient.swapaxes(1, 2) if transposed else gradient
    np.testing.assert_allclose(start * np.linalg.norm(turned, axis=(1, 2), keepdims=True), turned, rtol=1e-14)
    assert Muon().gram(start).shape == (2, min(shape), min(shape))


def test_the_direction_does_not_depend_on_the_scale_of_the_gradient_but_for_eps() -> None:
    gradient = np.random.default_rng(0).standard_normal((1, 3, 5))
    np.testing.assert_allclose(orthogonalised(1e6 * gradient), orthogonalised(gradient), rtol=0, atol=1e-13)
    size = float(np.linalg.norm(gradient))
    assert np.array_equal(
        orthogonalised(gradient, ns_steps=0, eps=2 * size, nesterov=False, momentum=0.0), gradient / (2 * size)
    )


@pytest.mark.parametrize("nesterov", [False, True])
def test_the_buffer_is_torchs_documented_one_times_1_minus_momentum_and_gives_the_same_step(nesterov: bool) -> None:
    rng, mu = np.random.default_rng(0), 0.75
    ours = Muon(lr=0.1, momentum=mu, nesterov=nesterov, weight_decay=0.0)
    plain = Muon(lr=0.1, momentum=0.0, weight_decay=0.0)
    param, state, documented = np.zeros((1, 3, 5)), {}, np.zeros((1, 3, 5))
    for gradient in rng.standard_normal((6, 1, 3, 5)):
        documented = mu * documented + gradient
        expected, _ = plain.step(param, gradient + mu * documented if nesterov else documented, {})
        param, state = ours.step(param, gradient, state)
        np.testing.assert_allclose(state["momentum_buffer"], (1 - mu) * documented, rtol=0, atol=1e-15)
        np.testing.assert_allclose(param, expected, rtol=0, atol=1e-13)


@pytest.mark.parametrize(("shape", "factor"), [((5, 3), np.sqrt(5 / 3)), ((3, 5), 1.0)])
def test_the_adjusted_rate_is_what_the_documentation_says(shape: tuple[int, int], factor: float) -> None:
    gradient = np.random.default_rng(0).standard_normal((1, *shape))

    def step(adjust: Any) -> Array:
        after, _ = Muon(lr=0.5, weight_decay=0.0, adjust_lr_fn=adjust).step(np.zeros_like(gradient), gradient, {})
        return after

    np.testing.assert_allclose(step("match_rms_adamw"), step(None) * (0.2 * np.sqrt(5) / factor), rtol=1e-15)
    assert np.array_equal(step("original"), step(None))


def test_without_gradient_only_the_decay_acts_at_the_unadjusted_rate() -> None:
    param, _ = Muon(lr=0.5, weight_decay=0.5).step(np.ones((2, 8, 2)), np.zeros((2, 8, 2)), {})
    assert np.all(param == 0.75)


def test_what_is_no_matrix_is_refused() -> None:
    for shape in ((2, 3), (2, 3, 4, 5)):
        given, remedy = f"a parameter of shape {shape[1:]}", "give it to another optimizer, such as AdamW"
        message = f"param: given {given}; allowed: matrices; {remedy}"
        with pytest.raises(ParameterError, match=f"^{re.escape(message)}$"):
            Muon().init(np.ones(shape))


def test_a_hundred_steps_of_newton_and_schulz_are_refused_in_words() -> None:
    with pytest.raises(ParameterError, match=r"^ns_steps: given 100; allowed: fewer than 100; change ns_steps$"):
        Muon(ns_steps=100)
    Muon(ns_steps=99)


@pytest.mark.parametrize("bad", [{"ns_steps": 100}, {"ns_steps": -1}, {"adjust_lr_fn": "other"}], ids=str)
def test_what_torch_refuses_is_refused(bad: dict[str, Any]) -> None:
    with pytest.raises(ParameterError, match=f"^{next(iter(bad))}: given"):
        Muon(**bad)
