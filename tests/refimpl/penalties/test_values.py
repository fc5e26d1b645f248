"""The penalties are those of torch and scikit-learn, with the factors as stated."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from refimpl.losses import SquaredError
from refimpl.models import Linear
from refimpl.penalties import L1, L2, ElasticNet, Norm, SubtractedL1
from refimpl.problem import Problem

Array = npt.NDArray[Any]
NOT_TINY = st.floats(1e-100, 1e3)  # the square of a smaller number underflows in torch's norm
WEIGHTS = hnp.arrays(np.float64, (2, 1, 4), elements=st.one_of(st.just(0.0), NOT_TINY, NOT_TINY.map(lambda x: -x)))
STRENGTHS = st.floats(0, 10, allow_subnormal=False)


@pytest.mark.parametrize(
    ("penalty", "value"),
    [
        (L1(strength=0.5), 4.0),
        (L2(strength=0.5), 7.5),
        (ElasticNet(l1=0.5, l2=0.5), 11.5),
        (SubtractedL1(strength=0.5), -4.0),
    ],
)
def test_weights_1_minus_2_0_5(penalty: Any, value: float) -> None:
    w = np.array([[[1.0, -2.0, 0.0, 5.0]]])
    assert penalty.value(w).tolist() == [value]


@given(w=WEIGHTS, l1=STRENGTHS, l2=STRENGTHS)
@settings(max_examples=30)
def test_value_and_subgradient_are_those_of_torch_also_at_0(w: Array, l1: float, l2: float) -> None:
    leaf = torch.tensor(w, requires_grad=True)
    l1_norm, l2_norm = (torch.linalg.vector_norm(leaf, ord=k, dim=(1, 2)) for k in (1, 2))
    for penalty, peer in (
        (L1(strength=l1), l1 * l1_norm),
        (L2(strength=l2), l2 / 2 * l2_norm**2),
        (ElasticNet(l1=l1, l2=l2), l1 * l1_norm + l2 / 2 * l2_norm**2),
        (Norm(strength=l1), l1 * l2_norm),
        (SubtractedL1(strength=l1), -l1 * l1_norm),
    ):
        (gradient,) = torch.autograd.grad(peer.sum(), leaf, retain_graph=True)
        np.testing.assert_allclose(penalty.value(w), peer.detach().numpy(), rtol=1e-13, atol=1e-300)
        np.testing.assert_allclose(penalty.subgradient(w), gradient.numpy(), rtol=1e-13, atol=1e-300)


@given(w=WEIGHTS, strength=STRENGTHS)
@settings(max_examples=20)
def test_the_l2_gradient_is_what_weight_decay_adds(w: Array, strength: float) -> None:
    param = torch.nn.Parameter(torch.tensor(w))
    param.grad = torch.zeros_like(param)
    torch.optim.SGD([param], lr=1.0, weight_decay=strength).step()
    np.testing.assert_allclose(w - param.detach().numpy(), L2(strength=strength).subgradient(w), rtol=1e-12, atol=1e-12)


@given(w=WEIGHTS, g=WEIGHTS, strength=STRENGTHS, step=st.floats(0, 10))
@settings(max_examples=100)
def test_an_elastic_net_with_one_strength_0_is_the_other_penalty(
    w: Array, g: Array, strength: float, step: float
) -> None:
    for net, single in (
        (ElasticNet(l1=strength, l2=0.0), L1(strength=strength)),
        (ElasticNet(l1=0.0, l2=strength), L2(strength=strength)),
    ):
        assert np.array_equal(net.value(w), single.value(w))
        assert np.array_equal(net.subgradient(w), single.subgradient(w))
        assert np.array_equal(net.prox(w, step), single.prox(w, step))
        assert np.array_equal(net.distance(w, g), single.distance(w, g))


@given(w=WEIGHTS, strength=STRENGTHS, step=st.floats(0, 10))
@settings(max_examples=100)
def test_moreau_what_the_soft_threshold_takes_away_is_the_projection_on_the_box(
    w: Array, strength: float, step: float
) -> None:
    """w = prox_{tΩ}(w) + t·prox_{Ω*/t}(w/t), and Ω* of λ‖·‖₁ is the indicator of the box [−λ, λ]."""
    box = np.clip(w, -step * strength, step * strength)
    prox = L1(strength=strength).prox(w, step)
    np.testing.assert_allclose(prox + box, w, rtol=4e-16, atol=0)
    assert np.all(prox[np.abs(w) <= step * strength] == 0)  # exact zeros


@given(w=WEIGHTS, strength=STRENGTHS, step=st.floats(0, 10))
@settings(max_examples=100)
def test_moreau_what_the_block_soft_threshold_takes_away_is_the_projection_on_the_ball(
    w: Array, strength: float, step: float
) -> None:
    """Ω* of λ‖·‖₂ is the indicator of the ball of radius λ: all or nothing becomes 0."""
    length = np.linalg.norm(w, axis=(1, 2), keepdims=True)
    ball = w * np.minimum(1, step * strength / np.where(length > 0, length, 1))
    prox = Norm(strength=strength).prox(w, step)
    np.testing.assert_allclose(prox + ball, w, rtol=4e-16, atol=1e-300)
    assert np.all(prox[np.broadcast_to(length <= step * strength, w.shape)] == 0)


@given(g=WEIGHTS, strength=STRENGTHS)
@settings(max_examples=100)
def test_at_weight_0_the_distance_to_the_norms_subdifferential_is_that_to_a_ball(g: Array, strength: float) -> None:
    distance = Norm(strength=strength).distance(np.zeros_like(g), g)
    outside = np.maximum(np.linalg.norm(g, axis=(1, 2)) - strength, 0)
    np.testing.assert_allclose(np.linalg.norm(distance, axis=(1, 2)), outside, rtol=1e-12, atol=1e-12)


def data() -> tuple[Array, Array]:
    rng = np.random.default_rng(0)
    X = rng.standard_normal((1, 30, 12))
    return X, X[:, :, :3].sum(axis=2, keepdims=True) + 0.3 + 0.5 * rng.standard_normal((1, 30, 1))


@pytest.mark.parametrize("ratio", [1.0, 0.5])
def test_the_distance_vanishes_at_the_optimum_of_scikit_learn_and_nowhere_near(ratio: float) -> None:
    """scikit-learn's objective: 1/(2n)·‖y − Xw − b‖² + αρ‖w‖₁ + α(1 − ρ)/2·‖w‖²."""
    sklearn = pytest.importorskip("sklearn.linear_model")
    X, y = data()
    peer = sklearn.ElasticNet(alpha=0.2, l1_ratio=ratio, tol=1e-15, max_iter=100_000).fit(X[0], y[0, :, 0])
    params = {"weight": peer.coef_[None, None, :].copy(), "bias": np.array([[peer.intercept_]])}
    assert 0 < np.sum(params["weight"] == 0) < 12  # both branches of the distance are met
    problem = Problem(model=Linear(), loss=SquaredError(factor=0.5, reduction="mean"))
    gradient = problem.gradient(params, X, y)
    assert np.abs(gradient["bias"]).item() < 1e-14
    net = ElasticNet(l1=0.2 * ratio, l2=0.2 * (1 - ratio))
    assert net.distance(params["weight"], gradient["weight"]).max() < 1e-12
    if ratio == 1.0:
        assert L1(strength=0.2).distance(params["weight"], gradient["weight"]).max() < 1e-12
    stronger = ElasticNet(l1=0.2 * ratio * 1.001, l2=0.2 * (1 - ratio))
    assert stronger.distance(params["weight"], gradient["weight"]).max() > 1e-5


def test_the_bias_is_penalised_where_it_is_named_and_only_there() -> None:
    X, y = data()
    params = {"weight": np.ones((1, 1, 12)), "bias": np.full((1, 1), 3.0)}
    plain = Problem(model=Linear(), loss=SquaredError(factor=0.5, reduction="mean"))
    free = Problem(model=plain.model, loss=plain.loss, penalties=(L2(strength=2.0),))
    named = Problem(model=plain.model, loss=plain.loss, penalties=(L2(strength=2.0, parameters=("weight", "bias")),))
    bias = [problem.gradient(params, X, y)["bias"].item() for problem in (plain, free, named)]
    assert bias[0] == bias[1]
    np.testing.assert_allclose(bias[2] - bias[0], 6.0, rtol=1e-14)
    value = [problem.objective(params, X, y).item() for problem in (plain, free, named)]
    np.testing.assert_allclose(np.diff(value), [12.0, 9.0], rtol=1e-13)


def test_the_slope_of_the_norm_is_the_unit_vector_in_the_direction_of_w() -> None:
    w = np.array([[[1.0, 2.0, -2.0]], [[3.0, 0.0, 4.0]], [[0.0, 0.0, 0.0]]])  # of lengths 3, 5 and 0
    slopes = np.array([[[0.5, 1.0, -1.0]], [[0.9, 0.0, 1.2]], [[0.0, 0.0, 0.0]]])
    np.testing.assert_allclose(Norm(strength=1.5).subgradient(w), slopes, rtol=1e-15)


def test_the_proximal_step_of_the_subtracted_penalty_goes_away_from_0_and_from_0_itself_to_the_right() -> None:
    w = np.array([[[-2.0, -0.25, 0.0, 0.5, 3.0]]])
    assert SubtractedL1(strength=2.0).prox(w, 0.25).tolist() == [[[-2.5, -0.75, 0.5, 1.0, 3.5]]]
