"""Every optimizer of the registry is a pure function of its arguments, run by run and in every arithmetic."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from refimpl.arithmetic.bounded import Bounded, Profile
from refimpl.arithmetic.formats import FORMATS
from refimpl.arithmetic.lift import align, lift, map_numbers
from refimpl.optimizers import LARS, SOAP, AdafactorPaper, Muon, Prodigy
from refimpl.stepping import is_zero

Array = npt.NDArray[Any]
RUNS, STEPS = 3, 6
IN_FLOAT32 = {"mu_product", "eta", "mu"}
"""State that is one number for each run, and that torch keeps in float32."""
NUMBERS = IN_FLOAT32 | {
    "lr_max",
    "weight_sum",
    "exp_avg_lr_1",
    "grads_ema",
    "d",
    "d_max",
    "d_numerator",
    "numerator_weighted",
}
"""State that is one number for each run."""
WEIGHTS = {"ax", "z", "x0", "p0"}
"""State that is weights."""
FACTORS = {"row_var": -1, "col_var": -2}
"""State that has one number along an axis of the parameter."""
SQUARES = {f"{name}_{axis}": axis for name in ("precond", "rooted", "basis") for axis in range(2)}
"""State that is a matrix for an axis of the parameter."""
FLOAT64 = Profile(compute=FORMATS["float64"], accumulate=FORMATS["float64"])


def material(seed: int = 0) -> tuple[Array, Array]:
    """A parameter ``(runs, 1, p)`` with a zero in it, and a gradient for every step."""
    rng = np.random.default_rng(seed)
    param = rng.standard_normal((RUNS, 1, 4))
    param[:, 0, 1] = 0
    return param, rng.standard_normal((STEPS, RUNS, 1, 4))


def run(optimizer: Any, param: Any, gradients: Any) -> list[tuple[Any, Mapping[str, Any]]]:
    """(param, state) after each step."""
    state, found = optimizer.init(param), []
    for gradient in gradients:
        param, state = optimizer.step(param, gradient, state)
        found.append((param, state))
    return found


def tensors(after: tuple[Any, Mapping[str, Any]]) -> dict[str, Any]:
    """The parameter and its state, but for the count of steps, which is an integer in every arithmetic."""
    return {"param": after[0], **{key: values for key, values in after[1].items() if key != "step"}}


def test_steps_are_counted_in_integers_run_by_run(every_optimizer: dict[str, Any]) -> None:
    param, gradients = material()
    for label, optimizer in every_optimizer.items():
        for number, (_, state) in enumerate(run(optimizer, param, gradients)):
            count = state.get("step", np.full(RUNS, number + 1))
            assert count.dtype.kind == "i" and np.array_equal(count, np.full(RUNS, number + 1)), label


def test_nothing_that_is_handed_in_is_changed_and_the_same_arguments_give_the_same_result(
    every_optimizer: dict[str, Any],
) -> None:
    for label, optimizer in every_optimizer.items():
        param, gradients = material()
        state = optimizer.init(param)
        for gradient in gradients:
            for array in (param, gradient, *state.values()):
                array.flags.writeable = False  # an in-place update raises
            before = copy.deepcopy((param, gradient, dict(state)))
            after, again = (optimizer.step(param, gradient, state) for _ in range(2))
            assert np.array_equal(param, before[0]) and np.array_equal(gradient, before[1]), label
            assert set(state) == set(before[2]), label
            assert all(np.array_equal(state[key], before[2][key]) for key in state), label
            assert all(np.array_equal(tensors(after)[key], values) for key, values in tensors(again).items()), label
            param, state = (after[0].copy(), {key: values.copy() for key, values in after[1].items()})


def test_param_and_state_keep_the_shape_of_the_parameter(every_optimizer: dict[str, Any]) -> None:
    for label, optimizer in every_optimizer.items():
        for shape in ((2, 1, 3), (2, 1), (1, 4, 3)):
            if len(shape) == 2 and isinstance(optimizer, Muon):
                continue  # takes matrices only
            for after in run(optimizer, np.ones(shape), np.ones((3, *shape))):
                for key, values in tensors(after).items():
                    reduced = np.empty(shape).sum(axis=FACTORS.get(key, ()), keepdims=True).shape
                    side = shape[SQUARES[key] + 1] if key in SQUARES else 0
                    square = (shape[0], side, side) if side else reduced
                    assert values.shape == (shape[:1] if key in NUMBERS else square), (label, key)


def test_one_value_per_run_is_each_run_by_itself_bit_for_bit(every_optimizer: dict[str, Any]) -> None:
    param, gradients = material()
    factors = np.array([1.0, 0.875, 0.95])  # near 1, so that Rprop's larger factor stays above it
    for label, optimizer in every_optimizer.items():
        together = run(align(map_numbers(optimizer, lambda x: x if is_zero(x) else x * factors), 3), param, gradients)
        for index, factor in enumerate(factors):
            alone = map_numbers(optimizer, lambda x, factor=factor: x if is_zero(x) else float(x * factor))
            one = slice(index, index + 1)
            for after, single in zip(together, run(alone, param[one], gradients[:, one]), strict=True):
                assert set(tensors(after)) == set(tensors(single)), label
                digits = {"rtol": 1e-13, "atol": 1e-15} if "step" in single[1] else {"rtol": 0, "atol": 0}
                for key, values in tensors(single).items():  # with a count: NumPy's pow of an array is not of a number
                    np.testing.assert_allclose(tensors(after)[key][one], values, err_msg=label, **digits)


def test_every_arithmetic_takes_the_same_steps(
    any_optimizer: Any, high_precision: Any, long_double: Any, rational: Any
) -> None:
    if isinstance(any_optimizer, SOAP):
        return  # one gradient of a row leaves a null space, of which every arithmetic has another basis
    param, gradients = material()
    plain = run(any_optimizer, param, gradients)
    digits = 1e-12 if "step" in plain[0][1] else 1e-14  # steps divided by a small root lose some
    for arithmetic in [high_precision, long_double] + ([rational] if rational.allows(any_optimizer) else []):
        lifted = run(arithmetic.hyper(any_optimizer), arithmetic.array(param), arithmetic.array(gradients))
        for expected, found in zip(plain, lifted, strict=True):
            assert set(tensors(expected)) == set(tensors(found))
            for key, values in tensors(expected).items():
                np.testing.assert_allclose(tensors(found)[key].astype(float), values, rtol=digits, atol=digits / 10)


def test_the_bound_holds_for_the_steps_that_are_taken_in_each_dtype(any_optimizer: Any, high_precision: Any) -> None:
    """Torch's order of operations: an expression of hyper-parameters is a double that is rounded once."""
    if isinstance(any_optimizer, Muon | SOAP):
        return  # a bound over a whole step is worth nothing, or there is none: stages are judged
    for dtype in ("float64", "float32"):
        profile = Profile(compute=FORMATS[dtype], accumulate=FORMATS[dtype])
        param, gradients = (array.astype(dtype) for array in material())
        if dtype != "float64" and "step" in run(any_optimizer, param, gradients)[0][1]:
            continue  # a correction for each run turns NumPy's float32 into float64; torch's steps are judged instead
        bounded = run(
            lift(any_optimizer, lambda number, profile=profile: Bounded.hyper(number, profile)),
            Bounded.tensor(param, profile),
            [Bounded.tensor(gradient, profile) for gradient in gradients],
        )
        truth = run(high_precision.hyper(any_optimizer), high_precision.array(param), high_precision.array(gradients))
        for computed, bound, true in zip(run(any_optimizer, param, gradients), bounded, truth, strict=True):
            for key, values in tensors(computed).items():
                assert values.dtype == dtype
                error = np.abs(high_precision.array(values) - tensors(true)[key])
                assert np.all(error <= high_precision.array(tensors(bound)[key].error))
                promise = 1e4 if "step" in bound[1] else 200  # 1 − βᵗ is small at first, and so magnifies
                promise *= 1e5 if SQUARES.keys() & set(bound[1]) else 1  # what LAPACK promises, over a small ε
                unit = FORMATS["float32" if IN_FLOAT32 & set(bound[1]) else dtype].u
                assert np.all(tensors(bound)[key].error <= promise * unit)  # and it is no empty one


def test_without_a_learning_rate_nothing_moves(every_optimizer: dict[str, Any]) -> None:
    param, gradients = material()
    for label, optimizer in every_optimizer.items():
        still = replace(optimizer, lr=0.0)
        if hasattr(still, "step_sizes"):  # of Rprop, whose smallest step wins over its first one, lr
            still = replace(still, step_sizes=(0.0, still.step_sizes[1]))
        if hasattr(still, "final_lr"):  # of AdaBound, which keeps every rate near it
            still = replace(still, final_lr=0.0)
        assert all(np.array_equal(after, param) for after, _ in run(still, param, gradients)), label


def test_without_weight_decay_the_weights_never_reach_the_averages(every_optimizer: dict[str, Any]) -> None:
    """Not even as 0 times infinity, which is nan: a λ of 0 switches the term off, in torch too."""
    param, gradients = material()
    param[:, :, 0] = np.inf
    for label, optimizer in every_optimizer.items():
        if isinstance(optimizer, AdafactorPaper | LARS | Prodigy):
            continue  # a step of which is as long as the weights are, or as far as they have come
        free = replace(optimizer, weight_decay=0.0) if hasattr(optimizer, "weight_decay") else optimizer
        with np.errstate(invalid="ignore"):
            for after in run(free, param, gradients):
                averages = {key: values for key, values in tensors(after).items() if key not in {"param", *WEIGHTS}}
                assert all(np.all(np.isfinite(values)) for values in averages.values()), label


def test_a_state_key_appears_with_the_first_step_at_the_latest(every_optimizer: dict[str, Any]) -> None:
    param, gradients = material()
    for label, optimizer in every_optimizer.items():
        states = [optimizer.init(param), *(state for _, state in run(optimizer, param, gradients))]
        assert set(states[0]) <= set(states[1]), label
        assert all(set(state) == set(states[1]) for state in states[1:]), label


def test_a_learning_rate_outside_its_range_is_refused(registries: Any) -> None:
    for entry in registries["optimizer"].values():
        for bad in (-0.1, np.nan, np.inf, True, "0.1", np.array([0.1, np.nan]), np.float32(-0.1)):
            with pytest.raises(ValueError, match=r"^lr: given .*; allowed: a finite number ≥ 0; change lr$"):
                entry(lr=bad)
