"""The training loop makes the run that torch makes, that 50 digits make, and that rationals make."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import torch

from refimpl.arithmetic.exact import fits
from refimpl.arithmetic.formats import FORMATS
from refimpl.batches import Batches
from refimpl.datasets import Gaussian, Integers
from refimpl.errors import ParameterError, ShapeError
from refimpl.initial_weights import Integers as IntegerInit
from refimpl.initial_weights import Normal, draw_all
from refimpl.losses import SquaredError
from refimpl.models import Linear
from refimpl.optimizers import SGD, SGDW, Muon, ProximalSGD
from refimpl.penalties import L1, L2
from refimpl.problem import Problem
from refimpl.schedules import Constant, Exponential, Step
from refimpl.training import Group, hyper_parameters, train
from refimpl.trajectory import Trajectory

Array = npt.NDArray[Any]
BOTH = ("weight", "bias")
HALF_MEAN = SquaredError(factor=0.5, reduction="mean")
MSE = SquaredError(factor=1.0, reduction="mean")


def material(rows: int = 7, features: int = 3, runs: int = 1, seed: int = 0) -> tuple[dict[str, Array], Array, Array]:
    rng = np.random.default_rng(seed)
    params = {"weight": rng.standard_normal((runs, 1, features)), "bias": rng.standard_normal((runs, 1))}
    return params, rng.standard_normal((1, rows, features)), rng.standard_normal((1, rows, 1))


def together(optimizer: Any) -> list[Group]:
    return [Group(parameters=BOTH, optimizer=optimizer)]


def order(rows: int, epochs: int, **options: Any) -> Any:
    return Batches(**options).draw(rows, epochs, np.random.default_rng(1))


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
            stepped = {name: now.step(params[name], gradient[name], state[name]) for name in params}
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


# -- what is recorded -------------------------------------------------------------------------------------------------


def recorded(**options: Any) -> tuple[Problem, Any, Array, Array, Any, Trajectory]:
    params, X, y = material(runs=2)
    problem = Problem(model=Linear(), loss=HALF_MEAN, penalties=(L2(strength=0.3),))
    optimizer = SGD(lr=0.1, momentum=0.9, dampening=0.2)
    batches = order(7, 3, size=3)
    return problem, optimizer, X, y, batches, train(problem, together(optimizer), params, X, y, batches, **options)


def test_every_recorded_step_is_one_step_from_what_was_recorded_before_it() -> None:
    problem, optimizer, X, y, batches, found = recorded()
    rows_of_step = [rows for epoch in batches for rows in epoch]
    assert found.steps == len(rows_of_step) == 9
    for step, rows in enumerate(rows_of_step):
        params = {name: values[step] for name, values in found.params.items()}
        before, after = found.state_before(step), found.state_before(step + 1)
        gradient = problem.gradient(params, X[:, rows], y[:, rows])
        np.testing.assert_allclose(found.loss[step], problem.data_loss(params, X[:, rows], y[:, rows]), rtol=1e-14)
        np.testing.assert_allclose(found.objective[step], problem.objective(params, X[:, rows], y[:, rows]), rtol=1e-14)
        for name in BOTH:
            np.testing.assert_allclose(found.gradients[name][step], gradient[name], rtol=1e-13)
            stepped, state = optimizer.step(params[name], found.gradients[name][step], before[name])
            assert np.array_equal(found.params[name][step + 1], stepped)
            assert set(after[name]) == set(state) and all(np.array_equal(after[name][key], state[key]) for key in state)
    assert found.state_before(0) == {"weight": {}, "bias": {}}


def test_the_norm_is_that_of_the_weights_without_the_bias() -> None:
    *_, found = recorded()
    assert found.norm.shape == (10, 2)
    np.testing.assert_allclose(found.norm, np.linalg.norm(found.params["weight"][:, :, 0], axis=2), rtol=1e-14)


def test_losses_of_an_epoch_are_those_of_all_rows_before_it_and_at_the_end() -> None:
    validation = material(rows=5, seed=9)[1:]
    problem, _, X, y, _, found = recorded(validation=validation)
    assert found.validation_loss is not None and found.train_loss.shape == found.validation_loss.shape == (4, 2)
    for epoch, step in enumerate((0, 3, 6, 9)):
        params = {name: values[step] for name, values in found.params.items()}
        np.testing.assert_allclose(found.train_loss[epoch], problem.data_loss(params, X, y), rtol=1e-14)
        np.testing.assert_allclose(found.validation_loss[epoch], problem.data_loss(params, *validation), rtol=1e-14)
    assert recorded()[-1].validation_loss is None


def test_validation_does_not_touch_the_training() -> None:
    plain, validated = recorded()[-1], recorded(validation=material(rows=5, seed=9)[1:])[-1]
    for name in BOTH:
        assert np.array_equal(plain.params[name], validated.params[name])


def test_recording_losses_only_gives_the_same_losses_and_the_final_parameters() -> None:
    whole, losses = recorded()[-1], recorded(record="losses")[-1]
    for key in ("loss", "objective", "norm", "train_loss"):
        assert np.array_equal(getattr(whole, key), getattr(losses, key))
    for name in BOTH:
        assert losses.params[name].shape == (1, *whole.params[name].shape[1:])
        assert np.array_equal(losses.params[name][0], whole.params[name][-1])
    assert losses.gradients == {} and losses.state == {} and losses.steps == whole.steps


def test_the_inputs_stay_as_they_are_and_are_not_kept() -> None:
    params, X, y = material(runs=2)
    before = {name: values.copy() for name, values in params.items()}, X.copy(), y.copy()
    problem = Problem(model=Linear(), loss=HALF_MEAN)
    found = train(problem, together(SGD(lr=0.1, momentum=0.9)), params, X, y, order(7, 3, size=3))
    assert all(np.array_equal(params[name], before[0][name]) for name in BOTH)
    assert np.array_equal(X, before[1]) and np.array_equal(y, before[2])
    params["weight"][:] = np.nan
    assert np.array_equal(found.params["weight"][0], before[0]["weight"])


def test_a_run_of_no_epochs_is_its_start() -> None:
    params, X, y = material()
    found = train(Problem(model=Linear(), loss=HALF_MEAN), together(SGD(lr=0.1)), params, X, y, ())
    assert found.steps == 0 and found.train_loss.shape == (1, 1)
    assert np.array_equal(found.params["weight"][0], params["weight"])


# -- independent runs -------------------------------------------------------------------------------------------------


def test_a_sweep_over_64_strengths_is_64_runs() -> None:
    strengths = np.geomspace(1e-3, 10, 64)
    params, X, y = material(rows=12, features=5)
    many = {name: np.repeat(values, 64, axis=0) for name, values in params.items()}
    batches = order(12, 5, size=5)
    problem = Problem(model=Linear(), loss=HALF_MEAN, penalties=(L2(strength=strengths),))
    groups = together(SGD(lr=0.05, momentum=0.9))
    sweep = train(problem, groups, many, X, y, batches)
    assert sweep.loss.shape == (15, 64)
    for run, strength in enumerate(strengths):
        single = replace(problem, penalties=(L2(strength=float(strength)),))
        alone = train(single, groups, params, X, y, batches)
        np.testing.assert_allclose(sweep.params["weight"][:, run], alone.params["weight"][:, 0], rtol=0, atol=1e-14)
        np.testing.assert_allclose(sweep.objective[:, run], alone.objective[:, 0], rtol=1e-13)


def test_runs_may_have_data_learning_rates_and_momentum_of_their_own() -> None:
    rates, momenta = np.array([0.01, 0.1, 0.2]), np.array([0.0, 0.5, 0.9])
    params, X, y = material(runs=3)
    X, y = np.concatenate([X, 2 * X, -X]), np.concatenate([y, y + 1, 3 * y])
    batches = order(7, 4, size=3)
    problem = Problem(model=Linear(), loss=HALF_MEAN)
    schedule = Exponential(gamma=0.9)
    batch = train(problem, together(SGD(lr=rates, momentum=momenta)), params, X, y, batches, schedule=schedule)
    for run in range(3):
        one = slice(run, run + 1)
        single = {name: values[one] for name, values in params.items()}
        groups = together(SGD(lr=float(rates[run]), momentum=float(momenta[run])))
        alone = train(problem, groups, single, X[one], y[one], batches, schedule=schedule)
        for name in BOTH:
            np.testing.assert_allclose(batch.params[name][:, one], alone.params[name], rtol=1e-13, atol=1e-15)


def test_a_constant_schedule_is_no_schedule() -> None:
    assert np.array_equal(recorded(schedule=Constant())[-1].params["weight"], recorded()[-1].params["weight"])


# -- bad input --------------------------------------------------------------------------------------------------------

GOOD = {"weight": (2, 1, 3), "bias": (2, 1)}


@pytest.mark.parametrize(
    ("shapes", "X", "y", "name"),
    [
        (GOOD, (4, 3), (1, 4, 1), "X, y"),
        (GOOD, (1, 4, 3), (1, 4), "X, y"),
        (GOOD, (1, 4, 3), (1, 4, 2), "X, y"),
        (GOOD, (1, 4, 3), (1, 5, 1), "X, y"),
        (GOOD, (1, 0, 3), (1, 0, 1), "X, y"),
        (GOOD, (1, 4, 2), (1, 4, 1), "weight"),
        (GOOD, (3, 4, 3), (1, 4, 1), "weight"),
        (GOOD, (1, 4, 3), (3, 4, 1), "weight"),
        (GOOD | {"weight": (1, 3)}, (1, 4, 3), (1, 4, 1), "weight"),
        (GOOD | {"bias": (3, 1)}, (1, 4, 3), (1, 4, 1), "weight"),
        (GOOD | {"bias": (2,)}, (1, 4, 3), (1, 4, 1), "bias"),
    ],
    ids=str,
)
def test_shapes_that_do_not_fit_are_refused_before_anything_runs(shapes: Any, X: Any, y: Any, name: str) -> None:
    params = {key: np.zeros(shape) for key, shape in shapes.items()}
    problem = Problem(model=Linear(), loss=HALF_MEAN)
    with pytest.raises(ShapeError) as caught:
        train(problem, together(SGD(lr=0.1)), params, np.zeros(X), np.zeros(y), ((np.arange(2),),))
    assert caught.value.what == name
    if name == "X, y":  # the validation rows are held to the same
        good = {key: np.zeros(shape) for key, shape in GOOD.items()}
        data, validation = (np.zeros((1, 4, 3)), np.zeros((1, 4, 1))), (np.zeros(X), np.zeros(y))
        with pytest.raises(ShapeError):
            train(problem, together(SGD(lr=0.1)), good, *data, ((np.arange(2),),), validation=validation)


def test_parameters_that_the_model_does_not_have_or_that_are_missing_are_refused() -> None:
    _, X, y = material()
    problem = Problem(model=Linear(), loss=HALF_MEAN)
    for names in (("weight",), ("weight", "bias", "scale")):
        params = {name: np.zeros((1, 1, 3)) for name in names}
        with pytest.raises(ParameterError, match=r"^params: given .*; allowed: \['bias', 'weight'\]; give each"):
            train(problem, together(SGD(lr=0.1)), params, X, y, ())


@pytest.mark.parametrize(
    ("names", "problem"),
    [
        ([("weight",)], "no group for bias"),
        ([("weight", "bias"), ("bias",)], "'bias', which is in two groups"),
        ([("weight", "bias", "scale")], "'scale', which is no parameter of the model"),
    ],
)
def test_every_parameter_belongs_to_one_group(names: list[tuple[str, ...]], problem: str) -> None:
    params, X, y = material()
    groups = [Group(parameters=parameters, optimizer=SGD(lr=0.1)) for parameters in names]
    with pytest.raises(ParameterError, match=rf"^groups: given {problem}; allowed: "):
        train(Problem(model=Linear(), loss=HALF_MEAN), groups, params, X, y, ())
