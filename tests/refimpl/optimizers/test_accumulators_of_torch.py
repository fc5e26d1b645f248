"""Each step of torch's Adagrad, Adadelta, RMSprop, Rprop and ASGD, and where torch surprises, or fails."""

from __future__ import annotations

import inspect
from collections import defaultdict
from dataclasses import fields, replace
from typing import Any

import numpy as np
import pytest
import torch

from parity.judge.update import Update, check
from refimpl.optimizers import ASGD, Adadelta, Adagrad, RMSprop, Rprop
from tests.refimpl.optimizers.accumulators import DTYPES, FLAGS, OPTIONS, drawn, exact, recorded, shares

SIZES = (1, 3, 17, 33)
"""Around the blocks of vector kernels."""
CASES = [
    (cls, implementation, dtype)
    for cls in OPTIONS
    for implementation in FLAGS
    for dtype in DTYPES
    if implementation != "fused" or cls is Adagrad
]


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
