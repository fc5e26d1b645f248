"""The parts of the judge: shares, first disagreements, and what judging leaves alone."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from parity.judge.verdict import judge
from parity.step.expected import Expected, Quantity, compare, expect
from refimpl.arithmetic.bounded import Bounded, Profile
from refimpl.arithmetic.formats import FORMATS
from refimpl.initial_weights import Constant as ConstantInit
from refimpl.schedules import Constant
from tests.parity.judge.cases import DTYPES, MOMENTUM, ULP, first


def piece(candidate: Any, value: Any, allowance: Any, steps: Any = None) -> Expected:
    arrays = [np.asarray(x, float) for x in (candidate, value, allowance)]
    steps = np.arange(len(arrays[0])) if steps is None else np.asarray(steps)
    return Expected(Quantity("loss"), steps, *arrays, np.zeros(arrays[0].shape, bool))


def test_the_share_of_the_tolerance() -> None:
    nan, inf = np.nan, np.inf
    cases = [
        (1.5, 1.0, 1.0, 0.5),
        (3.0, 1.0, 1.0, 2.0),
        (1.0, 1.0, 0.0, 0.0),
        (1.5, 1.0, 0.0, inf),
        (nan, 1.0, 1.0, inf),
        (inf, 1.0, 1.0, inf),
        (5.0, 1.0, inf, 0.0),
        (inf, 1.0, inf, 0.0),
        (nan, 1.0, inf, 0.0),
        (-0.0, 0.0, 0.0, 0.0),
        (inf, inf, 0.0, 0.0),
        (inf, -inf, 0.0, inf),
    ]
    candidate, value, allowance, share = (list(column) for column in zip(*cases, strict=True))
    assert piece(candidate, value, allowance).share.tolist() == share


def test_what_is_computed_in_more_than_it_is_stored_in_may_be_half_a_unit_off() -> None:
    """As a fused kernel on an accelerator does: float32 inside, bfloat16 outside."""
    half, quantity = ULP["bfloat16"] / 2, Quantity("update", "weight")
    profile = Profile(compute=FORMATS["float32"], accumulate=FORMATS["float32"])
    sums = Bounded.tensor(np.full(4, 1.0), profile) + Bounded.tensor(np.array([half, 0.9 * half, half, half]), profile)
    candidate = np.array([1.0, 1.0, 1 + 2 * half, 1 + 4 * half])
    share = expect(quantity, np.arange(4), candidate, sums, FORMATS["bfloat16"]).share
    assert (share[:3] > 0.8).all() and (share[:3] <= 1).all() and share[3] > 2
    in_float32 = expect(quantity, np.arange(4), candidate, sums, FORMATS["float32"]).share
    assert (in_float32 > 1000).all()
    large = Bounded.tensor(np.full(1, 3.3e38), profile) + Bounded.tensor(np.full(1, 9e36), profile)
    infinite = np.array([np.inf])
    (unbounded,) = expect(quantity, np.arange(1), infinite, large, FORMATS["bfloat16"]).allowance
    assert np.isinf(unbounded), "above the largest bfloat16, ∞ is admitted"


def test_the_first_disagreement_is_the_worst_element_of_the_first_wrong_step() -> None:
    later = piece([[9.0, 9.0]], [[0.0, 0.0]], [[1.0, 1.0]], steps=[7])
    earlier = piece([[0.0, 0.0], [3.0, 5.0]], [[0.0, 0.0], [1.0, 1.0]], [[1.0, 1.0], [1.0, 1.0]], steps=[2, 4])
    (comparison,) = compare([later, earlier])
    found = comparison.disagreement
    assert found is not None
    assert (found.step, found.index, found.candidate, found.expected) == (4, (1,), 5.0, 1.0)
    assert str(found) == "loss[1] at step 4: 5.0, expected 1.0 ± 1"
    assert comparison.steps.tolist() == [2, 4, 7] and comparison.share.tolist() == [0.0, 4.0, 9.0]
    assert (comparison.used, comparison.elements, comparison.unknown) == (9.0, 6, 0)


def test_of_several_disagreements_at_a_step_the_first_in_the_computation_is_named(
    bench: Any, bump: Callable[..., Any]
) -> None:
    experiment = bench.experiment(**MOMENTUM)
    wrong = bench.torch(experiment)
    order = [
        (("params/weight", (6, 0, 0, 5)), ("update weight", 5)),
        (("state/weight.momentum_buffer", (5, 0, 0, 5)), ("state weight.momentum_buffer", 5)),
        (("gradients/weight", (5, 0, 0, 5)), ("gradient weight", 5)),
        (("objective", (5, 0)), ("objective", 5)),
        (("loss", (5, 0)), ("loss", 5)),
        (("norm", (5, 0)), ("norm", 5)),
        (("train_loss", (1, 0)), ("train loss", 3)),
    ]
    for fault, where in order:
        wrong = bump(wrong, *fault, 1000)
        assert first(judge(experiment, wrong)) == where


def test_judging_changes_nothing(bench: Any) -> None:
    experiment = bench.experiment(**MOMENTUM)
    trajectory = bench.torch(experiment, dtype="bfloat16")
    before = {name: values.copy() for name, values in trajectory.params.items()}
    used = judge(experiment, trajectory).used
    assert all(np.array_equal(before[name], trajectory.params[name]) for name in before)
    assert judge(experiment, trajectory).used == used


def test_a_constant_schedule_is_no_hyper_parameter(bench: Any) -> None:
    assert bench.judge(bench.experiment(schedule=Constant(per="step"))).name == "agree"


def test_a_start_at_a_constant_is_as_good_as_any(bench: Any) -> None:
    init = {"weight": ConstantInit(value=0.1), "bias": ConstantInit(value=-0.1)}
    for dtype in DTYPES:  # 0.1 is no number of any of them
        assert bench.judge(bench.experiment(init=init), dtype=dtype).name == "agree"


def test_many_inputs_widen_the_bounds_of_gradients_to_twice_and_leave_those_of_updates(
    bench: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    experiment = bench.experiment(**MOMENTUM)
    trajectory = bench.torch(experiment, dtype="float64")
    usual = judge(experiment, trajectory).used
    monkeypatch.setattr("parity.step.recording.MANY_INPUTS", trajectory.inputs["X"].size)
    verdict = judge(experiment, trajectory)
    assert verdict.name == "agree"
    assert {name: verdict.used[name] for name in usual if name.startswith(("update", "state"))} == {
        name: used for name, used in usual.items() if name.startswith(("update", "state"))
    }
    assert 0.4 < verdict.used["gradient off span"] / usual["gradient off span"] < 0.6
