"""Lifting converts every number of an object and nothing else."""

from __future__ import annotations

from dataclasses import dataclass, fields
from fractions import Fraction
from typing import Annotated, Any

import numpy as np
import pytest

from refimpl.arithmetic.bounded import Bounded, Profile
from refimpl.arithmetic.exact import Exact
from refimpl.arithmetic.formats import FORMATS
from refimpl.arithmetic.lift import align, lift, map_numbers
from refimpl.losses import SquaredError
from refimpl.models import Linear
from refimpl.optimizers import SGD, ProximalSGD
from refimpl.penalties import L1, L2
from refimpl.problem import Problem
from refimpl.ranges import NonNegative, Range, number_fields
from refimpl.schedules import Step


@dataclass(frozen=True, kw_only=True)
class Adaptive:
    """Fields as an optimizer to come may have them."""

    betas: Annotated[tuple[float, float], Range(low=0, high=1)] = (0.9, 0.0)
    lr: NonNegative = 0.1
    name: str = "adaptive"
    steps: int = 3


def numbers(obj: Any) -> list[Any]:
    return [getattr(obj, name) for name in number_fields(type(obj))]


@pytest.mark.parametrize("kind", ["loss", "penalty", "optimizer", "schedule"])
def test_every_number_of_every_entry_is_converted_exactly(kind: str, registries: Any, examples: Any) -> None:
    for name, entry in registries[kind].items():
        for arguments in examples[kind][name]:
            obj = entry(**arguments)
            lifted = lift(obj, lambda number: Fraction(number))
            assert type(lifted) is entry
            for field in fields(obj):
                before, after = getattr(obj, field.name), getattr(lifted, field.name)
                assert after == (lift(before, Fraction) if field.name == "penalty" and before else before)
                if field.name in number_fields(entry):
                    pairs = zip(before, after, strict=True) if isinstance(before, tuple) else [(before, after)]
                    assert all(b is None if a is None else type(b) is (int if a == 0 else Fraction) for a, b in pairs)


def test_a_plain_0_stays_the_integer_0_so_that_formulas_can_leave_its_term_out() -> None:
    lifted = lift(SGD(lr=0.1, momentum=0.0, weight_decay=-0.0), Exact.of)
    assert lifted.momentum == 0 and type(lifted.momentum) is int
    assert type(lifted.weight_decay) is int
    assert type(lifted.lr) is Exact


def test_numbers_in_nested_objects_are_converted_too() -> None:
    lifted = lift(ProximalSGD(lr=0.1, penalty=L1(strength=0.3)), Exact.of)
    assert type(lifted.penalty.strength) is Exact and lifted.penalty.strength.value == Fraction(0.3)
    assert lift(ProximalSGD(lr=0.1), Exact.of).penalty is None


def test_every_number_of_a_tuple_is_converted() -> None:
    lifted = lift(Adaptive(), Fraction)
    assert lifted.betas == (Fraction(0.9), 0) and type(lifted.betas[1]) is int
    assert (lifted.name, lifted.steps) == ("adaptive", 3)


def test_numbers_in_a_tuple_of_objects_are_converted_too() -> None:
    loss = SquaredError(factor=0.5, reduction="mean")
    problem = Problem(model=Linear(), loss=loss, penalties=(L1(strength=0.3), L2(strength=0.7)))
    lifted: Any = lift(problem, Exact.of)
    assert lifted.loss.factor.value == Fraction(0.5)
    assert [penalty.strength.value for penalty in lifted.penalties] == [Fraction(0.3), Fraction(0.7)]
    assert problem.penalties[0].strength == 0.3 and type(problem.penalties[0].strength) is float  # type: ignore[attr-defined]
    assert lift(Problem(model=Linear(), loss=loss), lambda number: number) == Problem(model=Linear(), loss=loss)


def test_counts_and_choices_are_left_alone() -> None:
    lifted = lift(Step(step_size=3, gamma=0.5, per="step"), Fraction)
    assert (lifted.step_size, lifted.per) == (3, "step") and type(lifted.step_size) is int


def test_the_original_stays_as_it_is() -> None:
    optimizer = ProximalSGD(lr=0.1, penalty=L2(strength=0.5))
    lift(optimizer, Fraction)
    align(optimizer, 3)
    assert optimizer == ProximalSGD(lr=0.1, penalty=L2(strength=0.5))


def test_where_nothing_changes_it_is_the_same_object() -> None:
    optimizer = SGD(lr=0.1)
    assert align(optimizer, 3) is optimizer
    assert map_numbers(optimizer, lambda number: number) is optimizer


@pytest.mark.parametrize("ndim", [1, 2, 3, 4])
def test_one_value_per_run_meets_an_array_of_any_number_of_axes(ndim: int) -> None:
    rates = np.array([0.1, 0.2, 0.3])
    aligned = align(ProximalSGD(lr=rates, penalty=L1(strength=rates)), ndim)
    for values in (aligned.lr, aligned.penalty.strength):  # type: ignore[union-attr]
        assert values.shape == (3,) + (1,) * (ndim - 1)
        assert values.ravel().tolist() == rates.tolist()


def test_aligning_twice_is_aligning_once_and_floats_stay_floats() -> None:
    aligned = align(SGD(lr=np.array([0.1, 0.2]), momentum=0.5), 3)
    assert align(aligned, 3) is aligned
    assert aligned.momentum == 0.5


def test_aligned_values_can_be_lifted() -> None:
    profile = Profile(compute=FORMATS["float32"], accumulate=FORMATS["float32"])
    aligned = align(SGD(lr=np.array([0.1, 0.2])), 3)
    lifted: Any = lift(aligned, lambda number: Bounded.hyper(number, profile))
    assert lifted.lr.shape == (2, 1, 1) and lifted.lr.scalar
    assert numbers(lifted)[1:] == [0, 0, 0]
