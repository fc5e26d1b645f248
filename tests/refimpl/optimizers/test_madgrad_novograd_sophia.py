"""MADGRAD, NovoGrad and Sophia: closed forms for constant gradients and estimates, decays, and optax."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pytest

from refimpl.arithmetic.bounded import Bounded, Profile
from refimpl.arithmetic.formats import FORMATS
from refimpl.arithmetic.lift import lift
from refimpl.optimizers import MADGRAD, NovoGrad, Sophia
from tests.refimpl.optimizers.peers import Array, assert_steps_of_optax, material, moves, run

G = np.array([[3.0, -0.25]])
ZERO = np.zeros((1, 2))
START = np.array([[2.0, -1.0]])

# -- MADGRAD ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("momentum", [0.0, 0.7])
@pytest.mark.parametrize(("lr_plus_eps", "rate"), [(True, 0.11), (False, 0.1)])
def test_madgrad_on_a_constant_gradient_has_the_closed_form(momentum: float, lr_plus_eps: bool, rate: float) -> None:
    """s = γσg and ν = γσg² with σ = Σ√i; each w is an average of all z until then, and of the beginning."""
    madgrad = MADGRAD(lr=0.1, momentum=momentum, eps=0.01, lr_plus_eps=lr_plus_eps)
    z: list[Array] = []
    for t, (after, state) in enumerate(run(madgrad, START, [G] * 8), start=1):
        total = rate * sum(i**0.5 for i in range(1, t + 1))
        np.testing.assert_allclose(state["s"], total * G, rtol=1e-12)
        z.append(START - total * G / (np.cbrt(total * G * G) + 0.01))
        average = sum((1 - momentum) * momentum ** (t - i) * each for i, each in enumerate(z, start=1))
        np.testing.assert_allclose(after, momentum**t * START + average, rtol=1e-12)


@pytest.mark.parametrize("momentum", [0.0, 0.9])
def test_gradients_eight_times_as_large_move_madgrad_twice_as_far(momentum: float) -> None:
    param, gradients = material()
    madgrad = MADGRAD(lr=0.1, momentum=momentum, eps=0.0)
    once, eight = (run(madgrad, param, scale * gradients)[-1][0] - param for scale in (1.0, 8.0))
    np.testing.assert_allclose(eight, 2 * once, rtol=1e-12, atol=1e-14)


def test_madgrad_averages_from_the_beginning_whatever_the_gradients() -> None:
    """Without momentum x₀ is found again from w; with a little it is kept: as μ goes to 0 they meet."""
    param, gradients = material()
    found, kept = (run(MADGRAD(lr=0.1, momentum=each), param, gradients)[-1] for each in (0.0, 1e-12))
    np.testing.assert_allclose(found[0], kept[0], rtol=0, atol=1e-10)
    assert np.array_equal(kept[1]["x0"], param) and "x0" not in found[1]


def test_madgrads_coupled_decay_is_part_of_the_gradient() -> None:
    param, (gradient, *_) = material()
    through, state = MADGRAD(lr=0.1, weight_decay=0.5).step(param, gradient, {})
    asked, expected = MADGRAD(lr=0.1).step(param, gradient + 0.5 * param, {})
    assert np.array_equal(through, asked) and np.array_equal(state["grad_sum_sq"], expected["grad_sum_sq"])


def test_madgrads_decoupled_decay_is_of_the_weights_before_and_the_average_pulls_back() -> None:
    """With no gradient z stays x₀: w₁ = w₀(1 − γλ), and w₂ = μw₁ + (1 − μ)x₀ − γλw₁, where x₀ = w₁ if μ = 0."""
    decoupled = MADGRAD(lr=0.1, eps=0.1, weight_decay=0.5, decoupled_weight_decay=True)
    for momentum, second in {0.0: 0.9 * 0.9, 0.8: 0.8 * 0.9 + 0.2 - 0.1 * 0.9}.items():
        (first, _), (after, _) = run(replace(decoupled, momentum=momentum), START, [ZERO, ZERO])
        np.testing.assert_allclose(first, 0.9 * START, rtol=1e-14)
        np.testing.assert_allclose(after, second * START, rtol=1e-14)


def test_madgrads_bound_allows_the_average_of_weights_in_either_form() -> None:
    """μw + (1 − μ)z rounds three numbers as large as w, w + (1 − μ)(z − w) one, where z is near w."""
    profile = Profile(compute=FORMATS["float32"], accumulate=FORMATS["float32"])
    madgrad = lift(MADGRAD(lr=1e-9, lr_plus_eps=False), lambda number: Bounded.hyper(number, profile))
    bound: Any = madgrad.step(*(Bounded.tensor(x.astype(np.float32), profile) for x in (START, G)), {})[0]
    rounding = FORMATS["float32"].u * np.abs(START)
    assert np.all((1.9 * rounding < bound.error) & (bound.error < 4 * rounding))


# -- NovoGrad --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("grad_averaging", "share"), [(False, 1.0), (True, 0.2)])
def test_novograd_on_a_constant_gradient_fills_its_momentum_with_a_unit_vector(
    grad_averaging: bool, share: float
) -> None:
    g = np.array([[3.0, -4.0]])
    novograd = NovoGrad(lr=0.1, betas=(0.8, 0.9), eps=0.5, grad_averaging=grad_averaging)
    for t, move in enumerate(moves(novograd, ZERO, [g] * 6), start=1):
        np.testing.assert_allclose(move, -0.1 * share * g / 5.5 * (1 - 0.8**t) / (1 - 0.8), rtol=1e-12)


def test_novograds_second_moment_begins_with_the_first_gradient_and_averages_squared_lengths() -> None:
    first, second = np.array([[[3.0, -4.0]], [[0.0, 1.0]]]), np.array([[[0.0, 2.0]], [[2.0, 0.0]]])
    (_, early), (_, late) = run(NovoGrad(lr=0.1, betas=(0.8, 0.75)), np.zeros((2, 1, 2)), [first, second])
    assert np.array_equal(early["grads_ema"], [25.0, 1.0])
    np.testing.assert_allclose(late["grads_ema"], [0.75 * 25 + 1, 0.75 + 1], rtol=1e-14)


def test_novograds_decay_goes_through_the_momentum_and_not_through_the_norm() -> None:
    novograd = NovoGrad(lr=0.1, betas=(0.5, 0.9), eps=1.0, weight_decay=0.5)
    (first, state), (after, _) = run(novograd, START, [ZERO, ZERO])
    np.testing.assert_allclose(first, 0.95 * START, rtol=1e-14)
    assert not state["grads_ema"].any()
    np.testing.assert_allclose(after, 0.95 * START - 0.1 * (0.25 + 0.5 * 0.95) * START, rtol=1e-14)


# -- Sophia ----------------------------------------------------------------------------------------------------------


def test_sophia_without_an_estimate_steps_by_the_sign_of_its_momentum() -> None:
    sophia = Sophia(lr=0.1, betas=(0.5, 0.9), eps=0.0, weight_decay=0.5)
    (first, _), (second, _), (third, state) = run(sophia, START, [G, -3 * G, ZERO])
    np.testing.assert_allclose(first, 0.95 * START - 0.1 * np.sign(G), rtol=1e-14)
    np.testing.assert_allclose(second, 0.95 * first + 0.1 * np.sign(G), rtol=1e-14)  # m = 0.25G − 1.5G
    np.testing.assert_allclose(third, 0.95 * second + 0.1 * np.sign(G), rtol=1e-14)
    assert not state["hessian"].any()


def test_sophia_divides_its_momentum_by_the_curvature_and_no_step_is_longer_than_the_rate() -> None:
    """h = (1 − β₂)Bĝ² = 16 and 1/4, so that m/(γh) is 0.5·0.2·3/8 and, clipped, −1."""
    sophia = Sophia(lr=0.1, betas=(0.8, 0.5), gamma=0.5)
    g = np.array([[1.5, -4.0]])
    state = sophia.estimate(np.array([[2.0, 0.25]]), sophia.init(ZERO), rows=8)
    np.testing.assert_allclose(state["hessian"], [[16.0, 0.25]], rtol=1e-14)
    after, state = sophia.step(ZERO, g, state)
    np.testing.assert_allclose(after, -0.1 * np.array([[0.2 * 1.5 / 8, -1.0]]), rtol=1e-12)
    np.testing.assert_allclose(state["hessian"], [[16.0, 0.25]], rtol=1e-14)
    again = sophia.estimate(np.array([[4.0, -1.0]]), state)
    np.testing.assert_allclose(again["hessian"], [[16.0, 0.625]], rtol=1e-14)
    assert again["exp_avg"] is state["exp_avg"]


def test_sophias_epsilon_is_the_least_that_it_divides_by() -> None:
    after, _ = Sophia(lr=0.1, betas=(0.75, 0.9), eps=0.5).step(ZERO, G, {})
    np.testing.assert_allclose(after, -0.1 * np.array([[1.0, -0.25 * 0.25 / 0.5]]), rtol=1e-12)


@dataclass(frozen=True)
class Late:
    """Sophia as optax orders it: an estimate comes after the step, of the gradient of that step."""

    sophia: Sophia

    def init(self, param: Array) -> Any:
        return self.sophia.init(param)

    def step(self, param: Array, grad: Array, state: Any) -> tuple[Array, Any]:
        param, state = self.sophia.step(param, grad, state)
        return param, self.sophia.estimate(grad, state)


# -- optax -----------------------------------------------------------------------------------------------------------


def test_the_steps_of_sophia_are_optaxs_where_momentum_needs_no_correction() -> None:
    import optax  # takes a second
    from optax import contrib

    square = optax.GradientTransformation(lambda _: (), lambda g, state, _=None: (optax.tree.mul(g, g), state))
    numbers: dict[str, Any] = {"b1": 0.0, "b2": 0.7, "eps": 1e-3, "weight_decay": 0.3, "gamma": 3.0}
    ours = Late(Sophia(lr=0.1, betas=(0.0, 0.7), eps=1e-3, weight_decay=0.3, gamma=3.0))
    rule = contrib.sophia
    assert_steps_of_optax(
        lambda: rule(0.1, update_interval=1, hessian_diagonal_fn=square, **numbers), ours, *material()
    )


def test_the_steps_of_madgrad_and_novograd_are_optaxs() -> None:
    """Of MADGRAD the first one, with a γ of few digits: optax computes γ√t in float32."""
    import optax  # takes a second
    from optax import contrib

    ours: Any = MADGRAD(lr=0.125, momentum=0.7, eps=0.015625, weight_decay=0.3)
    theirs = {"momentum": 0.7, "eps": 0.015625, "weight_decay": 0.3}
    assert_steps_of_optax(lambda: contrib.madgrad(0.125, **theirs), ours, *material(steps=1))
    ours = NovoGrad(lr=0.1, betas=(0.8, 0.9), eps=0.01, weight_decay=0.3)
    rule = optax.novograd
    assert_steps_of_optax(lambda: rule(0.1, b1=0.8, b2=0.9, eps=0.01, weight_decay=0.3), ours, *material())
