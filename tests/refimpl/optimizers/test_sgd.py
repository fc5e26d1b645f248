"""SGD is ``torch.optim.SGD``, step by step."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from refimpl.batches import Batches
from refimpl.errors import ParameterError
from refimpl.losses import SquaredError
from refimpl.models import Linear
from refimpl.optimizers import SGD
from refimpl.penalties import L2
from refimpl.problem import Problem
from refimpl.training import Group, train

Array = npt.NDArray[Any]
STEPS = 40
OPTIONS: list[dict[str, Any]] = [
    {},
    {"maximize": True},
    {"weight_decay": 0.3},
    {"weight_decay": 0.3, "maximize": True},
    {"momentum": 0.9},
    {"momentum": 1.5},
    {"momentum": 0.9, "dampening": 0.4},
    {"momentum": 0.9, "dampening": 1.0},
    {"momentum": 0.9, "dampening": -0.5},
    {"momentum": 0.9, "dampening": 0.4, "maximize": True, "weight_decay": 0.3},
    {"momentum": 0.9, "nesterov": True},
    {"momentum": 0.9, "nesterov": True, "maximize": True, "weight_decay": 0.3},
    {"dampening": 0.4},
    {"dampening": 0.4, "weight_decay": 0.3},
]


@pytest.mark.every_case
@given(seed=st.integers(0, 2**32), lr=st.sampled_from([0.01, 0.1, 0.5]))
@settings(max_examples=3)
@pytest.mark.parametrize("options", OPTIONS, ids=str)
def test_weights_and_buffer_are_those_of_torch_after_every_step(options: dict[str, Any], seed: int, lr: float) -> None:
    rng = np.random.default_rng(seed)
    param = rng.standard_normal((1, 1, 5))
    optimizer = SGD(lr=lr, **options)
    peer_param = torch.nn.Parameter(torch.tensor(param))
    peer = torch.optim.SGD([peer_param], lr=lr, foreach=False, **options)
    state = optimizer.init(param)
    for _ in range(STEPS):
        gradient = rng.standard_normal(param.shape)
        peer_param.grad = torch.tensor(gradient)
        peer.step()
        param, state = optimizer.step(param, gradient, state)
        scale = max(1, np.abs(param).max(), *(np.abs(values).max() for values in state.values()))
        np.testing.assert_allclose(param, peer_param.detach().numpy(), rtol=0, atol=4e-15 * scale)
        kept = {key: values for key, values in peer.state[peer_param].items() if values is not None}
        assert set(state) == set(kept)
        for key, values in state.items():
            np.testing.assert_allclose(values, kept[key].numpy(), rtol=0, atol=4e-15 * scale)


@pytest.mark.parametrize("momentum", [0.0, 0.9])
@pytest.mark.parametrize("dampening", [0.0, 0.5])
@pytest.mark.parametrize("nesterov", [True, False])
def test_what_torch_refuses_is_refused(momentum: float, dampening: float, nesterov: bool) -> None:
    options = {"momentum": momentum, "dampening": dampening, "nesterov": nesterov}
    refusals = []
    for make in (lambda: torch.optim.SGD([torch.zeros(1)], lr=0.1, **options), lambda: SGD(lr=0.1, **options)):
        try:
            make()
            refusals.append(False)
        except ValueError:
            refusals.append(True)
    assert refusals[0] == refusals[1]


@pytest.mark.parametrize(("momentum", "dampening"), [(0.0, 0.0), (0.5, 0.25)])
def test_a_refusal_of_nesterov_says_what_torch_demands(momentum: float, dampening: float) -> None:
    message = (
        f"^nesterov: given nesterov with momentum {momentum} and dampening {dampening}; "
        "allowed: nesterov with momentum > 0 and dampening 0; "
        "set momentum above 0 and dampening to 0, as torch demands$"
    )
    with pytest.raises(ParameterError, match=message):
        SGD(lr=0.1, nesterov=True, momentum=momentum, dampening=dampening)


def test_the_first_step_is_not_dampened_and_the_second_is() -> None:
    w, g = np.zeros((1, 1)), np.ones((1, 1))
    optimizer = SGD(lr=1.0, momentum=0.5, dampening=0.25)
    w, state = optimizer.step(w, g, optimizer.init(w))
    assert w.item() == -1.0  # b = 1
    w, state = optimizer.step(w, g, state)
    assert (w.item(), state["momentum_buffer"].item()) == (-2.25, 1.25)  # b = ½·1 + ¾·1


@given(seed=st.integers(0, 2**32))
@settings(max_examples=20)
@pytest.mark.parametrize("options", [{}, {"momentum": 0.9, "dampening": 0.4}, {"momentum": 0.9, "nesterov": True}])
def test_an_l2_penalty_in_the_gradient_is_coupled_weight_decay_bit_for_bit(options: dict[str, Any], seed: int) -> None:
    rng = np.random.default_rng(seed)
    X, y = rng.standard_normal((1, 6, 3)), rng.standard_normal((1, 6, 1))
    params = {"weight": rng.standard_normal((1, 1, 3)), "bias": np.zeros((1, 1))}
    order = Batches(size=2).draw(6, 5, rng)
    plain = Problem(model=Linear(), loss=SquaredError(factor=0.5, reduction="mean"))
    penalised = replace(plain, penalties=(L2(strength=0.3),))
    free = SGD(lr=0.1, **options)
    decayed = replace(free, weight_decay=0.3)
    groups = [Group(parameters=("weight",), optimizer=decayed), Group(parameters=("bias",), optimizer=free)]
    by_optimizer = train(plain, groups, params, X, y, order)
    by_penalty = train(penalised, [Group(parameters=("weight", "bias"), optimizer=free)], params, X, y, order)
    for name in params:
        assert np.array_equal(by_optimizer.params[name], by_penalty.params[name])


def test_under_maximize_the_decay_still_shrinks() -> None:
    w = np.full((1, 1), 8.0)
    after, _ = SGD(lr=0.5, weight_decay=0.5, maximize=True).step(w, np.zeros((1, 1)), {})
    assert after.item() == 6.0


@given(
    momentum=st.sampled_from([0.0, 0.5, 0.75]),
    dampening=st.sampled_from([0.0, 0.25]),
    decay=st.sampled_from([0.0, 0.5]),
    seed=st.integers(0, 2**32),
)
@settings(max_examples=20)
def test_the_weight_is_the_sum_that_unrolling_the_recurrence_gives(
    momentum: float, dampening: float, decay: float, seed: int
) -> None:
    """w_K = w₀ − η Σ_k d_k with d_k = μᵏg₀ + (1 − τ) Σ_{0<j≤k} μ^{k−j}g_j, and g_k = ∇_k + λw_k, in rationals."""
    gradients = np.random.default_rng(seed).integers(-4, 5, 6).astype(float)
    optimizer = SGD(lr=0.25, momentum=momentum, dampening=dampening, weight_decay=decay)
    w, state, start = np.full((1, 1), 3.0), {}, Fraction(3)
    seen, directions = [], Fraction(0)
    for k, gradient in enumerate(gradients):
        seen.append(Fraction(gradient) + Fraction(decay) * Fraction(w.item()))
        mu, kept = Fraction(momentum), 1 - Fraction(dampening if momentum else 0.0)
        directions += sum(mu ** (k - j) * (kept if j else 1) * g for j, g in enumerate(seen))
        w, state = optimizer.step(w, np.full((1, 1), gradient), state)
        assert Fraction(w.item()) == start - Fraction(1, 4) * directions


def test_a_dampened_batch_needs_momentum_in_every_run() -> None:
    message = (
        r"^momentum: given a batch of runs of which some have momentum 0, with dampening; "
        r"allowed: momentum > 0 in every run of a dampened batch; "
        r"run them apart: without momentum torch ignores the dampening$"
    )
    with pytest.raises(ParameterError, match=message):
        SGD(lr=0.1, momentum=np.array([0.0, 0.9]), dampening=0.5)
    SGD(lr=0.1, momentum=np.array([0.0, 0.9]))
    SGD(lr=0.1, momentum=np.array([0.1, 0.9]), dampening=0.5)
