"""The affine map of an epoch against the loop over minibatches that it stands for."""

from fractions import Fraction

import numpy as np
import pytest

from refimpl.arithmetic.exact import exact
from refimpl.arithmetic.lift import lift
from refimpl.batches import Batches
from refimpl.datasets.gaussian import Gaussian
from refimpl.errors import ParameterError
from refimpl.exact.epoch_map import epoch_map
from refimpl.exact.ridge import ridge
from refimpl.losses.squared_error import SquaredError
from refimpl.models.linear import Linear
from refimpl.optimizers.sgd import SGD
from refimpl.penalties.l2 import L2
from refimpl.problem import Problem

HALF_MEAN = SquaredError(factor=0.5, reduction="mean")
EXTENDED = np.finfo(np.longdouble).nmant > 52  # elsewhere longdouble is float64, and fewer digits can be had
GOAL = 15.4 if EXTENDED else 14.5


def s0(seed=0, rows=20, features=200):
    """Data of S0 and standard normal weights, (1, …)."""
    drawn = Gaussian(train_rows=rows, features=features).make(np.random.default_rng(seed))
    start = {"weight": np.random.default_rng(seed + 1).standard_normal((1, 1, features)), "bias": np.full((1, 1), 0.5)}
    return drawn.X, drawn.y, start


def decayed(strength, *parameters):
    penalties = (L2(strength=strength, parameters=parameters or ("weight",)),)
    return Problem(model=Linear(), loss=HALF_MEAN, penalties=penalties)


def in_batches(size, rows=20):
    return Batches(size=size, order="fixed").draw(rows, 1, np.random.default_rng(0))[0]


def lifted(problem, number):
    """Every hyper-parameter of the problem in another arithmetic."""
    penalties = tuple(lift(penalty, number) for penalty in problem.penalties)
    return Problem(model=problem.model, loss=lift(problem.loss, number), penalties=penalties)


def run(problem, X, y, params, batches, lr, epochs, number=np.longdouble):
    """The loop over minibatches, in the arithmetic of ``number``."""
    convert = exact if number is exact else lambda array: array.astype(number)
    problem, optimizer = lifted(problem, number), lift(SGD(lr=lr), number)
    X, y, params = convert(X), convert(y), {name: convert(value) for name, value in params.items()}
    for rows in batches * epochs:
        gradient = problem.gradient(params, X[:, rows], y[:, rows])
        params = {name: optimizer.step(value, gradient[name], {})[0] for name, value in params.items()}
    return params


def vector(params, run=0):
    return np.concatenate([params[name][run].ravel() for name in ("weight", "bias")])


def digits(result, truth):
    difference = (vector(result) - vector(truth)).astype(float)
    return -np.log10(np.linalg.norm(difference) / np.linalg.norm(vector(truth).astype(float)) + 1e-30)


def eliminate(matrix, right):
    """Gauss–Jordan in exact rationals."""
    rows = [[*row, b] for row, b in zip(matrix, right, strict=True)]
    for i in range(len(rows)):
        pivot = next(j for j in range(i, len(rows)) if rows[j][i] != 0)
        rows[i], rows[pivot] = rows[pivot], rows[i]
        rows[i] = [value / rows[i][i] for value in rows[i]]
        for j, row in enumerate(rows):
            if j != i and row[i] != 0:
                rows[j] = [a - row[i] * b for a, b in zip(row, rows[i], strict=True)]
    return [row[-1] for row in rows]


@pytest.mark.parametrize("strength", [3.0, 0.01, 0.0])
@pytest.mark.parametrize("epochs", [1, 10, 100])
def test_the_map_agrees_with_the_loop_in_extended_precision(strength, epochs):
    X, y, start = s0()
    truth = run(decayed(strength), X, y, start, in_batches(5), 0.01, epochs)
    result = epoch_map(decayed(strength), X, y, in_batches(5), 0.01).after(epochs, start)
    assert digits(result, truth) >= GOAL


def test_ten_epochs_of_the_map_agree_with_the_float64_loop_to_15_digits():
    X, y, start = s0()
    truth = run(decayed(3.0), X, y, start, in_batches(5), 0.01, 10, float)
    assert digits(epoch_map(decayed(3.0), X, y, in_batches(5), 0.01).after(10, start), truth) >= 15.2


def test_a_smaller_last_batch_a_penalised_bias_and_a_shuffled_order_agree_with_the_loop():
    X, y, start = s0(rows=17, features=6)
    problem = decayed(0.4, "weight", "bias")
    (batches,) = Batches(size=5).draw(17, 1, np.random.default_rng(3))
    truth = run(problem, X, y, start, batches, 0.1, 20)
    assert digits(epoch_map(problem, X, y, batches, 0.1).after(20, start), truth) >= GOAL


def test_one_epoch_is_a_times_theta_plus_c():
    X, y, start = s0(rows=12, features=5)
    epoch = epoch_map(decayed(0.3), X, y, in_batches(4, 12), 0.1)
    moved = epoch.A[0] @ vector(start) + epoch.c[0]
    truth = vector(run(decayed(0.3), X, y, start, in_batches(4, 12), 0.1, 1))
    np.testing.assert_allclose(moved.astype(float), truth.astype(float), rtol=1e-14)


def test_the_fixed_point_agrees_with_the_exact_rational_one():
    X, y, _ = s0(rows=6, features=8)
    X, y = np.round(X * 64) / 64, np.round(y * 64) / 64  # short numbers keep the rationals short
    problem, batches = decayed(0.5), in_batches(2, 6)
    # The exact map, by carrying 0 and each unit vector through one epoch of the loop, nine runs at once.
    starts = np.concatenate([np.zeros((1, 9)), np.eye(9)])
    ends = run(problem, X, y, {"weight": starts[:, None, :8], "bias": starts[:, 8:]}, batches, 0.125, 1, exact)
    images = [[number.value for number in vector(ends, i)] for i in range(10)]
    c, columns = images[0], images[1:]
    I_minus_A = [[Fraction(int(i == j)) - columns[j][i] + c[i] for j in range(9)] for i in range(9)]
    truth = np.array([float(value) for value in eliminate(I_minus_A, c)])
    result = vector(epoch_map(problem, X, y, batches, 0.125).fixed_point())
    assert -np.log10(np.linalg.norm(result - truth) / np.linalg.norm(truth) + 1e-30) >= 15.3


@pytest.mark.slow
def test_many_epochs_of_s0_lead_to_the_fixed_point():
    X, y, start = s0()
    epoch = epoch_map(decayed(3.0), X, y, in_batches(5), 0.01)
    assert digits(epoch.fixed_point(), epoch.after(6000, start)) >= (15.3 if EXTENDED else 13.5)


def test_the_loop_stays_at_the_fixed_point():
    X, y, _ = s0()
    fixed = epoch_map(decayed(3.0), X, y, in_batches(5), 0.01).fixed_point()
    assert digits(run(decayed(3.0), X, y, fixed, in_batches(5), 0.01, 1), fixed) >= 15.3


def test_the_fixed_point_of_minibatches_is_not_the_ridge_solution():
    X, y, _ = s0()
    solution = vector(ridge(X, y, HALF_MEAN, 3.0).params)
    away = [vector(epoch_map(decayed(3.0), X, y, in_batches(5), lr).fixed_point()) - solution for lr in (0.01, 0.001)]
    far, near = (np.linalg.norm(difference) / np.linalg.norm(solution) for difference in away)
    assert 0.03 < far < 0.1
    assert near == pytest.approx(far / 10, rel=0.3)  # it goes to 0 in proportion to the learning rate


def test_the_fixed_point_of_the_full_batch_is_the_ridge_solution():
    X, y, _ = s0()
    fixed = epoch_map(decayed(3.0), X, y, in_batches(0), 0.01).fixed_point()
    assert digits(fixed, ridge(X, y, HALF_MEAN, 3.0).params) >= 14.5


def test_each_run_has_its_own_strength_and_rate():
    X, y, start = s0(rows=12, features=5)
    strengths, rates = np.array([0.1, 2.0]), np.array([0.05, 0.1])
    together = epoch_map(decayed(strengths), X, y, in_batches(4, 12), rates)
    for i in range(2):
        alone = epoch_map(decayed(strengths[i]), X, y, in_batches(4, 12), rates[i])
        for result, truth in (
            (together.after(7, start), alone.after(7, start)),
            (together.fixed_point(), alone.fixed_point()),
        ):
            assert digits({name: value[i : i + 1] for name, value in result.items()}, truth) >= 15


@pytest.mark.parametrize(("strength", "lr"), [(0.0, 0.01), (3.0, 0.0)])
def test_a_fixed_point_that_is_not_unique_is_refused(strength, lr):
    X, y, _ = s0()
    with pytest.raises(ParameterError, match=r"I − A of rank \d+ for 201 parameters"):
        epoch_map(decayed(strength), X, y, in_batches(5), lr).fixed_point()


def test_impossible_arguments_are_refused():
    X, y, start = s0(rows=12, features=5)
    with pytest.raises(ParameterError, match="batches"):
        epoch_map(decayed(1.0), X, y, (), 0.1)
    with pytest.raises(ParameterError, match="lr"):
        epoch_map(decayed(1.0), X, y, in_batches(4, 12), -0.1)
    with pytest.raises(ParameterError, match="epochs"):
        epoch_map(decayed(1.0), X, y, in_batches(4, 12), 0.1).after(-1, start)
