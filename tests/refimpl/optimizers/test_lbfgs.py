"""L-BFGS: its closed forms on a quadratic, the dense BFGS formula, and its rules for stopping."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from refimpl.errors import ParameterError
from refimpl.optimizers import LBFGS, OPTIMIZERS, lbfgs

Array = npt.NDArray[Any]
SIZES = [1, 2, 5, 8]


def quadratic(size: int, seed: int = 0) -> tuple[Array, Array]:
    """A, b of ½wᵀAw − bᵀw, A positive definite with eigenvalues from 0.5 to 2."""
    rng = np.random.default_rng(seed)
    Q, _ = np.linalg.qr(rng.standard_normal((size, size)))
    return Q * np.linspace(0.5, 2, size) @ Q.T, rng.standard_normal(size)


def exact_steps(A: Array, b: Array, ours: LBFGS, steps: int) -> tuple[Array, Mapping[str, Any], list[Array]]:
    """Steps with exact line search, t = −g·d/(dᵀAd), from w = 0; the weights, the state and the gradients."""
    w: dict[str, Array] = {"w": np.zeros((1, len(b)))}
    state: Mapping[str, Any] = {}
    seen = []
    for _ in range(steps):
        g = {"w": w["w"] @ A - b}
        _, trial = ours.step_group(w, g, state)  # d does not depend on t
        d = trial["d"]
        t = -(g["w"] * d).sum(axis=1, keepdims=True) / (d @ A * d).sum(axis=1, keepdims=True)
        w, state = ours.step_group(w, g, state, length=t)  # type: ignore[assignment]
        seen.append(g["w"][0])
    return w["w"][0], state, seen


@pytest.mark.parametrize("size", SIZES)
def test_exact_line_searches_reach_the_minimiser_of_a_quadratic_in_as_many_steps_as_there_are_weights(
    size: int,
) -> None:
    A, b = quadratic(size)
    b = 1e6 * b  # so that no pair is too short to be remembered
    w, _, _ = exact_steps(A, b, LBFGS(), size)
    np.testing.assert_allclose(w, np.linalg.solve(A, b), rtol=0, atol=1e-12 * np.linalg.norm(b))
    if size > 2:
        early, _, _ = exact_steps(A, b, LBFGS(), size - 1)
        assert np.linalg.norm(early - np.linalg.solve(A, b)) > 1e-6 * np.linalg.norm(b)


@pytest.mark.parametrize("size", SIZES)
def test_on_a_quadratic_the_gradients_under_exact_line_searches_are_orthogonal(size: int) -> None:
    """As those of conjugate gradients, which it then is."""
    A, b = quadratic(size)
    _, _, gradients = exact_steps(A, b, LBFGS(history_size=1), size)
    overlaps = np.array([[np.dot(g, h) for g in gradients] for h in gradients])
    np.testing.assert_allclose(overlaps - np.diag(np.diag(overlaps)), 0, rtol=0, atol=1e-12)


@pytest.mark.parametrize("history_size", [1, 3, 100])
def test_the_direction_is_minus_the_dense_inverse_hessian_of_bfgs_times_the_gradient(history_size: int) -> None:
    """H ← (I − ρsyᵀ)H(I − ρysᵀ) + ρssᵀ from H = (y·s / y·y)·I of the newest pair on."""
    rng, ours = np.random.default_rng(0), LBFGS(lr=0.3, history_size=history_size)
    A, b = quadratic(6)
    w, state, moves, changes, last = {"w": rng.standard_normal((1, 6))}, {}, [], [], None
    for _ in range(6):
        g = w["w"] @ A - b + 0.01 * rng.standard_normal(6)
        if last is not None:
            moves.append((w["w"] - last[0])[0])
            changes.append((g - last[1])[0])
        after, state = ours.step_group(w, {"w": g}, state)
        if moves:
            pairs = list(zip(moves, changes, strict=True))[-history_size:]
            s, y = pairs[-1]
            H = y @ s / (y @ y) * np.eye(6)
            for s, y in pairs:
                rho = 1 / (y @ s)
                H = (np.eye(6) - rho * np.outer(s, y)) @ H @ (np.eye(6) - rho * np.outer(y, s)) + rho * np.outer(s, s)
            np.testing.assert_allclose(state["d"], -g @ H, rtol=1e-9, atol=1e-12)
            assert len(state["ro"]) == len(pairs)
        last, w = (w["w"], g), after
    assert len(state["al"]) == min(history_size, 5)


def test_the_first_step_is_down_the_gradient_by_no_more_than_the_rate_in_sum() -> None:
    w = {"w": np.zeros((2, 3))}
    g = {"w": np.array([[3.0, -4.0, 1.0], [0.25, 0.0, -0.25]])}
    after, state = LBFGS(lr=0.5).step_group(w, g, {})
    assert np.array_equal(after["w"], np.array([[-3 / 16, 4 / 16, -1 / 16], [-0.125, 0, 0.125]]))
    assert np.array_equal(state["t"], [[1 / 16], [0.5]])


def test_later_steps_are_not_shortened_by_a_large_gradient() -> None:
    w, state = LBFGS(lr=0.5).step_group({"w": np.zeros((1, 1))}, {"w": np.full((1, 1), -8.0)}, {})
    _, state = LBFGS(lr=0.5).step_group(w, {"w": np.full((1, 1), 8.0)}, state)
    assert state["t"] == 0.5


def test_the_steps_that_are_taken_are_counted() -> None:
    w, state = {"w": np.zeros((1, 1))}, {}
    for number in range(1, 4):
        w, state = LBFGS(lr=0.5).step_group(w, {"w": w["w"] - 1}, state)
        assert state["n_iter"] == number


def test_before_the_second_step_no_pair_is_remembered_and_the_hessian_counts_as_1() -> None:
    _, state = LBFGS().step_group({"w": np.zeros((1, 1))}, {"w": np.ones((1, 1))}, {})
    assert [state[key] for key in ("old_dirs", "old_stps", "ro", "al", "H_diag")] == [(), (), (), (), 1]


def test_each_array_keeps_its_shape() -> None:
    params = {"weight": np.zeros((2, 2, 3)), "bias": np.zeros((2, 2)), "scale": np.zeros((2,))}
    after, _ = LBFGS().step_group(params, {name: np.ones(array.shape) for name, array in params.items()}, {})
    assert {name: array.shape for name, array in after.items()} == {n: array.shape for n, array in params.items()}


def test_several_arrays_are_one_vector() -> None:
    A, b = quadratic(7)
    rng, ours = np.random.default_rng(0), LBFGS(lr=0.5)
    one: Any = {"w": rng.standard_normal((1, 7))}
    two: Any = {"weight": one["w"][:, :6].reshape(1, 2, 3), "bias": one["w"][:, 6:]}
    state_of_one: Any = {}
    state_of_two: Any = {}
    for _ in range(5):
        g = one["w"] @ A - b
        one, state_of_one = ours.step_group(one, {"w": g}, state_of_one)
        grads = {"weight": g[:, :6].reshape(1, 2, 3), "bias": g[:, 6:]}
        two, state_of_two = ours.step_group(two, grads, state_of_two)
        assert np.array_equal(one["w"], np.concatenate([two["weight"].reshape(1, 6), two["bias"]], axis=1))


def test_high_precision_takes_the_same_steps(high_precision: Any) -> None:
    A, b = quadratic(5)
    plain: Any = {"w": np.ones((1, 5))}
    exact: Any = {"w": high_precision.array(plain["w"])}
    state: Any = {}
    exact_state: Any = {}
    for _ in range(6):
        g = plain["w"] @ A - b
        plain, state = LBFGS(lr=0.5).step_group(plain, {"w": g}, state)
        ours = high_precision.hyper(LBFGS(lr=0.5))
        exact, exact_state = ours.step_group(exact, {"w": exact["w"] @ A - b}, exact_state)
        np.testing.assert_allclose(exact["w"].astype(float), plain["w"], rtol=0, atol=1e-10)


def test_runs_of_a_batch_are_runs_by_themselves() -> None:
    A, b = quadratic(4)
    together: Any = {"w": np.random.default_rng(0).standard_normal((3, 4))}
    alone: Any = [{"w": together["w"][i : i + 1]} for i in range(3)]
    state: Any = {}
    states: Any = [{}, {}, {}]
    for _ in range(5):
        together, state = LBFGS(lr=0.5).step_group(together, {"w": together["w"] @ A - b}, state)
        for i in range(3):
            alone[i], states[i] = LBFGS(lr=0.5).step_group(alone[i], {"w": alone[i]["w"] @ A - b}, states[i])
            np.testing.assert_allclose(together["w"][i], alone[i]["w"][0], rtol=0, atol=1e-13)


def test_nothing_happens_where_the_gradient_is_within_its_tolerance() -> None:
    w, state = {"w": np.ones((1, 2))}, {"n_iter": 3}
    after, found = LBFGS(tolerance_grad=0.5).step_group(w, {"w": np.array([[0.5, -0.5]])}, state)
    assert after is w and found is state
    after, _ = LBFGS(tolerance_grad=0.5).step_group(w, {"w": np.array([[0.5, -0.6]])}, {})
    assert not np.array_equal(after["w"], w["w"])


def test_weights_stay_but_the_step_is_kept_where_the_slope_is_within_its_tolerance() -> None:
    w = {"w": np.ones((1, 2))}
    after, state = LBFGS(tolerance_change=1.0).step_group(w, {"w": np.array([[0.5, 0.5]])}, {})
    assert after is w and state["n_iter"] == 1 and np.array_equal(state["d"], [[-0.5, -0.5]])


def test_a_pair_of_little_curvature_is_not_remembered() -> None:
    ours, w, g = LBFGS(), {"w": np.zeros((1, 2))}, {"w": np.ones((1, 2))}
    w, state = ours.step_group(w, g, {})
    _, state = ours.step_group(w, g, state)  # y = 0
    assert state["ro"] == () and state["H_diag"] == 1 and np.array_equal(state["d"], -g["w"])


def test_a_slope_just_at_its_tolerance_still_moves_the_weights() -> None:
    w, g = {"w": np.ones((1, 2))}, {"w": np.array([[0.5, 0.5]])}  # g·d = −0.5 at the first step
    after, _ = LBFGS(tolerance_change=0.5).step_group(w, g, {})
    assert np.all(after["w"] == 0.5)


def test_a_curvature_of_just_1e_10_is_not_enough() -> None:
    ours = LBFGS(lr=5e-11)
    w, state = ours.step_group({"w": np.zeros((1, 1))}, {"w": np.full((1, 1), -1.0)}, {})  # s = 5e-11
    _, state = ours.step_group(w, {"w": np.full((1, 1), 1.0)}, state)  # y = 2
    assert state["ro"] == ()


@pytest.mark.every_case
@pytest.mark.parametrize(
    ("t", "low_enough", "flat_enough"),
    [
        (0.0999, True, False),
        (0.1001, True, True),
        (1.8999, True, True),
        (1.9001, True, False),
        (1.9997, True, False),
        (1.9999, False, False),
    ],
)
def test_on_a_parabola_the_conditions_of_wolfe_hold_up_to_1_9998_and_from_0_1_to_1_9(
    t: float, low_enough: bool, flat_enough: bool
) -> None:
    """f(t) = (t − 1)²: f(t) ≤ f(0) + c₁tf′(0) where t ≤ 2(1 − c₁), and |f′(t)| ≤ −c₂f′(0) where |t − 1| ≤ c₂."""
    assert (lbfgs.armijo_excess(1.0, (t - 1) ** 2, t, -2.0) <= 0) == low_enough
    assert (lbfgs.curvature_excess(-2.0, 2 * (t - 1)) <= 0) == flat_enough


@pytest.mark.parametrize("curvature", [0.99e-10, 1.01e-10])
def test_a_pair_is_remembered_from_a_curvature_of_1e_10_on(curvature: float) -> None:
    w, state = LBFGS().step_group({"w": np.zeros((1, 1))}, {"w": np.full((1, 1), -0.5)}, {})  # t = 1, so s = 0.5
    _, state = LBFGS().step_group(w, {"w": np.full((1, 1), -0.5 + 2 * curvature)}, state)
    assert len(state["ro"]) == (curvature > 1e-10)


def test_runs_that_decide_differently_are_refused() -> None:
    message = (
        "params: given a batch of runs of which some stop, or skip a pair, where others do not; "
        "allowed: runs that decide alike; run them apart"
    )
    with pytest.raises(ParameterError, match=f"^{message}$"):
        LBFGS().step_group({"w": np.ones((2, 1))}, {"w": np.array([[0.0], [1.0]])}, {})


def test_it_is_not_in_the_registry_because_it_takes_all_parameters_at_once() -> None:
    assert LBFGS not in OPTIMIZERS.values() and not hasattr(LBFGS, "step")


@pytest.mark.parametrize("bad", [{"history_size": 0}, {"line_search_fn": "armijo"}, {"lr": -1.0}], ids=str)
def test_what_is_out_of_range_is_refused(bad: dict[str, Any]) -> None:
    with pytest.raises(ParameterError, match=f"^{next(iter(bad))}: given"):
        LBFGS(**bad)
