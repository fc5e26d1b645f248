"""Hyper-parameters outside their range never get in, and every error says what to do."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, Literal

import numpy as np
import pytest

from refimpl.arithmetic.exact import exact
from refimpl.errors import DataError, ParameterError, RefimplError, ShapeError
from refimpl.ranges import Finite, NonNegative, Range, check_fields, choice_fields, number_fields
from refimpl.stepping import is_zero
from refimpl.types import Number


@dataclass(frozen=True, kw_only=True)
class Example:
    rate: NonNegative = 0.5
    beta: Annotated[Number, Range(low=0, high=1, open_high=True)] = 0.5
    betas: Annotated[tuple[float, ...], Range(low=0, high=1)] = (0.5, 0.25)
    shift: Finite = 0.0
    kind: Literal["a", "b"] = "a"
    name: str = "untouched"

    __post_init__ = check_fields


@pytest.mark.parametrize(
    "good",
    [
        {"rate": 0},
        {"rate": 1e308},
        {"rate": np.array([0.0, 2.0])},
        {"rate": np.float32(0.5)},
        {"beta": 0.0},
        {"beta": 1 - 2.0**-53},
        {"betas": (0.0, 1.0)},
        {"shift": -1e300},
        {"kind": "b"},
        {"rate": exact(np.array([-1.0]))},  # lifted: checked before
    ],
)
def test_what_is_allowed_passes(good: dict[str, Any]) -> None:
    Example(**good)


@pytest.mark.parametrize(
    ("bad", "allowed"),
    [
        ({"rate": -1e-300}, "a finite number ≥ 0"),
        ({"rate": np.inf}, "a finite number ≥ 0"),
        ({"rate": np.nan}, "a finite number ≥ 0"),
        ({"rate": np.array([0.0, -1.0])}, "a finite number ≥ 0"),
        ({"rate": np.float64(-1)}, "a finite number ≥ 0"),
        ({"rate": np.int64(-1)}, "a finite number ≥ 0"),
        ({"rate": "0.5"}, "a finite number ≥ 0"),
        ({"rate": None}, "a finite number ≥ 0"),
        ({"rate": False}, "a finite number ≥ 0"),
        ({"beta": 1.0}, "a number from 0 to 1 (excluded)"),
        ({"betas": (0.5, 1.5)}, "a number from 0 to 1"),
        ({"shift": -np.inf}, "a finite number"),
        ({"kind": "c"}, "'a', 'b'"),
    ],
)
def test_what_is_not_allowed_is_refused_with_what_is(bad: dict[str, Any], allowed: str) -> None:
    with pytest.raises(ParameterError) as caught:
        Example(**bad)
    (name,) = bad
    assert caught.value.what == name
    assert caught.value.allowed == allowed
    assert caught.value.given == repr(bad[name])


def test_fields_are_found_by_their_annotation() -> None:
    assert list(number_fields(Example)) == ["rate", "beta", "betas", "shift"]
    assert choice_fields(Example) == {"kind": ("a", "b")}


@pytest.mark.parametrize(("value", "expected"), [(0, True), (0.0, True), (-0.0, True), (1e-300, False)])
def test_a_plain_0_and_nothing_else_switches_a_term_off(value: float, expected: bool) -> None:
    assert is_zero(value) is expected


def test_one_value_per_run_is_never_off() -> None:
    assert not is_zero(np.zeros(2))


@pytest.mark.parametrize("error", [ParameterError, ShapeError, DataError])
def test_an_error_is_one_line_with_what_was_given_what_is_allowed_and_what_to_do(error: type[RefimplError]) -> None:
    raised = error("lr", given=-1, allowed="≥ 0", remedy="change it")
    assert str(raised) == "lr: given -1; allowed: ≥ 0; change it"
    assert isinstance(raised, RefimplError) and isinstance(raised, ValueError)
