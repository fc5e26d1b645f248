"""Wrappers are what they say of the optimizer inside, in every arithmetic."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from refimpl.arithmetic.bounded import Bounded, Profile
from refimpl.arithmetic.exact import exact
from refimpl.arithmetic.formats import FORMATS
from refimpl.arithmetic.lift import lift
from refimpl.averaging import SWA
from refimpl.errors import ParameterError
from refimpl.optimizers import LAMB, SGD, Adam, AdamW
from refimpl.optimizers.wrappers import SAM, WRAPPERS, Cautious, Lookahead
from refimpl.optimizers.wrappers.cautious import OF_GRADIENTS
from tests.refimpl.optimizers.test_optimizers import material, run, tensors

Array = npt.NDArray[Any]
MOMENTUM = SGD(lr=0.125, momentum=0.5, weight_decay=0.25)
WRAPPED: dict[str, Any] = {
    "lookahead": Lookahead(inner=MOMENTUM, k=2, alpha=0.25),
    "cautious": Cautious(inner=MOMENTUM, least=0.5),
    "cautious of a look ahead's inner": Lookahead(inner=Cautious(inner=MOMENTUM), k=3),
    "cautious decoupled": Cautious(inner=AdamW(lr=0.1, weight_decay=0.3)),
    "sam": SAM(inner=MOMENTUM, rho=0.05),
}
EXACT = [name for name in WRAPPED if name != "cautious decoupled"]


def test_every_wrapper_has_an_example() -> None:
    assert {type(one) for one in WRAPPED.values()} == set(WRAPPERS.values())


# -- lookahead ---------------------------------------------------------------------------------------------------------


def test_lookahead_with_alpha_1_is_the_optimizer_inside(every_optimizer: dict[str, Any]) -> None:
    param, gradients = material()
    for label, optimizer in every_optimizer.items():
        wrapped = run(Lookahead(inner=optimizer, k=2, alpha=1.0), param, gradients)
        for (ours, _), (theirs, _) in zip(wrapped, run(optimizer, param, gradients), strict=True):
            assert np.array_equal(ours, theirs), label


def test_lookahead_on_a_parabola_shrinks_in_each_round_by_its_closed_form() -> None:
    """½hw²: w ← (1 − ηh)w, k times, and φ ← (1 − α)φ + α(1 − ηh)ᵏφ, exactly."""
    h, k, alpha, lr = Fraction(3), 4, Fraction(1, 2), Fraction(1, 8)
    optimizer = lift(Lookahead(inner=SGD(lr=0.125), k=k, alpha=0.5), exact)
    w, state = exact(np.array([[5.0]])), {}
    for step in range(3 * k):
        w, state = optimizer.step(w, 3 * w, state)
        rounds, fast = divmod(step + 1, k)
        expected = 5 * (1 - alpha + alpha * (1 - lr * h) ** k) ** rounds * (1 - lr * h) ** fast
        assert w[0, 0] == exact(np.array([0.0]))[0] + expected


def test_lookahead_keeps_the_state_inside_and_moves_the_slow_weights_in_every_kth_step_only() -> None:
    param, gradients = material()
    steps = run(Lookahead(inner=MOMENTUM, k=3, alpha=0.5), param, gradients)
    slow = [param, *(state["slow"] for _, state in steps)]
    moved = [not np.array_equal(a, b) for a, b in pairwise(slow)]
    assert moved == [False, False, True] * 2
    assert np.array_equal(slow[3], steps[2][0])
    _, inside = MOMENTUM.step(steps[2][0], gradients[3], {"momentum_buffer": steps[2][1]["momentum_buffer"]})
    assert np.array_equal(steps[3][1]["momentum_buffer"], inside["momentum_buffer"])


def test_lookahead_makes_the_steps_of_optax() -> None:
    import jax  # takes a second
    import optax

    param, gradients = (array[..., 0, 0, :] for array in material())
    with jax.enable_x64(True):
        theirs = optax.lookahead(optax.sgd(0.1, momentum=0.9), sync_period=2, slow_step_size=0.25)
        peer = optax.LookaheadParams.init_synced(param)
        state = theirs.init(peer)
        ours: Any = Lookahead(inner=SGD(lr=0.1, momentum=0.9), k=2, alpha=0.25)
        w, kept = param[None], {}
        for gradient in gradients:
            updates, state = theirs.update(gradient, state, peer)
            peer = optax.apply_updates(peer, updates)
            w, kept = ours.step(w, gradient[None], kept)
            np.testing.assert_allclose(w[0], np.asarray(peer.fast), rtol=0, atol=1e-14)


# -- cautious ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("inner", [MOMENTUM, AdamW(lr=0.1, weight_decay=0.3)], ids=["coupled", "decoupled"])
def test_cautious_moves_what_goes_down_and_no_other_and_keeps_the_mean_length(inner: Any) -> None:
    param, gradients = material()
    optimizer, state, kinds = Cautious(inner=inner), {}, set()
    for gradient in gradients:
        after, new = optimizer.step(param, gradient, state)
        theirs, _ = inner.step(param, gradient, state)
        start = param * (1 - 0.1 * 0.3) if inner.decay == "decoupled" else param
        g = gradient + 0.25 * param if inner.decay == "coupled" else gradient
        kept = (theirs - start) * g < 0
        scale = kept.shape[-1] / kept.sum(axis=(1, 2), keepdims=True)
        np.testing.assert_allclose(after, np.where(kept, start + (theirs - start) * scale, start), rtol=0, atol=1e-14)
        assert np.all((after - start) * g <= 0)
        kinds |= {*map(bool, kept.ravel())}
        param, state = after, new
    assert kinds == {False, True}


def test_cautious_is_the_optimizer_inside_where_all_of_it_goes_down() -> None:
    param, gradients = material()
    inner = Adam(lr=0.1)
    for (ours, _), (theirs, _) in zip(
        run(Cautious(inner=inner), param, np.abs(gradients)), run(inner, param, np.abs(gradients)), strict=True
    ):
        np.testing.assert_allclose(ours, theirs, rtol=0, atol=1e-15)


def test_cautious_that_maximises_is_that_which_goes_down_the_other_way() -> None:
    param, gradients = material()
    up, down = (run(Cautious(inner=SGD(lr=0.1, momentum=0.5, maximize=up)), param, gradients) for up in (True, False))
    mirrored = run(Cautious(inner=SGD(lr=0.1, momentum=0.5)), param, -gradients)
    assert all(np.array_equal(a, b) for (a, _), (b, _) in zip(up, mirrored, strict=True))
    assert not np.array_equal(up[0][0], down[0][0])


@pytest.mark.parametrize(("least", "longer"), [(0.001, 4), (0.5, 2)])
def test_cautious_makes_what_is_left_longer_by_no_more_than_the_least_mean_allows(least: float, longer: int) -> None:
    inner = SGD(lr=1.0, momentum=0.5)
    state: Any = {"momentum_buffer": np.full((1, 4), 8.0)}  # against all gradients but the first
    moved, _ = Cautious(inner=inner, least=least).step(np.zeros((1, 4)), np.array([[1.0, -1, -1, -1]]), state)
    assert np.array_equal(moved, [[-5.0 * longer, 0, 0, 0]])


def test_what_is_called_a_step_of_gradients_alone_is_the_same_from_any_weights(every_optimizer: dict[str, Any]) -> None:
    param, gradients = material()
    inside = {type(one).__name__: one for label, one in every_optimizer.items() if label.endswith("0")}
    assert set(OF_GRADIENTS) <= set(inside)
    for name in OF_GRADIENTS:
        rule = replace(inside[name], weight_decay=0.0) if hasattr(inside[name], "weight_decay") else inside[name]
        there = here = rule.init(param)
        for gradient in gradients:
            from_param, there = rule.step(param, gradient, there)
            from_zero, here = rule.step(0 * param, gradient, here)
            np.testing.assert_allclose(from_param - param, from_zero, rtol=0, atol=1e-15, err_msg=name)


def test_what_a_wrapper_does_not_take_is_refused() -> None:
    with pytest.raises(ParameterError, match="inner: given LAMB; allowed: SGD"):
        Cautious(inner=LAMB())
    with pytest.raises(ParameterError, match="use one lookahead"):
        Lookahead(inner=Lookahead(inner=MOMENTUM))
    with pytest.raises(ParameterError, match="an integer ≥ 1"):
        Lookahead(inner=MOMENTUM, k=0)


# -- SAM ---------------------------------------------------------------------------------------------------------------


def parts() -> tuple[dict[str, Array], dict[str, Array]]:
    rng = np.random.default_rng(0)
    params = {"weight": rng.standard_normal((3, 2, 4)), "bias": rng.standard_normal((3, 1))}
    return params, {name: rng.standard_normal(array.shape) for name, array in params.items()}


def flat(arrays: Any) -> Array:
    return np.concatenate([array.reshape(len(array), -1) for array in arrays.values()], axis=1)


def test_the_perturbation_is_the_longest_way_up_within_rho_for_all_parameters_together() -> None:
    params, grads = parts()
    e, g = flat(SAM(inner=MOMENTUM, rho=0.5, eps=0.0).perturbation(params, grads)), flat(grads)
    np.testing.assert_allclose(np.linalg.norm(e, axis=1), 0.5, rtol=1e-15)
    np.testing.assert_allclose((e * g).sum(axis=1), 0.5 * np.linalg.norm(g, axis=1), rtol=1e-14)


def test_the_adaptive_perturbation_is_the_longest_way_up_of_the_scaled_ball_and_scales_with_the_weights() -> None:
    params, grads = parts()
    optimizer = SAM(inner=MOMENTUM, rho=0.5, eps=0.0, adaptive=True)
    e, w, g = (flat(arrays) for arrays in (optimizer.perturbation(params, grads), params, grads))
    np.testing.assert_allclose(np.linalg.norm(e / np.abs(w), axis=1), 0.5, rtol=1e-14)
    np.testing.assert_allclose((e * g).sum(axis=1), 0.5 * np.linalg.norm(w * g, axis=1), rtol=1e-14)
    larger = {name: 8 * array for name, array in params.items()}
    smaller = {name: array / 8 for name, array in grads.items()}
    np.testing.assert_allclose(flat(optimizer.perturbation(larger, smaller)), 8 * e, rtol=1e-14)


def test_a_gradient_of_zero_perturbs_nothing() -> None:
    params, grads = parts()
    still = SAM(inner=MOMENTUM).perturbation(params, {name: 0 * array for name, array in grads.items()})
    assert all(np.array_equal(array, 0 * array) for array in still.values())


# -- arithmetics -------------------------------------------------------------------------------------------------------


@pytest.mark.every_case
@pytest.mark.parametrize("name", WRAPPED)
def test_every_arithmetic_takes_the_same_steps(name: str, high_precision: Any, long_double: Any, rational: Any) -> None:
    param, gradients = material()
    plain = run(WRAPPED[name], param, gradients)
    for arithmetic in [high_precision, long_double] + ([rational] if name in EXACT else []):
        lifted = run(arithmetic.hyper(WRAPPED[name]), arithmetic.array(param), arithmetic.array(gradients))
        for expected, computed in zip(plain, lifted, strict=True):
            for key, values in tensors(expected).items():
                np.testing.assert_allclose(tensors(computed)[key].astype(float), values, rtol=1e-12, atol=1e-13)


@pytest.mark.every_case
@pytest.mark.parametrize("name", WRAPPED)
def test_the_bound_holds_and_is_no_empty_one(name: str, high_precision: Any) -> None:
    profile = Profile(compute=FORMATS["float64"], accumulate=FORMATS["float64"])
    param, gradients = material()
    bounded = run(
        lift(WRAPPED[name], lambda number: Bounded.hyper(number, profile)),
        Bounded.tensor(param, profile),
        [Bounded.tensor(gradient, profile) for gradient in gradients],
    )
    truth = run(high_precision.hyper(WRAPPED[name]), high_precision.array(param), high_precision.array(gradients))
    for computed, bound, true in zip(run(WRAPPED[name], param, gradients), bounded, truth, strict=True):
        error = np.abs(high_precision.array(computed[0]) - true[0])
        assert np.all(error <= high_precision.array(bound[0].error))
        assert np.all(bound[0].error <= 1e4 * profile.compute.u)


@pytest.mark.parametrize("eps", [0.0, 1e-12])
def test_the_bound_of_the_perturbation_holds(eps: float, high_precision: Any) -> None:
    profile = Profile(compute=FORMATS["float64"], accumulate=FORMATS["float64"])
    params, grads = parts()
    for adaptive in (False, True):
        plain = SAM(inner=MOMENTUM, rho=0.1, eps=eps, adaptive=adaptive)
        lifted = lift(plain, lambda number: Bounded.hyper(number, profile))
        bounds: Any = lifted.perturbation(
            *({n: Bounded.tensor(x, profile) for n, x in y.items()} for y in (params, grads))
        )
        exactly = high_precision.hyper(plain).perturbation(
            *({name: high_precision.array(x) for name, x in y.items()} for y in (params, grads))
        )
        for name, computed in plain.perturbation(params, grads).items():
            error = np.abs(high_precision.array(computed) - exactly[name])
            assert np.all(error <= high_precision.array(bounds[name].error))
            assert np.all(bounds[name].error <= 100 * profile.compute.u)


# -- the equal average -------------------------------------------------------------------------------------------------


def test_the_equal_average_is_the_mean_of_all_weights_in_exact_arithmetic() -> None:
    weights = [exact(np.array([[1.0, 0.5], [k, -(k**2)]])) for k in range(5)]
    average = None
    for count, param in enumerate(weights):
        average = SWA()(average, param, count)
        assert np.all(average * (count + 1) == sum(weights[: count + 1]))


def test_the_equal_average_of_torch_lies_within_the_bound() -> None:
    """Each from torch's own before it: k(w − a) has three roundings and is at most 2M, the difference one more: 7uM."""
    import torch

    profile = Profile(compute=FORMATS["float32"], accumulate=FORMATS["float32"])
    net, generator = torch.nn.Linear(8, 1), torch.Generator().manual_seed(0)
    theirs: Any = torch.optim.swa_utils.AveragedModel(net)
    for count in range(6):
        with torch.no_grad():
            net.weight.normal_(generator=generator)
        before, weight = (
            Bounded.tensor(module.weight.detach().numpy().copy()[None], profile) for module in (theirs.module, net)
        )
        theirs.update_parameters(net)
        average: Any = SWA()(before if count else None, weight, count)  # type: ignore[arg-type]
        error = np.abs(theirs.module.weight.detach().numpy()[None] - average.value)
        largest = np.maximum(np.abs(before.value), np.abs(weight.value)).max()
        assert np.all(error <= average.error) and np.all(average.error <= 7.1 * profile.compute.u * largest)
