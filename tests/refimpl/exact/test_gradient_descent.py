"""Descent in closed form against the recursion itself, run in extended precision with the reference's own optimizer."""

import mpmath
import numpy as np
import pytest

from refimpl.arithmetic.lift import align, lift
from refimpl.datasets.gaussian import Gaussian
from refimpl.errors import ParameterError, ShapeError
from refimpl.exact.gradient_descent import iterate, stability_limit
from refimpl.exact.ridge import ridge
from refimpl.losses.squared_error import SquaredError
from refimpl.models.linear import Linear
from refimpl.optimizers.sgd import SGD
from refimpl.penalties.l1 import L1
from refimpl.penalties.l2 import L2
from refimpl.problem import Problem

HALF_MEAN = SquaredError(factor=0.5, reduction="mean")


def s0(seed=0, rows=20, features=200):
    """Data of S0 and standard normal weights, (1, …)."""
    drawn = Gaussian(train_rows=rows, features=features).make(np.random.default_rng(seed))
    start = {"weight": np.random.default_rng(seed + 1).standard_normal((1, 1, features)), "bias": np.full((1, 1), 0.5)}
    return drawn.X, drawn.y, start


def decayed(strength, *parameters, loss=HALF_MEAN):
    return Problem(model=Linear(), loss=loss, penalties=(L2(strength=strength, parameters=parameters or ("weight",)),))


def lifted(problem, number):
    """Every hyper-parameter of the problem in another arithmetic."""
    penalties = tuple(lift(penalty, number) for penalty in problem.penalties)
    return Problem(model=problem.model, loss=lift(problem.loss, number), penalties=penalties)


def run(problem, X, y, params, optimizer, steps, number=np.longdouble):
    """The recursion, step by step."""
    problem, optimizer = lifted(problem, number), lift(optimizer, number)
    X, y, params = X.astype(number), y.astype(number), {name: value.astype(number) for name, value in params.items()}
    states = {name: optimizer.init(value) for name, value in params.items()}
    for _ in range(steps):
        gradient = problem.gradient(params, X, y)
        for name, value in params.items():
            step = align(optimizer, value.ndim).step
            params[name], states[name] = step(value, gradient[name], states[name])
    return params


def vector(params, run=0):
    return np.concatenate([params[name][run].ravel() for name in ("weight", "bias")])


def digits(result, truth):
    difference = (vector(result) - vector(truth)).astype(float)
    return -np.log10(np.linalg.norm(difference) / np.linalg.norm(vector(truth).astype(float)) + 1e-30)


@pytest.mark.parametrize("strength", [3.0, 0.01, 0.0])  # at 0 the Hessian is singular: 20 rows, 201 parameters
@pytest.mark.parametrize("lr", [0.01, 0.08])  # at 0.08 some directions overshoot: 1 − ησ² < 0
@pytest.mark.parametrize("steps", [1, 10, 300])
def test_iterate_agrees_with_running_the_recursion(strength, lr, steps):
    X, y, start = s0()
    truth = run(decayed(strength), X, y, start, SGD(lr=lr), steps)
    assert digits(iterate(decayed(strength), X, y, start, lr=lr, steps=steps), truth) >= 13.5


@pytest.mark.parametrize("strength", [3.0, 0.01, 0.0])
@pytest.mark.parametrize("nesterov", [False, True])
@pytest.mark.parametrize("steps", [1, 2, 300])
def test_iterate_with_momentum_agrees_with_running_the_recursion(strength, nesterov, steps):
    X, y, start = s0()
    optimizer = SGD(lr=0.01, momentum=0.9, nesterov=nesterov)
    truth = run(decayed(strength), X, y, start, optimizer, steps)
    result = iterate(decayed(strength), X, y, start, lr=0.01, steps=steps, momentum=0.9, nesterov=nesterov)
    assert digits(result, truth) >= 13.5


def test_thousands_of_steps_with_momentum_and_a_small_penalty_keep_their_digits():
    X, y, start = s0(rows=20, features=40)
    truth = run(decayed(0.01), X, y, start, SGD(lr=0.01, momentum=0.9), 3000)
    assert digits(iterate(decayed(0.01), X, y, start, lr=0.01, steps=3000, momentum=0.9), truth) >= 13.5


@pytest.mark.parametrize("momentum", [0.0, 0.9])
def test_an_eigenvalue_that_one_step_hardly_sees_keeps_its_digits(momentum):
    X, y, start = s0(rows=3, features=1)
    problem = decayed(0.0, loss=SquaredError(factor=2.0**-30, reduction="sum"))
    at_rest = {name: 0 * value for name, value in start.items()}
    truth = run(problem, X, y, at_rest, SGD(lr=0.001, momentum=momentum), 2000)
    assert digits(iterate(problem, X, y, at_rest, lr=0.001, steps=2000, momentum=momentum), truth) >= 14.5


@pytest.mark.parametrize(("lr", "steps"), [(2.0**-30, 10**9), (2.0**-40, 10**12), (0.25, 40)])
@pytest.mark.parametrize("momentum", [0.0, 0.5, 0.9])
def test_one_weight_agrees_with_the_roots_of_its_characteristic_polynomial_in_high_precision(lr, steps, momentum):
    X, y, start = np.ones((1, 1, 1)), np.full((1, 1, 1), 0.25), {"weight": np.ones((1, 1, 1))}
    problem = Problem(model=Linear(bias=False), loss=SquaredError(factor=0.5, reduction="sum"))
    with mpmath.workdps(60):
        # e = w − ¼ obeys e_{k+1} = (1 + μ − η)e_k − μe_{k−1}, so e_k = a·r₁ᵏ + b·r₂ᵏ; e_0 = ¾, e_1 = (1 − η)e_0
        b_half = (1 + mpmath.mpf(momentum) - mpmath.mpf(lr)) / 2
        root = mpmath.sqrt(b_half**2 - mpmath.mpf(momentum))
        r1, r2 = b_half + root, b_half - root
        a = mpmath.mpf(0.75) * (1 - mpmath.mpf(lr) - r2) / (r1 - r2)
        truth = float(mpmath.re(0.25 + a * r1**steps + (mpmath.mpf(0.75) - a) * r2**steps))
    weight = iterate(problem, X, y, start, lr=lr, steps=steps, momentum=momentum)["weight"]
    assert weight.item() == pytest.approx(truth, rel=2e-15, abs=0)


@pytest.mark.skipif(np.finfo(np.longdouble).nmant <= 52, reason="longdouble is float64 here and holds no spare digits")
def test_what_momentum_leaves_of_the_start_keeps_its_digits_when_it_is_small():
    X, y, start = np.ones((1, 1, 1)), np.zeros((1, 1, 1)), {"weight": np.ones((1, 1, 1))}
    problem = Problem(model=Linear(bias=False), loss=SquaredError(factor=0.5, reduction="sum"))
    truth = run(problem, X, y, start, SGD(lr=0.25, momentum=0.9), 200)["weight"].item()
    assert abs(truth) < 1e-4
    weight = iterate(problem, X, y, start, lr=0.25, steps=200, momentum=0.9)["weight"].item()
    assert weight == pytest.approx(truth, rel=1e-13, abs=0)


@pytest.mark.parametrize("factor", [0.5, 1.0])
@pytest.mark.parametrize("reduction", ["mean", "sum"])
def test_every_loss_convention_and_a_penalised_bias_agree_with_the_recursion(factor, reduction):
    X, y, start = s0(rows=12, features=5)
    problem = decayed(0.7, "weight", "bias", loss=SquaredError(factor=factor, reduction=reduction))
    truth = run(problem, X, y, start, SGD(lr=0.01), 50)
    assert digits(iterate(problem, X, y, start, lr=0.01, steps=50), truth) >= 14


def test_penalties_on_the_same_parameter_add_up():
    X, y, start = s0(rows=12, features=5)
    twice = Problem(model=Linear(), loss=HALF_MEAN, penalties=(L2(strength=0.5), L2(strength=0.25)))
    truth = run(twice, X, y, start, SGD(lr=0.1), 20)
    assert digits(iterate(twice, X, y, start, lr=0.1, steps=20), truth) >= 14


def test_a_model_without_bias_agrees_with_the_recursion():
    X, y, start = s0(rows=12, features=5)
    problem = Problem(model=Linear(bias=False), loss=HALF_MEAN, penalties=(L2(strength=0.5),))
    weight = {"weight": start["weight"]}
    truth = run(problem, X, y, weight, SGD(lr=0.1), 20)["weight"]
    np.testing.assert_allclose(iterate(problem, X, y, weight, lr=0.1, steps=20)["weight"], truth.astype(float), 1e-13)


@pytest.mark.parametrize("momentum", [0.0, 0.9])
def test_each_run_has_its_own_strength_rate_and_start(momentum):
    X, y, start = s0(rows=12, features=5)
    strengths, rates = np.array([0.0, 0.1, 2.0]), np.array([0.1, 0.05, 0.2])
    starts = {name: np.concatenate([value, 2 * value, -value]) for name, value in start.items()}
    together = iterate(decayed(strengths), X, y, starts, lr=rates, steps=30, momentum=momentum)
    for i in range(3):
        own = {name: value[i : i + 1] for name, value in starts.items()}
        alone = iterate(decayed(strengths[i]), X, y, own, lr=rates[i], steps=30, momentum=momentum)
        assert digits({name: value[i : i + 1] for name, value in together.items()}, alone) >= 14


@pytest.mark.parametrize("momentum", [0.0, 0.9])
def test_after_a_billion_steps_descent_is_at_the_ridge_solution(momentum):
    X, y, start = s0()
    limit = iterate(decayed(3.0), X, y, start, lr=0.01, steps=10**9, momentum=momentum)
    assert digits(limit, ridge(X, y, HALF_MEAN, 3.0).params) >= 13.5


def test_after_a_billion_steps_from_zero_without_penalty_descent_is_at_a_least_norm_solution_of_weight_and_bias():
    X, y, start = s0()
    limit = iterate(decayed(0.0), X, y, {name: 0 * value for name, value in start.items()}, lr=0.01, steps=10**9)
    rows = np.concatenate([X[0], np.ones((20, 1))], axis=1)
    truth = np.linalg.lstsq(rows, y.ravel(), rcond=None)[0]
    assert np.linalg.norm(vector(limit) - truth) <= 1e-13 * np.linalg.norm(truth)


def test_no_steps_change_nothing():
    X, y, start = s0()
    for momentum in (0.0, 0.9):
        assert digits(iterate(decayed(3.0), X, y, start, lr=0.01, steps=0, momentum=momentum), start) >= 14.5


@pytest.mark.parametrize("strength", [0.0, 3.0])
def test_the_recursion_converges_below_the_stability_limit_and_diverges_above_it(strength):
    X, y, start = s0(rows=12, features=5)
    problem = decayed(strength)
    (limit,) = stability_limit(problem, X)
    goal = vector(ridge(X, y, HALF_MEAN, strength).params)
    below, above = (vector(run(problem, X, y, start, SGD(lr=limit * f), 3000, float)) for f in (0.99, 1.01))
    assert np.linalg.norm(below - goal) < 1e-6
    assert np.linalg.norm(above - goal) > 1e6


def test_without_curvature_no_rate_is_too_large():
    problem = Problem(model=Linear(bias=False), loss=HALF_MEAN)
    assert stability_limit(problem, np.zeros((1, 3, 2))).tolist() == [np.inf]


def test_what_is_not_quadratic_is_refused():
    X, y, start = s0(rows=12, features=5)
    for problem in (
        Problem(model=Linear(), loss=HALF_MEAN, penalties=(L1(strength=1.0),)),
        Problem(model=Linear(), loss=object()),
    ):
        with pytest.raises(ParameterError, match="quadratic"):
            iterate(problem, X, y, start, lr=0.1, steps=1)


def test_impossible_arguments_are_refused():
    X, y, start = s0(rows=12, features=5)
    good = {"lr": 0.1, "steps": 3}
    for bad in ({"lr": -0.1}, {"steps": -1}, {"steps": 1.5}, {"momentum": -0.5}, {"nesterov": True}):
        with pytest.raises(ParameterError):
            iterate(decayed(1.0), X, y, start, **{**good, **bad})
    for params in ({"weight": start["weight"]}, {**start, "bias": np.zeros(1)}, {**start, "bias": np.zeros((2, 1))}):
        with pytest.raises(ShapeError, match="params"):
            iterate(decayed(1.0), X, y, params, **good)
