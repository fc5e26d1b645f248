"""What must follow from the formulas of Adam, AdamW, NAdam, RAdam, Adamax and SparseAdam."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from parity.step.arithmetics import Rounding
from refimpl.arithmetic.bounded import Profile
from refimpl.arithmetic.formats import FORMATS
from refimpl.optimizers import Adam, Adamax, AdamW, NAdam, RAdam, SparseAdam
from tests.refimpl.optimizers.adam_family import AMSGRAD, GRADIENTS, OPTIONS, name_of, run, same


@pytest.mark.every_case
@pytest.mark.parametrize("cls", [Adam, AdamW, Adamax])
def test_without_averages_it_is_descent_by_the_sign(cls: Any) -> None:
    decay = {"weight_decay": 0} if cls is AdamW else {}
    for count, (param, _) in enumerate(run(cls(lr=0.125, betas=(0, 0), eps=0, **decay), GRADIENTS)):
        assert np.array_equal(param, 1 - 0.125 * np.sign(GRADIENTS[: count + 1]).sum(axis=0))


@pytest.mark.parametrize("options", [{}, AMSGRAD[0], {"lr": 0.1, "maximize": True, "eps": 0.01}], ids=str)
def test_adamw_without_decay_is_adam_and_with_it_is_adam_decoupled(options: dict[str, Any]) -> None:
    assert same(run(AdamW(**options, weight_decay=0), GRADIENTS), run(Adam(**options), GRADIENTS))
    decoupled = Adam(**options, weight_decay=0.3, decoupled_weight_decay=True)
    assert same(run(AdamW(**options, weight_decay=0.3), GRADIENTS), run(decoupled, GRADIENTS))
    assert not same(run(decoupled, GRADIENTS), run(replace(decoupled, decoupled_weight_decay=False), GRADIENTS))


@pytest.mark.every_case
@pytest.mark.parametrize("cls", [Adam, AdamW, NAdam, RAdam])
def test_decoupled_decay_alone_shrinks_the_weights_by_1_minus_lr_times_decay(cls: Any) -> None:
    decoupled = {} if cls is AdamW else {"decoupled_weight_decay": True}
    ended = run(cls(lr=0.5, weight_decay=0.5, **decoupled), np.zeros((9, 1, 2)))[-1]
    assert np.all(ended[0] == 0.75**9) and np.all(ended[1]["exp_avg"] == 0)


@pytest.mark.every_case
@pytest.mark.parametrize("cls", [Adam, AdamW])
def test_amsgrads_largest_average_never_falls_and_the_plain_one_does(cls: Any) -> None:
    gradients = GRADIENTS / np.arange(1, 21).reshape(-1, 1, 1)
    states = [state for _, state in run(cls(lr=0.1, betas=(0.5, 0.6), amsgrad=True), gradients)]
    for key, falls in (("max_exp_avg_sq", False), ("exp_avg_sq", True)):
        assert np.any(np.diff([state[key] for state in states], axis=0) < 0) == falls


FIRST_STEP: Mapping[Any, Any] = {
    Adam: lambda g, eps: g / (np.abs(g) + eps),
    AdamW: lambda g, eps: g / (np.abs(g) + eps),
    Adamax: lambda g, eps: g / (np.abs(g) + eps),
    SparseAdam: lambda g, eps: g / (np.abs(g) + eps / np.sqrt(0.001)),
    RAdam: lambda g, _: g,
    # 0.96^{1·ψ} with ψ = 0: μ = 0.45, so (1 − μ)/(1 − μ) + μ·0.1/(1 − μ²)
    NAdam: lambda g, eps: (1 + 0.45 * 0.1 / (1 - 0.45**2)) * g / (np.abs(g) + eps),
}


@pytest.mark.every_case
@pytest.mark.parametrize("cls", FIRST_STEP, ids=name_of)
def test_the_first_step_is_as_long_as_its_corrections_say(cls: Any) -> None:
    options = {AdamW: {"weight_decay": 0}, NAdam: {"momentum_decay": 0}}.get(cls, {})
    after, _ = cls(lr=0.1, eps=0.01, **options).step(np.zeros((1, 4)), GRADIENTS[0], {})
    np.testing.assert_allclose(after, -0.1 * FIRST_STEP[cls](GRADIENTS[0], 0.01), rtol=1e-13)  # 1 − 0.999 has 13 digits


@pytest.mark.every_case
@pytest.mark.parametrize("cls", OPTIONS, ids=name_of)
def test_to_maximize_is_to_minimize_with_the_gradient_reversed(cls: Any) -> None:
    assert same(run(cls(maximize=True), GRADIENTS), run(cls(), -GRADIENTS))


@pytest.mark.every_case
@pytest.mark.parametrize("cls", [Adam, AdamW, NAdam, Adamax, SparseAdam])
def test_without_eps_the_scale_of_the_gradient_does_not_matter(cls: Any) -> None:
    small, large = (run(cls(eps=0), GRADIENTS * scale) for scale in (2.0**-20, 2.0**20))
    assert all(np.array_equal(param, other) for (param, _), (other, _) in zip(small, large, strict=True))


@pytest.mark.parametrize(("beta2", "expected"), [(0.999, 5), (0.8, 6), (0.6, 20)])
def test_radam_is_momentum_until_its_average_has_more_than_5_gradients(beta2: float, expected: int) -> None:
    wild, tame = (run(RAdam(lr=0.1, betas=(0.9, beta2), eps=eps), GRADIENTS) for eps in (10.0, 0.0))
    assert [np.array_equal(a, b) for (a, _), (b, _) in zip(wild, tame, strict=True)].count(True) == expected
    for t, (param, state) in enumerate(wild[1:expected], 2):
        step = 0.1 * state["exp_avg"] / (1 - 0.9**t)
        np.testing.assert_allclose(wild[t - 2][0] - param, step, rtol=1e-13, atol=1e-15)


def test_radam_with_just_5_gradients_in_its_average_is_momentum_as_in_torch() -> None:
    beta2, t = 0.8397685748659791, np.array([[6]])
    if (2 / (1 - beta2) - 1 - 2 * t * beta2**t / (1 - beta2**t)).item() != 5:
        pytest.skip("ρ₆ of this β₂ is 5 in glibc's powers; another one's are rounded otherwise")
    options: dict[str, Any] = {"lr": 0.1, "betas": (0.9, beta2), "eps": 10.0}
    state = {"exp_avg": GRADIENTS[0], "exp_avg_sq": GRADIENTS[1] ** 2}
    after, _ = RAdam(**options).step(np.zeros((1, 4)), GRADIENTS[2], state | {"step": np.array([5])})
    param = torch.nn.Parameter(torch.zeros(1, 4, dtype=torch.float64))
    peer = torch.optim.RAdam([param], foreach=False, **options)
    peer.state[param] = {key: torch.tensor(values) for key, values in state.items()} | {"step": torch.tensor(5.0)}
    param.grad = torch.tensor(GRADIENTS[2])
    peer.step()
    np.testing.assert_allclose(after, param.detach().numpy(), rtol=1e-14)


def test_radam_of_a_long_run_is_adam() -> None:
    gradient, moment = GRADIENTS[:1, 0], np.abs(GRADIENTS[1])
    state = {"step": np.array([10**6]), "exp_avg": GRADIENTS[2], "exp_avg_sq": moment}
    steps = [cls(eps=0).step(np.zeros((1, 4)), gradient, state)[0] for cls in (Adam, RAdam)]
    np.testing.assert_allclose(*steps, rtol=1e-12)


def test_radam_where_no_step_is_ever_rectified_divides_by_nothing() -> None:
    """ρ∞ = 4 makes r's denominator 0, ρ∞ = 2 too; warnings are errors."""
    for beta2 in (0.0, 1 / 3, 0.5, 0.6):
        run(RAdam(betas=(0.9, beta2), eps=0), np.zeros((20, 1, 4)))


def test_each_run_of_a_batch_rectifies_when_its_own_beta2_says() -> None:
    batch = RAdam(lr=0.1, betas=(0.9, np.array([[0.999], [0.9], [0.6]])))
    together = run(batch, np.repeat(GRADIENTS, 3, axis=1))
    for index, beta2 in enumerate((0.999, 0.9, 0.6)):
        alone = run(RAdam(lr=0.1, betas=(0.9, beta2)), GRADIENTS)
        for (param, _), (other, _) in zip(together, alone, strict=True):
            np.testing.assert_allclose(param[index : index + 1], other, rtol=1e-13)


def test_nadams_product_is_that_of_its_momenta() -> None:
    for count, (_, state) in enumerate(run(NAdam(betas=(0.8, 0.999), momentum_decay=0), GRADIENTS), 1):
        np.testing.assert_allclose(state["mu_product"], 0.4**count, rtol=1e-14)  # μ = β₁/2


@pytest.mark.parametrize("scalar", ["float64", "float32"])
@pytest.mark.parametrize("dtype", ["float64", "bfloat16"])
def test_nadams_product_is_rounded_to_float32_whatever_the_dtype(dtype: str, scalar: str) -> None:
    profile = Profile(compute=FORMATS[dtype], accumulate=FORMATS[dtype], scalar=FORMATS[scalar])
    lifted = Rounding(profile)
    state = {key: lifted.tensor(np.full((1, 3), 0.5)) for key in ("exp_avg", "exp_avg_sq")}
    state |= {"step": np.array([3]), "mu_product": lifted.tensor(np.array([0.125]))}
    param = lifted.tensor(np.ones((1, 3)))
    product: Any = lifted.hyper(NAdam()).step(param, param, state)[1]["mu_product"]
    share = product.error / product.value / FORMATS["float32"].u
    assert 2 <= share < 10


def test_adamax_divides_by_the_largest_of_the_decayed_magnitudes() -> None:
    magnitudes = np.abs(GRADIENTS) + 0.125
    for t, (_, state) in enumerate(run(Adamax(betas=(0.9, 0.5), eps=0.125), GRADIENTS)):
        weights = 0.5 ** np.arange(t, -1, -1).reshape(-1, 1, 1)  # powers of two: exact
        assert np.array_equal(state["exp_inf"], (weights * magnitudes[: t + 1]).max(axis=0))


def test_sparse_adam_leaves_alone_what_the_gradient_does_not_hold() -> None:
    rng = np.random.default_rng(0)
    optimizer = SparseAdam(lr=0.1)
    param, state = rng.standard_normal((2, 5, 3)), {}
    for _ in range(4):
        held = rng.random((2, 5, 1)) < 0.5  # whole rows
        grad = np.where(held, rng.standard_normal((2, 5, 3)), np.nan)
        after, new = optimizer.step_sparse(param, grad, held, state)
        dense, of_dense = optimizer.step(param, np.where(held, grad, 0), state)
        for key, before, found, all_held in (
            ("param", param, after, dense),
            *[
                (key, state.get(key, np.zeros_like(param)), new[key], of_dense[key])
                for key in ("exp_avg", "exp_avg_sq")
            ],
        ):
            rows = held[..., 0]
            assert np.array_equal(found[~rows], before[~rows]), key
            assert np.array_equal(found[rows], all_held[rows]), key
            assert np.all(found[rows] != before[rows]), key
        param, state = after, new


def test_sparse_adam_is_not_adam_with_zeros_filled_in() -> None:
    """A held 0 decays the averages and moves the weight; an element that is absent keeps both."""
    optimizer = SparseAdam(lr=0.1)
    param, state = optimizer.step(np.ones((1, 2)), np.ones((1, 2)), {})
    after, new = optimizer.step_sparse(param, np.zeros((1, 2)), np.array([[True, False]]), state)
    assert after[0, 0] < param[0, 0] and after[0, 1] == param[0, 1]
    assert new["exp_avg"][0, 0] < state["exp_avg"][0, 0] and new["exp_avg"][0, 1] == state["exp_avg"][0, 1]


def test_sparse_adam_that_holds_everything_is_adam_with_eps_before_the_correction() -> None:
    """ε√c₂ added after the correction is ε added before it."""
    sparse, state = np.ones((1, 4)), {}
    for t, gradient in enumerate(GRADIENTS, 1):
        adam = Adam(lr=0.1, eps=0.01 / np.sqrt(1 - 0.999**t)).step(sparse, gradient, state)[0]
        sparse, state = SparseAdam(lr=0.1, eps=0.01).step(sparse, gradient, state)
        np.testing.assert_allclose(sparse, adam, rtol=1e-13)
