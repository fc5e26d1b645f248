"""Which cases a matrix has, and what selects them."""

from __future__ import annotations

import itertools

import pytest
import torch

from parity.features.verify.case import DTYPES, SIZES, Case
from parity.features.verify.cover import cases, matches, offered
from parity.features.verify.options import OPTIONS
from parity.features.verify.verify import select
from parity.record.reference import REFERENCES
from parity.situations import SITUATIONS
from tests.parity.verify.cases import case


@pytest.fixture(scope="module")
def whole() -> list[Case]:
    return cases()


def test_the_default_run_has_thousands_of_cases_and_none_twice(whole: list[Case]) -> None:
    assert len(whole) >= 5000
    assert len({one.id for one in whole}) == len(whole)
    assert cases() == whole


def test_all_optimizers_of_this_torch_are_in_the_matrix() -> None:
    exported = {n for n, o in vars(torch.optim).items() if isinstance(o, type) and issubclass(o, torch.optim.Optimizer)}
    assert exported - {"Optimizer"} == set(OPTIONS), "torch has gained or lost an optimizer: write its reference"
    assert set(OPTIONS) <= {*REFERENCES, "LBFGS"}


def test_every_offered_implementation_meets_every_dtype_in_every_situation_with_every_optimizer(
    whole: list[Case],
) -> None:
    found = {(one.optimizer, one.implementation, one.dtype, one.situation) for one in whole}
    for optimizer in OPTIONS:
        for implementation in ("for-loop", "foreach", "fused", "differentiable"):
            if offered(optimizer, implementation, "cpu"):
                for dtype, situation in itertools.product(DTYPES, SITUATIONS):
                    assert (optimizer, implementation, dtype, situation) in found
            else:
                assert any(one[:2] == (optimizer, implementation) for one in found)  # which says why it is not


def test_every_option_set_and_every_size_meet_every_value_of_the_other_axes(whole: list[Case]) -> None:
    for optimizer in OPTIONS:
        mine = [one for one in whole if one.optimizer == optimizer and one.implementation != "compile"]
        for options, size in itertools.product(OPTIONS[optimizer], SIZES):
            assert any(one.options == options and one.size == size for one in mine)
        for name in ("implementation", "dtype", "situation"):
            for value in {getattr(one, name) for one in mine}:
                some = [one for one in mine if getattr(one, name) == value]
                assert {one.options for one in some} == set(OPTIONS[optimizer])
                assert {one.size for one in some} == set(SIZES)


def test_the_quick_sample_has_every_optimizer_in_every_situation() -> None:
    found = {(one.optimizer, one.situation) for one in cases(quick=True)}
    assert found == set(itertools.product(OPTIONS, SITUATIONS))


@pytest.mark.parametrize(
    ("expression", "holds"),
    [
        ("adam", True),
        ("AdamW", False),
        ("float32 and not bfloat16", True),
        ("(foreach or for-loop) and plain", True),
        ("fused or sgd", False),
        ("Adam/decay/for-loop/float32/cpu/plain/17", True),
        ("decay/for-loop", True),
        ("ecay/for-loop", False),
        ("17", True),
    ],
)
def test_an_expression_selects_by_the_words_of_the_id(expression: str, holds: bool) -> None:
    assert matches(expression, case()) == holds


@pytest.mark.parametrize("expression", ["and", "adam or", "(adam", "adam sgd"])
def test_what_is_no_expression_is_refused(expression: str) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        matches(expression, case())


@pytest.mark.parametrize("quick", [True, False])
def test_the_command_of_any_case_runs_that_case_and_no_other(quick: bool, whole: list[Case]) -> None:
    some = cases(quick=True, seed=3) if quick else [*whole[::300], *cases(implementations=["fused"], seed=2)[::100]]
    for one in some:
        assert select(None, None, None, None, None, one.rerun.partition(" -k ")[2]) == [one]


@pytest.mark.parametrize(
    "id",
    ["SGD/nothing/fused/float32/cpu/plain/17", "SGD/decay/fused/float32/cpu/plain/18", "SGD/decay/fused/x/cpu/plain/1"],
)
def test_an_id_that_names_nothing_is_refused_in_one_line(id: str) -> None:
    with pytest.raises(ValueError, match=rf"^-k {id}: no (options|size|dtype) "):
        select(None, None, None, None, None, id)
