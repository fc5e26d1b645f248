"""Schedule-free SGD and AdamW: the paper's three sequences, which the formulas keep two of, and optax."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from refimpl.errors import ParameterError
from refimpl.optimizers import SGD, RMSprop, ScheduleFreeAdamW, ScheduleFreeSGD

Array = npt.NDArray[Any]
MORE: dict[str, Any] = {"weight_decay": 0.3, "warmup_steps": 4, "r": 1.5, "weight_lr_power": 3.0}
WARMED: dict[str, Any] = {"warmup_steps": 4, "weight_lr_power": 3.0}
OPTIMIZERS: dict[str, Any] = {
    "sgd": ScheduleFreeSGD(lr=0.3, momentum=0.9),
    "sgd with all": ScheduleFreeSGD(lr=0.3, momentum=0.7, **MORE),
    "sgd warmed up": ScheduleFreeSGD(lr=0.3, momentum=0.9, **WARMED),
    "adamw": ScheduleFreeAdamW(lr=0.3, betas=(0.9, 0.95)),
    "adamw warmed up": ScheduleFreeAdamW(lr=0.3, betas=(0.9, 0.95), **WARMED),
    "adamw with all": ScheduleFreeAdamW(lr=0.3, betas=(0.7, 0.9), eps=0.01, **MORE),
}
any_of_them = pytest.mark.parametrize("optimizer", OPTIMIZERS.values(), ids=list(OPTIMIZERS))


def material(steps: int = 12) -> tuple[Array, Array]:
    rng = np.random.default_rng(0)
    return rng.standard_normal((1, 3, 4)), rng.standard_normal((steps, 1, 3, 4))


def run(optimizer: Any, param: Array, gradients: Array) -> list[tuple[Array, Any]]:
    state, found = optimizer.init(param), []
    for gradient in gradients:
        param, state = optimizer.step(param, gradient, state)
        found.append((param, state))
    return found


def interpolation(optimizer: Any) -> Any:
    return optimizer.momentum if isinstance(optimizer, ScheduleFreeSGD) else optimizer.betas[0]


@pytest.mark.every_case
@any_of_them
def test_it_is_the_papers_three_sequences_in_fifty_digits(optimizer: Any, high_precision: Any) -> None:
    lifted = high_precision.hyper(optimizer)
    start, gradients = (high_precision.array(array) for array in material())
    number, beta = high_precision.number, interpolation(lifted)
    x = y = z = start
    v, total = 0 * start, number(0)
    for t, (gradient, (ours, state)) in enumerate(zip(gradients, run(lifted, start, gradients), strict=True), start=1):
        rate = lifted.lr * min(number(1), number(t) / optimizer.warmup_steps) if optimizer.warmup_steps else lifted.lr
        if isinstance(optimizer, ScheduleFreeSGD):
            u = gradient + lifted.weight_decay * y
        else:
            b2 = lifted.betas[1]
            v = b2 * v + (1 - b2) * gradient**2
            u = gradient / ((v / (1 - b2**t)) ** number(0.5) + lifted.eps) + lifted.weight_decay * y
        z = z - rate * u
        weight = number(t) ** lifted.r * rate**lifted.weight_lr_power  # the rates never fall here
        total = total + weight
        x = (1 - weight / total) * x + weight / total * z
        y = (1 - beta) * z + beta * x
        for found, expected in ((ours, y), (state["z"], z), (lifted.average(ours, state), x)):
            assert np.all(np.abs(found - expected) < number(10) ** -45)


def test_the_average_is_the_plain_mean_of_the_moving_weights() -> None:
    param, gradients = material()
    moved = []
    for after, state in run(OPTIMIZERS["sgd"], param, gradients):
        moved.append(state["z"])
        np.testing.assert_allclose(OPTIMIZERS["sgd"].average(after, state), np.mean(moved, axis=0), rtol=0, atol=1e-14)


@pytest.mark.every_case
@any_of_them
def test_before_the_first_step_the_average_is_the_parameter(optimizer: Any) -> None:
    param, _ = material()
    assert np.array_equal(optimizer.average(param, optimizer.init(param)), param)


def test_the_first_step_is_that_of_the_method_without_averages() -> None:
    param, gradients = material()
    ours, state = OPTIMIZERS["sgd"].step(param, gradients[0], {})
    assert np.array_equal(ours, SGD(lr=0.3).step(param, gradients[0], {})[0]) and np.array_equal(ours, state["z"])
    adamw, state = OPTIMIZERS["adamw"].step(param, gradients[0], {})
    np.testing.assert_allclose(adamw, param - 0.3 * np.sign(gradients[0]), rtol=0, atol=1e-6)
    assert np.array_equal(adamw, state["z"])


def test_the_moving_weights_of_adamw_take_rmsprops_steps() -> None:
    """From the same weights and averages: RMSprop's v, corrected."""
    param, gradients = material()
    optimizer, state = ScheduleFreeAdamW(lr=0.3, betas=(0.9, 0.95), eps=0.0), {}
    peer, z, kept = RMSprop(lr=0.3, alpha=0.95, eps=0.0), param, {}
    for t, gradient in enumerate(gradients, start=1):
        param, state = optimizer.step(param, gradient, state)
        after, kept = peer.step(z, gradient, kept)
        np.testing.assert_allclose(state["z"], z + (after - z) * np.sqrt(1 - 0.95**t), rtol=0, atol=1e-13)
        np.testing.assert_allclose(state["exp_avg_sq"], kept["square_avg"], rtol=1e-14)
        z = state["z"]


@pytest.mark.every_case
@any_of_them
def test_a_rate_of_0_moves_nothing_at_the_start_and_only_averages_later(optimizer: Any) -> None:
    param, gradients = material()
    still = replace(optimizer, lr=0.0)
    after, state = run(still, param, gradients)[-1]
    assert np.array_equal(after, param) and np.array_equal(state["z"], param) and state["weight_sum"] == 0
    after, state = run(optimizer, param, gradients)[-1]
    later, kept = still.step(after, gradients[0], state)
    assert np.array_equal(kept["z"], state["z"]) and np.array_equal(kept["lr_max"], state["lr_max"])
    assert np.all(kept["weight_sum"] > state["weight_sum"]) and not np.array_equal(later, after)


@pytest.mark.parametrize("cls", [ScheduleFreeSGD, ScheduleFreeAdamW])
def test_the_rate_rises_to_its_full_size_in_the_steps_of_the_warmup(cls: Any) -> None:
    param, gradients = material(6)
    rates = [state["lr_max"].item() for _, state in run(cls(lr=0.5, warmup_steps=4), param, gradients)]
    assert rates == [0.125, 0.25, 0.375, 0.5, 0.5, 0.5]


@pytest.mark.every_case
@pytest.mark.parametrize(
    ("cls", "bad"),
    [
        (ScheduleFreeSGD, {"momentum": 0.0}),
        (ScheduleFreeSGD, {"momentum": 1.0}),
        (ScheduleFreeAdamW, {"betas": (0.0, 0.9)}),
        (ScheduleFreeAdamW, {"betas": (1.0, 0.9)}),
        (ScheduleFreeSGD, {"warmup_steps": -1}),
        (ScheduleFreeAdamW, {"warmup_steps": 1.5}),
    ],
    ids=str,
)
def test_what_is_out_of_range_is_refused(cls: Any, bad: dict[str, Any]) -> None:
    with pytest.raises(ParameterError, match=f"^{next(iter(bad))}: given "):
        cls(**bad)


def test_the_first_beta_of_adamw_is_refused_with_what_is_allowed_and_what_to_take() -> None:
    with pytest.raises(ParameterError) as refused:
        ScheduleFreeAdamW(betas=(0.0, 0.9))
    assert str(refused.value) == (
        "betas: given (0.0, 0.9); allowed: β₁ between 0 and 1; use rmsprop: gradients would be taken at z"
    )


def test_a_method_that_is_no_longer_schedule_free_is_called_by_its_name() -> None:
    with pytest.raises(ParameterError) as refused:
        ScheduleFreeSGD(momentum=0.0)
    assert str(refused.value) == (
        "momentum: given 0; allowed: a number between 0 and 1; use sgd: gradients would be taken at z"
    )


@pytest.mark.parametrize(
    ("name", "theirs", "ours"),
    [
        (
            "schedule_free_sgd",
            {"b1": 0.7, "weight_decay": 0.3},
            ScheduleFreeSGD(lr=0.1, momentum=0.7, weight_decay=0.3),
        ),
        ("schedule_free_sgd", {}, ScheduleFreeSGD(lr=0.1)),
        (
            "schedule_free_adamw",
            {"b1": 0.7, "b2": 0.9, "eps": 1e-3, "weight_decay": 0.3},
            ScheduleFreeAdamW(lr=0.1, betas=(0.7, 0.9), eps=1e-3, weight_decay=0.3),
        ),
        ("schedule_free_adamw", {}, ScheduleFreeAdamW(lr=0.1)),
    ],
    ids=["sgd-options", "sgd", "adamw-options", "adamw"],
)
def test_its_steps_are_optaxs(name: str, theirs: dict[str, Any], ours: Any) -> None:
    import jax  # takes a second
    from optax import apply_updates, contrib

    param, gradients = material()
    with jax.enable_x64(True):
        rule = getattr(contrib, name)(0.1, **theirs)
        peer = jax.numpy.asarray(param)
        state = rule.init(peer)
        for gradient, (after, kept) in zip(gradients, run(ours, param, gradients), strict=True):
            updates, state = rule.update(jax.numpy.asarray(gradient), state, peer)
            peer = apply_updates(peer, updates)
            np.testing.assert_allclose(after, np.asarray(peer), rtol=0, atol=1e-13)
            np.testing.assert_allclose(kept["z"], np.asarray(state.z), rtol=0, atol=1e-13)
            x = contrib.schedule_free_eval_params(state, peer)
            np.testing.assert_allclose(ours.average(after, kept), np.asarray(x), rtol=0, atol=1e-13)
