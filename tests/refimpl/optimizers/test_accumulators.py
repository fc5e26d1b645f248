"""Adagrad, Adadelta, RMSprop, Rprop and ASGD: torch's steps, other libraries, closed forms, and what must follow."""

from __future__ import annotations

import inspect
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import fields, replace
from fractions import Fraction
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import torch

from parity.judge.update import Update, check
from parity.step.expected import Expected
from refimpl.arithmetic.bounded import Profile
from refimpl.arithmetic.formats import FORMATS
from refimpl.optimizers import ASGD, SGD, Adadelta, Adagrad, RMSprop, Rprop
from refimpl.types import Optimizer, State

Array = npt.NDArray[Any]
STEPS = 5
SIZES = (1, 3, 17, 33)
"""Around the blocks of vector kernels."""
DTYPES = ("float64", "float32", "bfloat16", "float16")
FLAGS: Mapping[str, dict[str, bool]] = {
    "for-loop": {"foreach": False},
    "foreach": {"foreach": True},
    "fused": {"fused": True},
}
OPTIONS: Mapping[Any, list[dict[str, Any]]] = {
    Adagrad: [
        {},
        {"lr": 0.1, "lr_decay": 0.3, "weight_decay": 0.3, "initial_accumulator_value": 0.2, "eps": 0.01},
        {"lr": 0.1, "weight_decay": 0.1, "maximize": True},
    ],
    Adadelta: [
        {},
        {"lr": 0.3, "rho": 0.7, "eps": 0.01, "weight_decay": 0.3, "maximize": True},
        {"rho": 0.3},
    ],
    RMSprop: [
        {},
        {"lr": 0.1, "alpha": 0.9, "weight_decay": 0.3, "momentum": 0.9, "eps": 0.01},
        {"lr": 0.1, "alpha": 0.8, "eps": 0.01, "centered": True},
        {"lr": 0.1, "alpha": 0.3, "weight_decay": 0.3, "momentum": 0.5, "centered": True, "maximize": True},
    ],
    Rprop: [
        {},
        {"lr": 0.1, "etas": (0.3, 1.7), "step_sizes": (0.05, 0.3)},
        {"lr": 0.1, "etas": (0.7, 1.1), "step_sizes": (0.01, 1.0), "maximize": True},
    ],
    ASGD: [
        {},
        {"lr": 0.1, "lambd": 0.3, "alpha": 0.6, "t0": 2.0, "weight_decay": 0.3},
        {"lr": 0.1, "lambd": 0.1, "alpha": 1.0, "t0": 0.0, "weight_decay": 0.3, "maximize": True},
    ],
}
CASES = [
    (cls, implementation, dtype)
    for cls in OPTIONS
    for implementation in FLAGS
    for dtype in DTYPES
    if implementation != "fused" or cls is Adagrad
]


# -- torch, each step from its own numbers -----------------------------------------------------------------------------


def exact(tensor: torch.Tensor) -> Array:
    array: Array = tensor.detach().to(torch.float64, copy=True).numpy()[None]
    return array


def name_of(dtype: torch.dtype) -> str:
    return str(dtype).removeprefix("torch.")


def recorded(
    cls: Any, options: Mapping[str, Any], implementation: str, dtype: str, gradients: Array, start: Array
) -> Iterator[Update]:
    """Every step of torch's optimizer with these gradients."""
    kind = getattr(torch, dtype)
    parameter = torch.nn.Parameter(torch.from_numpy(start).to(kind))
    optimizer = getattr(torch.optim, cls.__name__)([parameter], **options, **FLAGS[implementation])
    profile = Profile(compute=FORMATS[dtype], accumulate=FORMATS[dtype])
    for number, gradient in enumerate(gradients):
        parameter.grad = torch.from_numpy(gradient).to(kind)
        before, seen = exact(parameter), exact(parameter.grad)
        state = {key: exact(values) for key, values in optimizer.state[parameter].items()}
        optimizer.step()
        after = optimizer.state[parameter]
        yield Update(
            parameter="w",
            number=number,
            optimizer=cls(**options),
            profile=profile,
            before=before,
            gradient=seen,
            state=state,
            after=exact(parameter),
            state_after={key: exact(values) for key, values in after.items()},
            formats={"param": dtype, **{key: name_of(values.dtype) for key, values in after.items()}},
        )


def drawn(seed: int, size: int, scale: float = 1.0) -> tuple[Array, Array]:
    """Gradients of either sign, some of them 0, and a start."""
    rng = np.random.default_rng(seed)
    gradients, start = scale * rng.standard_normal((STEPS, size)), scale * rng.standard_normal(size)
    gradients[2, : size // 3] = 0
    return gradients, start


def shares(pieces: Iterable[Expected]) -> dict[str, float]:
    return {str(piece.quantity): float(piece.share.max()) for piece in pieces}


@pytest.mark.parametrize(("cls", "implementation", "dtype"), CASES)
def test_every_step_of_torch_is_within_the_bound_and_the_bound_is_near(
    cls: Any, implementation: str, dtype: str
) -> None:
    used: dict[str, float] = defaultdict(float)
    for seed in range(12):
        options = OPTIONS[cls][seed % len(OPTIONS[cls])]
        size = SIZES[(seed + seed // 4) % 4]
        for update in recorded(cls, options, implementation, dtype, *drawn(seed, size)):
            for quantity, share in shares(check(update)).items():
                assert share <= 1, f"{quantity}: {share:.3g} of the bound in step {update.number}, {options}"
                if update.number > 0:  # in ASGD's first step the rounding of lr to float32 is all of the bound
                    used[quantity] = max(used[quantity], share)
    held_to_equality = {"w.step", "w.prev"}  # Rprop stores the gradient itself
    assert all(used[quantity] >= 0.1 for quantity in set(used) - held_to_equality), dict(used)
    assert all(used[quantity] == 0 for quantity in set(used) & held_to_equality)


@pytest.mark.parametrize(
    ("dtype", "scale"),
    [
        ("float16", 1e-4),
        ("float16", 1e-7),
        ("float16", 400),
        ("float32", 1e-22),
        ("float32", 1e19),
        ("float64", 1e-160),
    ],
)
@pytest.mark.parametrize("cls", OPTIONS)
@np.errstate(over="ignore", invalid="ignore")
def test_underflow_and_overflow_are_no_false_alarms(cls: Any, dtype: str, scale: float) -> None:
    for options in OPTIONS[cls]:
        for update in recorded(cls, options, "foreach", dtype, *drawn(6, 17, scale)):
            assert max(shares(check(update)).values()) <= 1


@pytest.mark.parametrize("implementation", ["for-loop", "foreach"])
def test_asgds_two_forms_are_within_the_bound_where_the_decay_all_but_cancels_the_weight(implementation: str) -> None:
    """1 − lambd·η = 0.073: w(1 − lambd·η) keeps its digits, w − η(g + lambd·w) loses one."""
    rng = np.random.default_rng(0)
    gradients, start = rng.standard_normal((3, 1000)), rng.standard_normal(1000)
    for update in recorded(ASGD, {"lr": 1.03, "lambd": 0.9}, implementation, "float32", gradients, start):
        assert max(shares(check(update)).values()) <= 1


def blind_to(update: Update, hyper: str, value: Any) -> bool:
    """True where the record would pass with another value of a hyper-parameter as well."""
    other = replace(update, optimizer=replace(update.optimizer, **{hyper: value}))  # type: ignore[type-var]
    return max(shares(check(other)).values()) <= 1


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("cls", OPTIONS)
def test_a_hyper_parameter_that_is_a_little_off_is_seen(cls: Any, dtype: str) -> None:
    """In some step of a run that uses all of them: blind to none. ASGD's rate is float32 in any dtype."""
    all_used = {
        Adagrad: OPTIONS[Adagrad][1],
        Adadelta: OPTIONS[Adadelta][1],
        RMSprop: OPTIONS[RMSprop][1] | {"centered": True},
        Rprop: OPTIONS[Rprop][1],
        ASGD: OPTIONS[ASGD][1],
    }[cls]
    off = 1 + (1e-12 if dtype == "float64" and cls is not ASGD else 1e-4)
    updates = list(recorded(cls, all_used, "for-loop", dtype, *drawn(0, 33)))
    for hyper, value in all_used.items():
        if hyper in ("maximize", "centered"):
            wrong: list[Any] = [not value]
        elif hyper == "t0":
            wrong = [value + 1]
        elif isinstance(value, tuple):
            wrong = [(value[0] * off, value[1]), (value[0], value[1] * off)]
        else:
            wrong = [value * off]
        for other in wrong:
            made_at_the_start = hyper == "initial_accumulator_value"  # by torch before the first step is recorded
            assert made_at_the_start or not all(blind_to(update, hyper, other) for update in updates), (hyper, other)


@pytest.mark.parametrize("cls", OPTIONS)
def test_state_before_the_first_step_is_torchs(cls: Any) -> None:
    for options in OPTIONS[cls]:
        parameter = torch.nn.Parameter(torch.ones(2, 3, dtype=torch.float64))
        theirs = getattr(torch.optim, cls.__name__)([parameter], **options).state[parameter]
        ours = cls(**options).init(np.ones((1, 2, 3)))
        assert set(ours) == set(theirs)
        assert all(np.array_equal(ours[key], exact(theirs[key])) for key in ours)


@pytest.mark.parametrize("cls", OPTIONS)
def test_names_and_defaults_are_torchs(cls: Any) -> None:
    theirs = inspect.signature(getattr(torch.optim, cls.__name__)).parameters
    without_effect_on_numbers = {"params", "foreach", "fused", "capturable", "differentiable"}
    assert {field.name: field.default for field in fields(cls)} == {
        name: parameter.default for name, parameter in theirs.items() if name not in without_effect_on_numbers
    }


# -- other libraries ---------------------------------------------------------------------------------------------------


def run(optimizer: Optimizer, start: Array, gradients: Array) -> list[tuple[Array, State]]:
    """(param, state) after each step; arrays without the axis of runs."""
    param: Array = start[None]
    state, found = optimizer.init(param), []
    for gradient in gradients:
        param, state = optimizer.step(param, gradient[None], state)
        found.append((param[0], state))
    return found


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        (
            Adagrad(lr=0.1, initial_accumulator_value=0.3, eps=0),
            ("adagrad", 0.1, {"initial_accumulator_value": 0.3, "eps": 0}),
        ),  # their ε is in the root
        (
            Adadelta(lr=0.3, rho=0.7, eps=0.01, weight_decay=0.3),
            ("adadelta", 0.3, {"rho": 0.7, "eps": 0.01, "weight_decay": 0.3}),
        ),
        (
            RMSprop(lr=0.1, alpha=0.7, eps=0.01, momentum=0.6),
            ("rmsprop", 0.1, {"decay": 0.7, "eps": 0.01, "momentum": 0.6, "eps_in_sqrt": False}),
        ),
        (
            RMSprop(lr=0.1, alpha=0.7, eps=0.01, centered=True),
            ("rmsprop", 0.1, {"decay": 0.7, "eps": 0.01, "centered": True, "eps_in_sqrt": False}),
        ),
    ],
    ids=["adagrad", "adadelta", "rmsprop", "rmsprop-centered"],
)
def test_optax_takes_the_same_steps(ours: Optimizer, theirs: tuple[str, float, dict[str, Any]]) -> None:
    import jax
    import optax

    name, rate, options = theirs
    peer = getattr(optax, name)(rate, **options)
    rng = np.random.default_rng(1)
    start, gradients = rng.standard_normal(9), rng.standard_normal((20, 9))
    gradients[3, 4] = 0
    with jax.enable_x64(True):
        param = jax.numpy.asarray(start)
        state = peer.init(param)
        for gradient, (expected, _) in zip(gradients, run(ours, start, gradients), strict=True):
            change, state = peer.update(jax.numpy.asarray(gradient), state, param)
            param = optax.apply_updates(param, change)
            np.testing.assert_allclose(param, expected, rtol=1e-12, atol=1e-12)


def test_optax_makes_the_same_rprop_steps_and_takes_each_one_later() -> None:
    """optax 0.2.8 returns what it stored at the step before (google-deepmind/optax#1725); it stores this step's."""
    import jax
    import optax

    ours = Rprop(lr=0.1, etas=(0.3, 1.7), step_sizes=(0.05, 0.3))
    theirs = optax.rprop(0.1, eta_minus=0.3, eta_plus=1.7, min_step_size=0.05, max_step_size=0.3)
    rng = np.random.default_rng(1)
    param, gradients = np.zeros(9), rng.standard_normal((20, 9))
    gradients[3, 4] = 0
    with jax.enable_x64(True):
        memory = theirs.init(jax.numpy.zeros(9))
        for gradient, (after, state) in zip(gradients, run(ours, param, gradients), strict=True):
            _, memory = theirs.update(jax.numpy.asarray(gradient), memory)
            np.testing.assert_allclose(memory[0].step_sizes, state["step_size"][0], rtol=1e-13)
            np.testing.assert_allclose(memory[0].prev_updates, param - after, rtol=1e-12, atol=1e-14)
            param = after


def onnx_operator(name: str, attributes: dict[str, Any]) -> Any:
    """One training operator as a model: (rate, count, X, G, state) to (X, state), in float64."""
    import onnx.reference
    from onnx import TensorProto, helper

    domain = "ai.onnx.preview.training"
    node = helper.make_node(name, ["R", "T", "X", "G", "S"], ["X1", "S1"], domain=domain, **attributes)
    kinds = {"R": TensorProto.DOUBLE, "T": TensorProto.INT64} | dict.fromkeys(["X", "G", "S"], TensorProto.DOUBLE)
    inputs = [helper.make_tensor_value_info(key, kind, None) for key, kind in kinds.items()]
    outputs = [helper.make_tensor_value_info(key, TensorProto.DOUBLE, None) for key in ("X1", "S1")]
    graph = helper.make_graph([node], name, inputs, outputs)
    versions = [helper.make_opsetid("", 21), helper.make_opsetid(domain, 1)]
    return onnx.reference.ReferenceEvaluator(helper.make_model(graph, opset_imports=versions))


@pytest.mark.parametrize(
    ("ours", "theirs", "kept"),
    [
        (
            Adagrad(lr=0.1, lr_decay=0.25, weight_decay=0.375, eps=0.015625),
            ("Adagrad", {"decay_factor": 0.25, "norm_coefficient": 0.375, "epsilon": 0.015625}),
            "sum",
        ),
        (
            SGD(lr=0.1, momentum=0.875, dampening=0.25, weight_decay=0.375),
            ("Momentum", {"alpha": 0.875, "beta": 0.75, "norm_coefficient": 0.375, "mode": "standard"}),
            "momentum_buffer",
        ),
        (
            SGD(lr=0.1, momentum=0.875, weight_decay=0.375, nesterov=True),
            ("Momentum", {"alpha": 0.875, "beta": 1.0, "norm_coefficient": 0.375, "mode": "nesterov"}),
            "momentum_buffer",
        ),
    ],
    ids=["adagrad", "momentum", "nesterov"],
)
def test_onnx_takes_the_same_steps(ours: Optimizer, theirs: tuple[str, dict[str, Any]], kept: str) -> None:
    """Its attributes are float32, so all of them are numbers that float32 holds."""
    rng, operator = np.random.default_rng(2), onnx_operator(*theirs)
    start, gradients = rng.standard_normal(9), rng.standard_normal((8, 9))
    param, state = start, np.zeros(9)
    for number, (expected, expected_state) in enumerate(run(ours, start, gradients)):
        given = {"R": np.array(0.1), "T": np.array(number), "X": param, "G": gradients[number], "S": state}
        param, state = operator.run(None, given)
        np.testing.assert_allclose(param, expected, rtol=1e-13, atol=1e-14)
        np.testing.assert_allclose(state, expected_state[kept][0], rtol=1e-13)


# -- closed forms ------------------------------------------------------------------------------------------------------

START = np.array([1.0, -2.0, 0.5])
SLOPE = np.array([0.3, -4.0, 1e-3])
"""A constant gradient."""
K = np.arange(1, 31)[:, None]


def constant(optimizer: Optimizer, key: str | None = None) -> Array:
    """The weights, or a state, after each of 30 steps with a constant gradient."""
    found = run(optimizer, START, np.broadcast_to(SLOPE, (30, 3)))
    return np.stack([param if key is None else state[key][0] for param, state in found])


def test_adagrad_descends_a_slope_by_the_roots_of_the_count() -> None:
    """Σg² = kg², so that each step is η/((1 + (k − 1)d)√k), whatever the slope."""
    np.testing.assert_allclose(constant(Adagrad(lr=0.1), "sum"), K * SLOPE**2, rtol=1e-14)
    for decay in (0.0, 0.3):
        expected = START - 0.1 * np.sign(SLOPE) * np.cumsum(1 / ((1 + decay * (K - 1)) * np.sqrt(K)), axis=0)
        np.testing.assert_allclose(constant(Adagrad(lr=0.1, lr_decay=decay, eps=0)), expected, rtol=1e-13, atol=1e-14)


def test_adagrad_starts_from_its_initial_sum() -> None:
    after = constant(Adagrad(lr=0.1, initial_accumulator_value=0.2, eps=0.01))[0]
    np.testing.assert_allclose(after, START - 0.1 * SLOPE / (np.sqrt(0.2 + SLOPE**2) + 0.01), rtol=1e-15)


def test_adadelta_begins_with_the_root_of_epsilon() -> None:
    """u = 0 at first, and v = (1 − ρᵏ)g² throughout."""
    optimizer = Adadelta(lr=0.5, rho=0.7, eps=0.01)
    first = np.sqrt(0.01) / np.sqrt(0.3 * SLOPE**2 + 0.01) * SLOPE
    np.testing.assert_allclose(constant(optimizer)[0], START - 0.5 * first, rtol=1e-14)
    np.testing.assert_allclose(constant(optimizer, "acc_delta")[0], 0.3 * first**2, rtol=1e-14)
    np.testing.assert_allclose(constant(optimizer, "square_avg"), (1 - 0.7**K) * SLOPE**2, rtol=1e-13)


def test_adadelta_is_in_the_units_of_the_parameter() -> None:
    """Weights and their first step in units of c give c times the same trajectory: g in 1/c, ε = 0."""
    rng = np.random.default_rng(3)
    gradients, unit = rng.standard_normal((6, 3)), 2.0**10
    step = rng.uniform(0.5, 1, (1, 3))
    state = {"step": np.array([1]), "square_avg": step, "acc_delta": step}
    scaled = {"step": np.array([1]), "square_avg": step / unit**2, "acc_delta": step * unit**2}
    optimizer, param, large = Adadelta(eps=0), START[None], START[None] * unit
    for gradient in gradients[:, None]:
        param, state = optimizer.step(param, gradient, state)
        large, scaled = optimizer.step(large, gradient / unit, scaled)
        assert np.array_equal(large, unit * param)


def test_rmsprop_descends_a_slope_by_the_correction_it_lacks() -> None:
    """v = (1 − αᵏ)g², so that each step is η/√(1 − αᵏ): the first is 1/√(1 − α) times too long."""
    expected = START - 0.1 * np.sign(SLOPE) * np.cumsum(1 / np.sqrt(1 - 0.9**K), axis=0)
    np.testing.assert_allclose(constant(RMSprop(lr=0.1, alpha=0.9, eps=0)), expected, rtol=1e-12, atol=1e-13)


def test_centered_rmsprop_divides_by_the_deviation() -> None:
    """v − m² = (1 − αᵏ)αᵏg² on a slope."""
    for optimizer in (
        RMSprop(lr=0.1, alpha=0.9, eps=0, centered=True),
        RMSprop(lr=0.1, alpha=0.3, eps=0, centered=True),
    ):
        a = optimizer.alpha
        np.testing.assert_allclose(constant(optimizer, "grad_avg"), (1 - a**K) * SLOPE, rtol=1e-13)
        expected = START - 0.1 * np.sign(SLOPE) * np.cumsum(1 / np.sqrt((1 - a**K) * a**K), axis=0)
        np.testing.assert_allclose(constant(optimizer)[:8], expected[:8], rtol=1e-9)  # later v − m² cancels


def test_rmsprops_momentum_is_a_geometric_series() -> None:
    """With α = 0 and ε = 0 each direction is sign(g), so that b = sign(g)(1 − μᵏ)/(1 − μ)."""
    optimizer = RMSprop(lr=0.1, alpha=0, eps=0, momentum=0.9)
    b = np.sign(SLOPE) * (1 - 0.9**K) / (1 - 0.9)
    np.testing.assert_allclose(constant(optimizer, "momentum_buffer"), b, rtol=1e-13)
    np.testing.assert_allclose(constant(optimizer), START - 0.1 * np.cumsum(b, axis=0), rtol=1e-12, atol=1e-13)


def test_rprop_grows_geometrically_on_a_slope_up_to_its_largest_step(rational: Any) -> None:
    """Exactly, in rationals: Δₖ = min(lr·η⁺ᵏ⁻¹, Δ_max)."""
    optimizer = rational.hyper(Rprop(lr=0.125, etas=(0.5, 1.25), step_sizes=(0.0, 0.75)))
    found = run(optimizer, rational.array(START), rational.array(np.broadcast_to(SLOPE, (12, 3))))
    steps = [min(Fraction(1, 8) * Fraction(5, 4) ** k, Fraction(3, 4)) for k in range(12)]
    assert steps[-1] == Fraction(3, 4)
    for k, (param, _) in enumerate(found):
        expected = [Fraction(w) - int(np.sign(g)) * sum(steps[: k + 1]) for w, g in zip(START, SLOPE, strict=True)]
        assert [number.value for number in param] == expected


def test_rprop_rests_after_a_turn_and_goes_on_with_the_smaller_step() -> None:
    """One weight, dyadic numbers: (gradient, Δ, sign of the step, p) in each step, worked out by hand."""
    by_hand = [
        (3.0, 0.5, 1, 3.0),  # the first Δ
        (1.0, 1.0, 1, 1.0),  # same sign: twice Δ
        (-2.0, 0.25, 0, 0.0),  # a turn: a quarter of Δ, no step, p forgotten
        (-2.0, 0.25, -1, -2.0),  # p = 0: Δ stays
        (0.0, 0.25, 0, 0.0),  # a gradient of 0: no step, Δ stays
        (-5.0, 0.25, -1, -5.0),
        (-5.0, 0.5, -1, -5.0),
        (1.0, 0.125, 0, 0.0),
        (1.0, 0.125, 1, 1.0),
        (-1.0, 0.125, 0, 0.0),  # a quarter of Δ, but at least Δ_min
    ]
    optimizer = Rprop(lr=0.5, etas=(0.25, 2.0), step_sizes=(0.125, 1.0))
    gradients = np.array([[[row[0]]] for row in by_hand])
    w = 1.0
    for (param, state), (_, size, sign, prev) in zip(run(optimizer, np.ones((1, 1)), gradients), by_hand, strict=True):
        w -= sign * size
        assert (param.item(), state["step_size"].item(), state["prev"].item()) == (w, size, prev)


def test_asgd_decays_by_lambd_alone_and_its_rate_falls() -> None:
    """Without a gradient w = w₀·Π(1 − lambd·ηⱼ), ηⱼ = lr/(1 + lambd·lr·(j − 1))^α; α = 1 makes it telescope."""
    optimizer = ASGD(lr=0.5, lambd=0.25, alpha=1.0)
    found = run(optimizer, START, np.zeros((30, 3)))
    rates = 0.5 / (1 + 0.125 * np.arange(31))
    for k, (param, state) in enumerate(found, 1):
        np.testing.assert_allclose(state["eta"], rates[k], rtol=1e-15)
        np.testing.assert_allclose(param, START * np.prod(1 - 0.25 * rates[:k]), rtol=1e-14)
        # 1 − 1/8·1/(1 + j/8) = (j + 7)/(j + 8), so that the product is 7/(k + 7)
        np.testing.assert_allclose(param, START * 7 / (k + 7), rtol=1e-14)


def test_asgd_without_weight_decay_never_multiplies_the_weight_by_it() -> None:
    """0 times infinity would be nan, and is where torch's foreach multiplies by lambd."""
    peer = torch.nn.Parameter(torch.tensor([torch.inf]))
    peer.grad = torch.ones(1)
    torch.optim.ASGD([peer], foreach=False).step()
    with np.errstate(invalid="ignore"):
        after, _ = ASGD().step(np.full((1, 1), np.inf), np.ones((1, 1)), {})
    assert after.item() == peer.item() == np.inf


def test_asgds_average_is_the_weight_itself_after_the_first_step() -> None:
    for start in (START, 1e-30 * START):
        ((param, state),) = run(ASGD(lr=1e-3), start, 1e-30 * SLOPE[None])
        assert np.array_equal(state["ax"][0], param)


def test_asgd_averages_from_two_steps_after_t0_on() -> None:
    """μ is made for the next step, so that the mean is over w_{t₀+2} … w_k; before that, a is w."""
    rng = np.random.default_rng(4)
    for t0 in (0.0, 3.0):
        found = run(ASGD(lr=0.1, lambd=0.1, t0=t0), START, rng.standard_normal((12, 3)))
        weights = np.stack([param for param, _ in found])
        for k, (_, state) in enumerate(found, 1):
            first = min(int(t0) + 2, k)
            np.testing.assert_allclose(state["ax"][0], weights[first - 1 : k].mean(axis=0), rtol=1e-13, atol=1e-15)
            assert state["mu"] == 1 / max(1, k - t0)


def test_asgds_change_of_rate_acts_one_step_late() -> None:
    gradient = np.ones((1, 3))
    param, state = ASGD(lr=0.5, lambd=0).step(START[None], gradient, {})
    once, state = ASGD(lr=0.125, lambd=0).step(param, gradient, state)
    assert np.array_equal(once, param - 0.5)
    twice, _ = ASGD(lr=0.125, lambd=0).step(once, gradient, state)
    assert np.array_equal(twice, once - 0.125)


@pytest.mark.parametrize("cls", OPTIONS)
def test_maximize_is_the_step_of_the_negated_gradient(cls: Any) -> None:
    """The decay is not negated."""
    gradients, start = drawn(5, 9)
    for options in OPTIONS[cls]:
        one = run(cls(**(options | {"maximize": True})), start, gradients)
        other = run(cls(**(options | {"maximize": False})), start, -gradients)
        for (param, state), (same, same_state) in zip(one, other, strict=True):
            assert np.array_equal(param, same)
            assert all(np.array_equal(state[key], same_state[key]) for key in state)


# -- where torch surprises, or fails -----------------------------------------------------------------------------------


def torch_steps(
    optimizer: str, gradients: list[float], dtype: str = "float64", start: float = 1.0, **options: Any
) -> Any:
    """(weight after each step, final state) of one weight in torch."""
    parameter = torch.nn.Parameter(torch.tensor([start], dtype=getattr(torch, dtype)))
    torchs = getattr(torch.optim, optimizer)([parameter], **options)
    found = []
    for gradient in gradients:
        parameter.grad = torch.full_like(parameter, gradient)
        torchs.step()
        found.append(parameter.item())
    return found, torchs.state[parameter]


def test_torchs_asgd_rounds_the_rate_of_float64_weights_to_float32() -> None:
    (after,), state = torch_steps("ASGD", [1.0], start=0.0, lr=0.1)
    assert state["eta"].dtype == torch.float32
    assert after == -float(np.float32(0.1)) != -0.1


def test_torchs_asgd_keeps_the_rate_in_its_default_dtype() -> None:
    """Then float64 loses nothing, and the bound still holds."""
    torch.set_default_dtype(torch.float64)
    try:
        for update in recorded(ASGD, OPTIONS[ASGD][1], "foreach", "float64", *drawn(0, 17)):
            assert update.formats["eta"] == "float64"
            assert max(shares(check(update)).values()) <= 1
    finally:
        torch.set_default_dtype(torch.float32)


def test_torchs_asgd_decays_without_weight_decay() -> None:
    assert torch_steps("ASGD", [0.0], lr=1.0, weight_decay=0)[0] == [1 - 1e-4]


def test_torchs_rprop_moves_with_a_rate_of_zero() -> None:
    assert torch_steps("Rprop", [5.0], lr=0.0)[0] == [1 - 1e-6]


@pytest.mark.parametrize(("dtype", "slope"), [("float64", 0.7), ("float32", 0.1), ("bfloat16", 0.1), ("float16", 0.1)])
def test_torchs_centered_rmsprop_turns_nan_on_a_slope_and_the_bound_says_so(dtype: str, slope: float) -> None:
    """v − m² rounds to less than 0, although ε is large: nan is never a disagreement, because it was predicted."""
    options = {"centered": True, "alpha": 0.3, "eps": 0.01}
    gradients, start = np.full((32, 1), slope), np.ones(1)
    unbounded = 0
    for update in recorded(RMSprop, options, "for-loop", dtype, gradients, start):
        pieces = {str(piece.quantity): piece for piece in check(update)}
        assert max(shares(list(pieces.values())).values()) <= 1
        unbounded += int(np.isinf(pieces["w"].allowance).sum())
        if np.isnan(update.after).any() and not np.isnan(update.before).any():
            assert np.isinf(pieces["w"].allowance).all()
    assert np.isnan(update.after).all()
    assert unbounded < 32


def test_centered_rmsprop_with_no_gradient_stays_bounded() -> None:
    """Exact zeros have no rounding error: v − m² is 0, not perhaps less."""
    for update in recorded(RMSprop, {"centered": True}, "for-loop", "float32", np.zeros((3, 4)), np.ones(4)):
        for piece in check(update):
            assert np.all(np.isfinite(piece.allowance)) and np.all(piece.share <= 1)


@pytest.mark.parametrize("implementation", ["for-loop", "foreach"])
def test_torchs_rprop_freezes_where_its_smaller_factor_rounds_to_one_and_is_caught(implementation: str) -> None:
    """It compares factors with η⁻ to find the turns; where η⁻ is 1 in the dtype, every weight seems to turn."""
    options = {"etas": (0.999, 1.2), "lr": 0.25}
    gradients, start = np.ones((3, 4)), np.ones(4)
    frozen = list(recorded(Rprop, options, implementation, "bfloat16", gradients, start))
    assert all(np.array_equal(update.after, update.before) for update in frozen)
    assert all(shares(check(update))["w"] > 1 for update in frozen)
    for update in recorded(Rprop, options, implementation, "float32", gradients, start):
        assert not np.array_equal(update.after, update.before) and max(shares(check(update)).values()) <= 1


# -- refusals ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("etas", [(0.0, 1.2), (1.0, 1.2), (0.5, 1.0), (np.array([0.5, 1.5]), 1.2)])
def test_rprop_refuses_factors_that_do_not_shrink_and_grow(etas: Any) -> None:
    with pytest.raises(
        ValueError,
        match=rf"^etas: given {re.escape(repr(etas))}; allowed: a factor from 0 to 1 and one above 1; change etas$",
    ):
        Rprop(etas=etas)


@pytest.mark.parametrize(
    ("optimizer", "bad"),
    [
        (Adagrad(), {"lr_decay": -0.1}),
        (Adagrad(), {"initial_accumulator_value": -0.1}),
        (Adadelta(), {"rho": 1.1}),
        (RMSprop(), {"alpha": 1.0}),
        (RMSprop(), {"momentum": -0.1}),
        (Rprop(), {"step_sizes": (-0.1, 1.0)}),
        (ASGD(), {"t0": np.inf}),
        (ASGD(), {"lambd": -0.1}),
    ],
)
def test_a_number_outside_its_range_is_refused(optimizer: Any, bad: Mapping[str, Any]) -> None:
    (name,) = bad
    with pytest.raises(ValueError, match=f"^{name}: given .*; allowed: .*; change {name}$"):
        replace(optimizer, **bad)
