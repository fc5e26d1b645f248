"""The training loop makes the run that torch makes, that 50 digits make, and that rationals make."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import torch

from refimpl import joint
from refimpl.arithmetic.exact import fits
from refimpl.arithmetic.formats import FORMATS
from refimpl.batches import Batches
from refimpl.datasets import Gaussian, Integers
from refimpl.initial_weights import Integers as IntegerInit
from refimpl.initial_weights import Normal, draw_all
from refimpl.losses import SquaredError
from refimpl.models import Linear
from refimpl.optimizers import SGD, SGDW, Muon, ProximalSGD
from refimpl.penalties import L1, L2
from refimpl.problem import Problem
from refimpl.schedules import Exponential, Step
from refimpl.training import Group, hyper_parameters, train
from tests.refimpl.trainings import BOTH, HALF_MEAN, material, order, together

Array = npt.NDArray[Any]
MSE = SquaredError(factor=1.0, reduction="mean")


# -- peers ----------------------------------------------------------------------------------------------------------


def torch_run(
    params: Mapping[str, Array],
    X: Array,
    y: Array,
    batches_of_epochs: Any,
    make_optimizer: Any,
    make_schedule: Any = None,
    per: str = "epoch",
) -> dict[str, list[Array]]:
    """torch.nn.Linear with MSELoss, trained the way a tutorial does it."""
    layer = torch.nn.Linear(X.shape[2], 1, dtype=torch.float64)
    with torch.no_grad():
        for name, param in layer.named_parameters():
            param.copy_(torch.tensor(params[name][0]))
    optimizer = make_optimizer(layer)
    schedule = None if make_schedule is None else make_schedule(optimizer)
    loss_function = torch.nn.MSELoss()
    found: dict[str, list[Any]] = {"weight": [], "bias": [], "loss": []}
    for batches in batches_of_epochs:
        for rows in batches:
            optimizer.zero_grad()
            loss = loss_function(layer(torch.tensor(X[0, rows])), torch.tensor(y[0, rows]))
            loss.backward()
            optimizer.step()
            found["loss"].append(loss.item())
            for name, param in layer.named_parameters():
                found[name].append(param.detach().numpy().copy())
            if schedule is not None and per == "step":
                schedule.step()
        if schedule is not None and per == "epoch":
            schedule.step()
    return found


@pytest.mark.parametrize("drop_last", [False, True])
@pytest.mark.parametrize(
    "options",
    [{}, {"momentum": 0.9, "dampening": 0.3}, {"momentum": 0.9, "nesterov": True, "weight_decay": 0.2}],
    ids=str,
)
def test_a_run_with_a_ragged_last_batch_is_torchs(options: dict[str, Any], drop_last: bool) -> None:
    params, X, y = material(rows=7)
    batches = order(7, 6, size=3, drop_last=drop_last)
    assert [len(rows) for rows in batches[0]] == ([3, 3] if drop_last else [3, 3, 1])
    peer = torch_run(params, X, y, batches, lambda layer: torch.optim.SGD(layer.parameters(), lr=0.05, **options))
    found = train(Problem(model=Linear(), loss=MSE), together(SGD(lr=0.05, **options)), params, X, y, batches)
    assert found.steps == len(peer["loss"]) == (12 if drop_last else 18)
    np.testing.assert_allclose(found.loss[:, 0], peer["loss"], rtol=1e-12)
    for name in BOTH:
        np.testing.assert_allclose(found.params[name][1:, 0], peer[name], rtol=0, atol=1e-13)


@pytest.mark.parametrize("per", ["epoch", "step"])
@pytest.mark.parametrize("kind", ["step", "exponential"])
def test_a_schedule_per_epoch_or_per_step_moves_when_torchs_does(per: Any, kind: str) -> None:
    params, X, y = material(rows=7)
    batches = order(7, 8, size=3)
    schedule: Any = Step(step_size=3, gamma=0.5, per=per) if kind == "step" else Exponential(gamma=0.8, per=per)

    def make_schedule(optimizer: Any) -> Any:
        if kind == "step":
            return torch.optim.lr_scheduler.StepLR(optimizer, 3, 0.5)
        return torch.optim.lr_scheduler.ExponentialLR(optimizer, 0.8)

    def make_optimizer(layer: Any) -> Any:
        return torch.optim.SGD(layer.parameters(), lr=0.2, momentum=0.5)

    peer = torch_run(params, X, y, batches, make_optimizer, make_schedule, per)
    problem, groups = Problem(model=Linear(), loss=MSE), together(SGD(lr=0.2, momentum=0.5))
    found = train(problem, groups, params, X, y, batches, schedule=schedule)
    for name in BOTH:
        np.testing.assert_allclose(found.params[name][1:, 0], peer[name], rtol=0, atol=1e-13)
    other = train(
        problem, groups, params, X, y, batches, schedule=replace(schedule, per="step" if per == "epoch" else "epoch")
    )
    assert not np.allclose(found.params["weight"], other.params["weight"], rtol=1e-3)


def test_groups_are_torchs_parameter_groups() -> None:
    params, X, y = material()
    batches = order(7, 5, size=2)
    peer = torch_run(
        params,
        X,
        y,
        batches,
        lambda layer: torch.optim.SGD(
            [{"params": [layer.weight], "weight_decay": 0.5}, {"params": [layer.bias], "lr": 0.01, "momentum": 0.9}],
            lr=0.1,
        ),
    )
    groups = [
        Group(parameters=("weight",), optimizer=SGD(lr=0.1, weight_decay=0.5)),
        Group(parameters=("bias",), optimizer=SGD(lr=0.01, momentum=0.9)),
    ]
    found = train(Problem(model=Linear(), loss=MSE), groups, params, X, y, batches)
    for name in BOTH:
        np.testing.assert_allclose(found.params[name][1:, 0], peer[name], rtol=0, atol=1e-14)
    assert set(found.state["weight"]) == set() and set(found.state["bias"]) == {"momentum_buffer"}


def test_every_optimizer_trains_every_group_and_keeps_a_schedule(every_optimizer: dict[str, Any]) -> None:
    for optimizer in every_optimizer.values():
        assert_the_loop_is_the_same_by_hand(optimizer, Exponential(gamma=0.97, per="step"))


def test_every_schedule_is_kept(every_schedule: dict[str, Any]) -> None:
    for schedule in every_schedule.values():
        assert_the_loop_is_the_same_by_hand(SGD(lr=0.1, momentum=0.9, weight_decay=0.3), schedule)


def assert_the_loop_is_the_same_by_hand(optimizer: Any, schedule: Any) -> None:
    """The loop knows protocols only: by hand, with the schedule's learning rate set at every step, it is the same."""
    params, X, y = material()
    bias = not isinstance(optimizer, Muon)  # which takes matrices only
    problem = Problem(model=Linear(bias=bias), loss=HALF_MEAN)
    params = {name: params[name] for name in problem.model.ndim}
    batches = order(7, 4, size=3)
    groups = [Group(parameters=tuple(params), optimizer=optimizer)]
    found = train(problem, groups, params, X, y, batches, schedule=schedule)
    state = {name: optimizer.init(param) for name, param in params.items()}
    step = 0
    for epoch, of_epoch in enumerate(batches):
        for rows in of_epoch:
            count = epoch if schedule.per == "epoch" else step
            now = replace(optimizer, **schedule.at(count, hyper_parameters(optimizer)))
            gradient = problem.gradient(params, X[:, rows], y[:, rows])
            ready = joint.together(dict.fromkeys(params, now), params, gradient, state)
            stepped = {name: now.step(params[name], gradient[name], ready[name]) for name in params}
            params = {name: after[0] for name, after in stepped.items()}
            state = {name: after[1] for name, after in stepped.items()}
            step += 1
            for name in params:
                np.testing.assert_allclose(found.params[name][step], params[name], rtol=1e-13, atol=1e-15)


# -- other arithmetics ------------------------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize(
    ("optimizer", "penalty"),
    [
        (SGD(lr=0.01), L2(strength=3.0)),
        (SGD(lr=0.01, momentum=0.9, nesterov=True), L2(strength=3.0)),
        (SGDW(lr=0.01, momentum=0.9, weight_decay=3.0), None),
        (ProximalSGD(lr=0.01, penalty=L1(strength=0.05)), None),
    ],
    ids=["sgd", "nesterov", "sgdw", "proximal"],
)
def test_a_whole_textbook_run_has_14_digits(optimizer: Any, penalty: Any, high_precision: Any) -> None:
    """S0: 20 rows, 200 features, λ = 3, 10 epochs of 4 batches; against the same run with 50 digits."""
    rng = np.random.default_rng(0)
    data = Gaussian(train_rows=20, validation_rows=5, features=200).make(rng)
    start = draw_all({"weight": Normal(std=0.01)}, Linear().shapes(200), 200, None, rng)
    batches = Batches(size=5).draw(20, 10, rng)
    runs = []
    for lift, array in ((lambda obj: obj, lambda x: x), (high_precision.hyper, high_precision.array)):
        problem = Problem(model=Linear(), loss=lift(HALF_MEAN), penalties=() if penalty is None else (lift(penalty),))
        groups = [
            Group(parameters=("weight",), optimizer=lift(optimizer)),
            Group(parameters=("bias",), optimizer=lift(SGD(lr=0.01))),
        ]
        X, y, X_validation, y_validation = (array(x) for x in (data.X, data.y, data.X_validation, data.y_validation))
        params = {name: array(values) for name, values in start.items()}
        runs.append(train(problem, groups, params, X, y, batches, validation=(X_validation, y_validation)))
    plain, truth = runs
    assert truth.norm.dtype == object
    for name in BOTH:
        scale = np.abs(plain.params[name]).max()
        assert np.abs(plain.params[name] - truth.params[name]).max() <= 4e-15 * scale
        assert (
            np.abs(plain.gradients[name] - truth.gradients[name]).max() <= 1e-14 * np.abs(truth.gradients[name]).max()
        )
    for key in ("loss", "objective", "norm", "train_loss", "validation_loss"):
        assert np.all(np.abs(getattr(plain, key) - getattr(truth, key)) <= 1e-14 * np.abs(getattr(truth, key)))


@pytest.mark.parametrize("momentum", [0.0, 0.5])
def test_on_integers_and_powers_of_two_the_first_steps_are_the_rational_numbers_themselves(
    momentum: float, rational: Any
) -> None:
    rng = np.random.default_rng(0)
    data = Integers(rows=4, features=16, low=-2, high=2, residual=3).make(rng)
    inits = {name: IntegerInit(low=-2, high=2) for name in BOTH}
    params = draw_all(inits, Linear().shapes(16), 16, None, rng)
    batches = Batches().draw(4, 8, rng)
    optimizer, penalty = SGD(lr=2.0**-5, momentum=momentum), L2(strength=0.5)
    problem = Problem(model=Linear(), loss=HALF_MEAN, penalties=(penalty,))
    found = train(problem, together(optimizer), params, data.X, data.y, batches)

    exact_problem = Problem(model=Linear(), loss=rational.hyper(HALF_MEAN), penalties=(rational.hyper(penalty),))
    lifted, X, y = rational.hyper(optimizer), rational.array(data.X), rational.array(data.y)
    exact_params = {name: rational.array(values) for name, values in params.items()}
    state: dict[str, Any] = {name: {} for name in BOTH}
    exact_steps = 0
    for step in range(found.steps):
        if all(np.all(fits(values, FORMATS["float64"])) for values in exact_params.values()):
            exact_steps += 1
            for name, values in exact_params.items():
                assert np.all(values == rational.array(found.params[name][step]))
        gradient = exact_problem.gradient(exact_params, X, y)
        stepped = {name: lifted.step(exact_params[name], gradient[name], state[name]) for name in BOTH}
        exact_params = {name: after[0] for name, after in stepped.items()}
        state = {name: after[1] for name, after in stepped.items()}
    assert exact_steps >= 5
    for name, values in exact_params.items():
        np.testing.assert_allclose(found.params[name][-1], values.astype(float), rtol=1e-13)


def test_in_long_double_the_loop_stays_in_long_double(long_double: Any) -> None:
    params, X, y = material()
    problem = Problem(model=Linear(), loss=long_double.hyper(HALF_MEAN))
    groups = together(long_double.hyper(SGD(lr=0.1, momentum=0.9)))
    lifted = {name: long_double.array(values) for name, values in params.items()}
    found = train(problem, groups, lifted, long_double.array(X), long_double.array(y), order(7, 5, size=2))
    for values in (
        found.params["weight"],
        found.gradients["bias"],
        found.state["weight"]["momentum_buffer"],
        found.norm,
    ):
        assert values.dtype == np.longdouble
    plain = train(
        Problem(model=Linear(), loss=HALF_MEAN), together(SGD(lr=0.1, momentum=0.9)), params, X, y, order(7, 5, size=2)
    )
    np.testing.assert_allclose(plain.params["weight"], found.params["weight"].astype(float), rtol=1e-12)
